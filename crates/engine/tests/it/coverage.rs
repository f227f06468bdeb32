//! What the sweep visits, held against everything that there is: each method of each port, each kind of record,
//! effect, outcome, word and verdict. The lists are not written a second time: the compiler refuses a list that
//! forgets a variant, and this test one that no story has.

use std::collections::BTreeSet;

use segue_domain::decision::{Cause, Verdict};
use segue_domain::effect::{Effect, Outcome};
use segue_domain::event::{CheckResult, Event, ServiceEvent, Word};
use segue_domain::step::{How, Step};
use segue_engine::fakes::{Method, Place, When};
use segue_journal::{Fact, Reader};

use crate::pool;
use crate::repertoire::STORIES;

/// A function that names a value's variant, and the names of all variants: one list for both, and a match that
/// does not compile when it is not whole.
macro_rules! variants {
    ($name:ident, $all:ident, $type:ident: $($variant:ident)*) => {
        const $all: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($variant)),)*];

        fn $name(value: &$type) -> &'static str {
            match value {
                $($type::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)*
            }
        }
    };
}

variants!(event, EVENTS, Event:
    Planned StepEntered StepDone Checked Intended Ended BatchRaised Joined SlotsLeased BakeBegan EnoughBoards
    BoardsCounted FoundEmpty FoundOccupied WayBackBegan PointOfNoReturn Asked Held Closed Said);
variants!(service_event, SERVICE_EVENTS, ServiceEvent:
    Began Finished AdoptionBegan AdoptionEnded);
variants!(effect, EFFECTS, Effect:
    Launch Start Stop Terminate Register Deregister SetWeights Open CloseToNew Configure WarmUp Move Drain
    Announce);
variants!(outcome, OUTCOMES, Outcome: Done Refused Unknown);
variants!(word, WORDS, Word: Promote Pause Resume Abort Retry);
variants!(check, CHECKS, CheckResult: Passed Failed Overridden);
variants!(how, HOWS, How: FoundDone Did TookOver);
variants!(verdict, VERDICTS, Verdict: Released Passed Refused RolledBack Aborted);
variants!(cause, CAUSES, Cause: AbortedBy StepFailed CanaryFailed);

/// What a record is made of.
fn parts(fact: &Fact) -> Vec<String> {
    let mut parts = Vec::new();
    match fact {
        Fact::Service(it) => parts.push(service_event(it).to_owned()),
        Fact::Release(it) => {
            parts.push(event(it).to_owned());
            match it {
                Event::StepEntered { step } => parts.push(step.to_string()),
                Event::StepDone { how: it, .. } => parts.push(how(it).to_owned()),
                Event::Checked { result, .. } => parts.push(check(result).to_owned()),
                Event::Intended(intent) => parts.push(effect(&intent.effect).to_owned()),
                Event::Ended { outcome: it, .. } => parts.push(outcome(it).to_owned()),
                Event::Said { word: it, .. } => parts.push(word(it).to_owned()),
                Event::WayBackBegan { cause: it } => parts.push(cause(it).to_owned()),
                Event::Closed { verdict: it } => parts.push(verdict(it).to_owned()),
                Event::Planned(_)
                | Event::BatchRaised { .. }
                | Event::Joined { .. }
                | Event::SlotsLeased { .. }
                | Event::BakeBegan { .. }
                | Event::EnoughBoards { .. }
                | Event::BoardsCounted { .. }
                | Event::FoundEmpty { .. }
                | Event::FoundOccupied { .. }
                | Event::PointOfNoReturn
                | Event::Asked { .. }
                | Event::Held { .. } => {}
            }
        }
    }
    parts
}

/// Everything that there is to visit.
fn everything() -> BTreeSet<String> {
    let sides =
        |method: &Method| [When::Before, When::After].map(|when| place(Place { when, method: *method }));
    let lists = [EVENTS, SERVICE_EVENTS, EFFECTS, OUTCOMES, WORDS, CHECKS, HOWS, VERDICTS, CAUSES]
        .into_iter()
        .flatten();
    let steps = Step::ALL.iter().map(ToString::to_string);
    Method::ALL.iter().flat_map(sides).chain(lists.map(|it| (*it).to_owned())).chain(steps).collect()
}

fn place(Place { when, method }: Place) -> String {
    format!("{when:?} {method}")
}

/// What the stories have: the places at which the sweep kills the daemon, and the records around whose appends
/// it does, each of them.
fn visited() -> BTreeSet<String> {
    let mut visited = BTreeSet::new();
    for story in STORIES {
        pool::alone(async {
            println!("{}", story.name);
            let scene = story.scene();
            let journal = story.tell(&scene).await;
            visited.extend(scene.world.choke().points().into_iter().map(place));
            for end in journal.streams("").await.expect("the journal is whole") {
                let records = journal.read(&end.stream, 0).await.expect("the journal is whole");
                visited.extend(records.iter().flat_map(|record| parts(&record.fact)));
            }
        });
    }
    visited
}

#[test]
fn the_sweep_visits_every_method_of_every_port_and_every_kind_of_record() {
    let (everything, visited) = (everything(), visited());
    let missing: Vec<&String> = everything.difference(&visited).collect();
    assert!(missing.is_empty(), "no story of the repertoire has {missing:#?}");
    println!("{} methods, {} in all", Method::ALL.len(), everything.len());
}
