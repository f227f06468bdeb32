//! What happened, by its name. The sentence is the journal's own ([`segue_journal::view::sentence`]).

use segue_domain::effect::Outcome;
use segue_domain::event::{Event, ServiceEvent};
use segue_domain::step::Step;
use segue_journal::Fact;

/// The stable name of one fact, in kebab case.
pub(crate) fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Release(event) => release(event),
        Fact::Service(ServiceEvent::Began { .. }) => "release-began",
        Fact::Service(ServiceEvent::Finished { .. }) => "release-finished",
        Fact::Service(ServiceEvent::AdoptionBegan { .. }) => "adoption-began",
        Fact::Service(ServiceEvent::AdoptionEnded { .. }) => "adoption-ended",
    }
}

fn release(event: &Event) -> &'static str {
    match event {
        Event::Planned(_) => "planned",
        Event::StepEntered { .. } => "step-entered",
        Event::StepDone { .. } => "step-done",
        Event::Checked { .. } => "checked",
        Event::Intended(_) => "intended",
        Event::Ended { .. } => "ended",
        Event::BatchRaised { .. } => "batch-raised",
        Event::Joined { .. } => "joined",
        Event::SlotsLeased { .. } => "slots-leased",
        Event::BakeBegan { .. } => "bake-began",
        Event::EnoughBoards { .. } => "enough-boards",
        Event::BoardsCounted { .. } => "boards-counted",
        Event::FoundEmpty { .. } => "found-empty",
        Event::FoundOccupied { .. } => "found-occupied",
        Event::WayBackBegan { .. } => "way-back-began",
        Event::PointOfNoReturn => "point-of-no-return",
        Event::Asked { .. } => "asked",
        Event::Held { .. } => "held",
        Event::Closed { .. } => "closed",
        Event::Said { .. } => "said",
    }
}

/// The step that a fact is about, where it names one.
pub(crate) fn step(fact: &Fact) -> Option<Step> {
    match fact.release()? {
        Event::StepEntered { step } | Event::StepDone { step, .. } => Some(*step),
        Event::Planned(_)
        | Event::Checked { .. }
        | Event::Intended(_)
        | Event::Ended { .. }
        | Event::BatchRaised { .. }
        | Event::Joined { .. }
        | Event::SlotsLeased { .. }
        | Event::BakeBegan { .. }
        | Event::EnoughBoards { .. }
        | Event::BoardsCounted { .. }
        | Event::FoundEmpty { .. }
        | Event::FoundOccupied { .. }
        | Event::WayBackBegan { .. }
        | Event::PointOfNoReturn
        | Event::Asked { .. }
        | Event::Held { .. }
        | Event::Closed { .. }
        | Event::Said { .. } => None,
    }
}

/// How an effect ended, in one word.
pub(crate) fn ended(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused { .. } => "refused",
        Outcome::Unknown(_) => "unknown",
    }
}
