//! One of everything that can be recorded, for the tests of this crate and of stores. Not a story: a vocabulary.

mod adoptions;
#[cfg(test)]
mod balancers;
mod decisions;
mod effects;
#[cfg(test)]
mod many;
mod plan;
mod room;

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::event::{CheckResult, Event, RequestKey, ServiceEvent, Vital, Word};
use segue_domain::ids::{Actor, ReleaseId, ServiceName};
use segue_domain::plan::Kind;
use segue_domain::step::{How, Step};
use segue_domain::time::Timestamp;

use crate::fact::Fact;
use crate::record::{NewRecord, Via};
use crate::stream::Stream;

pub(crate) use adoptions::events as adoption_events;
#[cfg(test)]
pub(crate) use balancers::events as balancer_events;
#[cfg(test)]
pub(crate) use many::rollback_of_many;
pub(crate) use plan::plan;
#[cfg(test)]
pub(crate) use room::events as room_events;

pub(crate) fn release_id() -> ReleaseId {
    ReleaseId { service: ServiceName::new("boards"), number: 12 }
}

pub(crate) fn release_stream() -> Stream {
    Stream::release(&release_id())
}

pub(crate) fn service_stream() -> Stream {
    Stream::service(&ServiceName::new("boards"))
}

pub(crate) fn new_record(fact: Fact) -> NewRecord {
    NewRecord {
        at: Timestamp::from_ms(1_795_233_600_123),
        actor: Actor::new("segue"),
        via: Via::Engine,
        reason: None,
        fact,
    }
}

/// The first record of the release's stream.
#[cfg(test)]
pub(crate) fn first_record() -> crate::record::Record {
    use crate::record::{Hash, Place, seal};

    let stream = release_stream();
    let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
    seal(&new_record(plan_event().into()), &place).expect("a sample is a record")
}

fn plan_event() -> Event {
    Event::Planned(Box::new(plan()))
}

/// Every kind of event of a release, with every word that can stand in one.
pub(crate) fn release_events() -> Vec<Event> {
    let mut events = vec![plan_event()];
    events.extend(other_plans().into_iter().map(|plan| Event::Planned(Box::new(plan))));
    events.extend(steps());
    events.extend(checks());
    events.extend(effects::events());
    events.extend(numbers());
    events.extend(decisions::events());
    events.extend(words());
    events
}

/// The words of a plan that [`plan`] does not use.
fn other_plans() -> Vec<segue_domain::plan::Plan> {
    let mut canary = plan();
    canary.kind = Kind::Canary;
    canary.service.workload = segue_domain::service::Workload::Requests;
    canary.service.full.needs_canary = segue_domain::service::NeedsCanary::No;
    canary.service.launch.size = None;
    canary.service.launch.configure = None;
    canary.service.launch.warm = None;
    canary.image.commit = None;
    canary.parent = None;
    canary.passed_canary = None;
    let mut rollback = plan();
    rollback.kind = Kind::Rollback;
    rollback.service.workload = segue_domain::service::Workload::None;
    vec![canary, rollback]
}

fn steps() -> Vec<Event> {
    let mut events = Vec::new();
    let hows = [How::FoundDone, How::Did, How::TookOver];
    for (step, how) in Step::ALL.into_iter().zip(hows.into_iter().cycle()) {
        events.push(Event::StepEntered { step });
        events.push(Event::StepDone { step, how });
    }
    events
}

/// Servers that an autoscaler brought in the middle.
pub(crate) fn joined() -> Event {
    Event::Joined { servers: BTreeMap::from([("i-7".into(), BTreeSet::from(["arn:blue".into()]))]) }
}

fn checks() -> Vec<Event> {
    let results = [
        CheckResult::Passed("24 of 50 slots are free".to_owned()),
        CheckResult::Failed("a page fires".to_owned()),
        CheckResult::Overridden { failed: "a page fires".to_owned(), reason: "this mends it".to_owned() },
    ];
    results.map(|result| Event::Checked { check: "slots".into(), result }).into()
}

fn numbers() -> Vec<Event> {
    let vital = Vital { errors: 3, started_at_ms: 1_795_230_000_000 };
    vec![
        Event::BatchRaised { batch: 1, attempt: 2, count: 3, lost: vec!["i-9".into()] },
        Event::SlotsLeased { routes: BTreeMap::from([("i-3".into(), "s03".into())]) },
        Event::BakeBegan { start: BTreeMap::from([("i-3".into(), vital)]) },
        Event::EnoughBoards { boards: 40 },
        Event::BoardsCounted { on_blue: 318 },
        Event::FoundEmpty { instance: "i-1".into(), sampled_at: Timestamp::from_ms(1_795_233_600_001) },
        Event::FoundOccupied { instance: "i-1".into() },
        Event::PointOfNoReturn,
    ]
}

fn words() -> Vec<Event> {
    [Word::Promote, Word::Pause, Word::Resume, Word::Abort, Word::Retry]
        .into_iter()
        .zip([None, Some("lunch".to_owned())].into_iter().cycle())
        .map(|(word, reason)| Event::Said { actor: Actor::new("ada"), word, reason })
        .collect()
}

/// Every kind of event of a service's releases.
pub(crate) fn service_events() -> Vec<ServiceEvent> {
    let request = RequestKey { key: "ci-4711".to_owned(), digest: "9f86d081".to_owned() };
    let began = |kind, request| ServiceEvent::Began {
        release: release_id(),
        kind,
        version: "2026.11.21-3".into(),
        from_version: "2026.11.20-1".into(),
        request,
    };
    let mut events =
        vec![began(Kind::Canary, Some(request)), began(Kind::Full, None), began(Kind::Rollback, None)];
    let finished = decisions::verdicts().into_iter();
    events.extend(finished.map(|verdict| ServiceEvent::Finished { release: release_id(), verdict }));
    events
}
