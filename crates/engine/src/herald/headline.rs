//! A record in one line, for logs and streams of events.

use segue_domain::effect::{Done, Intent, Outcome};
use segue_domain::event::{CheckResult, Event, ServiceEvent};
use segue_journal::Fact;

/// What happened, in one lower-case line without stop.
pub fn headline(fact: &Fact) -> String {
    match fact {
        Fact::Release(event) => release(event),
        Fact::Service(event) => service(event),
    }
}

fn service(event: &ServiceEvent) -> String {
    match event {
        ServiceEvent::Began { release, kind, version, from_version, .. } => {
            format!("{release} began: {kind} of {version} after {from_version}")
        }
        ServiceEvent::Finished { release, verdict } => format!("{release} finished: {}", verdict.name()),
    }
}

fn release(event: &Event) -> String {
    match event {
        Event::Planned(plan) => format!("planned: {} of {}", plan.kind, plan.image.version),
        Event::StepEntered { step } => format!("step {step} entered"),
        Event::StepDone { step, how } => format!("step {step} done ({how:?})"),
        Event::Checked { check, result } => match result {
            CheckResult::Passed(what) => format!("check {check} passed: {what}"),
            CheckResult::Failed(what) => format!("check {check} failed: {what}"),
            CheckResult::Overridden { failed, reason } => {
                format!("check {check} overridden ({reason}): {failed}")
            }
        },
        Event::Intended(intent) => intended(intent),
        Event::Ended { id, attempt, outcome } => format!("{id} (try {attempt}) {}", ended(outcome)),
        Event::BatchRaised { batch, attempt, count, lost } => {
            format!("batch {batch} goes to attempt {attempt} with {count} instances; {} lost", lost.len())
        }
        Event::SlotsLeased { routes } => format!("{} route slots leased", routes.len()),
        Event::BakeBegan { start } => format!("bake began with {} instances", start.len()),
        Event::EnoughBoards { boards } => format!("it held {boards} boards, which is enough"),
        Event::BoardsCounted { on_blue } => format!("{on_blue} boards are alive on the old servers"),
        Event::FoundEmpty { instance, .. } => format!("{instance} was found empty"),
        Event::FoundOccupied { instance } => format!("{instance} is not empty any more"),
        Event::WayBackBegan { cause } => format!("the way back began: {cause}"),
        Event::PointOfNoReturn => "the point of no return is passed".to_owned(),
        Event::Asked { gate } => format!("a person is asked: {gate:?}"),
        Event::Held { reason } => format!("held: {reason:?}"),
        Event::Closed { verdict } => format!("closed: {}", verdict.name()),
        Event::Said { actor, word, .. } => format!("{actor} said {}", word.name()),
    }
}

fn intended(intent: &Intent) -> String {
    format!("intends {intent}")
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(Done::Nothing) => "done".to_owned(),
        Outcome::Done(Done::Launched(ids)) => format!("done: {} launched", ids.len()),
        Outcome::Done(Done::Moved(result)) => format!(
            "done: {} boards with {} clients moved, {} gone, {} stayed",
            result.boards_moved,
            result.clients_moved,
            result.boards_gone,
            result.exceptions.len()
        ),
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Unknown(why) => format!("unknown: {why}"),
    }
}
