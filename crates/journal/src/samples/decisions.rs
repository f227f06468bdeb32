//! Every question, hold, turn and end.

use std::time::Duration;

use segue_domain::decision::{Cause, Gate, Reason, Source, Verdict};
use segue_domain::event::Event;
use segue_domain::reading::Why;
use segue_domain::step::Step;

pub(super) fn events() -> Vec<Event> {
    let gate = Gate::NoWayBack { blue_reads: vec!["3".to_owned()], green_writes: "4".to_owned() };
    let mut events = vec![Event::Asked { gate }];
    events.extend(reasons().into_iter().map(|reason| Event::Held { reason }));
    events.extend(causes().map(|cause| Event::WayBackBegan { cause }));
    events.extend(verdicts().map(|verdict| Event::Closed { verdict }));
    events
}

pub(super) fn causes() -> [Cause; 3] {
    [
        Cause::AbortedBy("ada".into()),
        Cause::StepFailed { step: Step::Launch, why: "no capacity in two zones".to_owned() },
        Cause::CanaryFailed { why: "three times the errors of blue".to_owned() },
    ]
}

pub(super) fn verdicts() -> [Verdict; 5] {
    let [by_ada, failed, _judged] = causes();
    [
        Verdict::Released,
        Verdict::Passed,
        Verdict::Refused { checks: vec!["slots".into()] },
        Verdict::RolledBack { cause: failed },
        Verdict::Aborted { cause: by_ada },
    ]
}

fn reasons() -> Vec<Reason> {
    let mut reasons = vec![
        Reason::Undecided { missing: vec!["errors of i-5".to_owned()] },
        Reason::NoCapacity { able: 1, floor: 2, at: None },
        Reason::BoardFitsNowhere { board: "b-7".into() },
        Reason::BoardsStay { left: 3, last: "b-7: the new server is full".to_owned() },
        Reason::MayHoldBoards { instance: "i-1".into(), why: "its process is dead".to_owned() },
        Reason::CannotGoBack { step: Step::Return, why: "no answer from i-1".to_owned() },
        Reason::CannotGoOn { step: Step::Retire, why: "AccessDenied".to_owned() },
        Reason::Bug { what: "two plans".to_owned() },
    ];
    let blind = sources().into_iter().zip(whys().into_iter().cycle());
    reasons.extend(blind.map(|(what, why)| Reason::Blind { what, why }));
    reasons
}

fn sources() -> [Source; 10] {
    [
        Source::Instances,
        Source::Targets("arn:green".into()),
        Source::Weights,
        Source::Slots,
        Source::Subnets,
        Source::Boards("i-1".into()),
        Source::App("i-1".into()),
        Source::BoardList("i-1".into()),
        Source::Vitals("i-1".into()),
        Source::Ownership("i-1".into()),
    ]
}

fn whys() -> [Why; 6] {
    [
        Why::NotAsked,
        Why::Unreachable("connection refused".to_owned()),
        Why::Missing,
        Why::Stale { age: Duration::from_secs(90), limit: Duration::from_secs(45) },
        Why::Unusable("NaN".to_owned()),
        Why::Refused("AccessDenied".to_owned()),
    ]
}
