//! What happened in a release.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::event;

use super::decision::{Cause, Gate, Reason, Verdict};
use super::effect::{Intent, Outcome};
use super::mirror::{mirror_enum, mirror_struct, mirror_words};
use super::plan::{How, Plan, Step};
use super::scalars::InstantMs;

mirror_enum! {
    Event ("event") mirrors event::Event {
        "planned" Planned { plan: Box<Plan> } = (event::Event::Planned(plan)),
        "step_entered" StepEntered { step: Step } = (event::Event::StepEntered { step }),
        "step_done" StepDone { step: Step, how: How } = (event::Event::StepDone { step, how }),
        "checked" Checked { name: String, check: CheckResult }
            = (event::Event::Checked { check: name, result: check }),
        "intended" Intended { intent: Intent } = (event::Event::Intended(intent)),
        "ended" Ended { id: String, attempt: u32, end: Outcome }
            = (event::Event::Ended { id, attempt, outcome: end }),
        "batch_raised" BatchRaised { batch: u32, attempt: u32, count: u32, lost: Vec<String> }
            = (event::Event::BatchRaised { batch, attempt, count, lost }),
        "joined" Joined { servers: BTreeMap<String, BTreeSet<String>> } = (event::Event::Joined { servers }),
        "slots_leased" SlotsLeased { routes: BTreeMap<String, String> }
            = (event::Event::SlotsLeased { routes }),
        "bake_began" BakeBegan { start: BTreeMap<String, Vital> } = (event::Event::BakeBegan { start }),
        "enough_boards" EnoughBoards { boards: u64 } = (event::Event::EnoughBoards { boards }),
        "boards_counted" BoardsCounted { on_blue: u64 } = (event::Event::BoardsCounted { on_blue }),
        "found_empty" FoundEmpty {
            instance: String,
            #[serde(rename = "sampled_at_ms")]
            sampled_at: InstantMs,
        } = (event::Event::FoundEmpty { instance, sampled_at }),
        "found_occupied" FoundOccupied { instance: String } = (event::Event::FoundOccupied { instance }),
        "way_back_began" WayBackBegan { because: Cause } = (event::Event::WayBackBegan { cause: because }),
        "point_of_no_return" PointOfNoReturn {} = (event::Event::PointOfNoReturn),
        "asked" Asked { question: Gate } = (event::Event::Asked { gate: question }),
        "held" Held { reason: Reason } = (event::Event::Held { reason }),
        "closed" Closed { end: Verdict } = (event::Event::Closed { verdict: end }),
        "said" Said { actor: String, word: Word, reason: Option<String> }
            = (event::Event::Said { actor, word, reason }),
    }
}

mirror_words! {
    Word mirrors event::Word {
        "promote" Promote,
        "pause" Pause,
        "resume" Resume,
        "abort" Abort,
        "retry" Retry,
    }
}

mirror_enum! {
    CheckResult ("result") mirrors event::CheckResult {
        "passed" Passed { said: String } = (event::CheckResult::Passed(said)),
        "failed" Failed { said: String } = (event::CheckResult::Failed(said)),
        "overridden" Overridden { failed: String, reason: String }
            = (event::CheckResult::Overridden { failed, reason }),
    }
}

mirror_struct! {
    Vital mirrors event::Vital {
        errors: u64,
        started_at_ms: u64,
    }
}
