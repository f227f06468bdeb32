//! Any event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use segue_domain::adoption::KnownBy;
use segue_domain::event::{CheckResult, Event, RequestKey, ServiceEvent, Taken, Vital, Word};
use segue_domain::step::How;

use super::decision::{cause, gate, reason, step, verdict};
use super::effect::{intent, outcome};
use super::plan::{kind, plan};
use super::{instant, map, name, names, release, text};

pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        plan().prop_map(|plan| Event::Planned(Box::new(plan))),
        step().prop_map(|step| Event::StepEntered { step }),
        (step(), how()).prop_map(|(step, how)| Event::StepDone { step, how }),
        (name(), check()).prop_map(|(check, result)| Event::Checked { check, result }),
        intent().prop_map(Event::Intended),
        (name(), any::<u32>(), outcome()).prop_map(|(id, attempt, outcome)| Event::Ended {
            id,
            attempt,
            outcome
        }),
        (any::<(u32, u32, u32)>(), names()).prop_map(|((batch, attempt, count), lost)| Event::BatchRaised {
            batch,
            attempt,
            count,
            lost
        }),
        map(names().prop_map(BTreeSet::from_iter)).prop_map(|servers| Event::Joined { servers }),
        map(name()).prop_map(|routes| Event::SlotsLeased { routes }),
        map(vital()).prop_map(|start| Event::BakeBegan { start }),
        any::<u64>().prop_map(|boards| Event::EnoughBoards { boards }),
        any::<u64>().prop_map(|on_blue| Event::BoardsCounted { on_blue }),
        (name(), instant()).prop_map(|(instance, sampled_at)| Event::FoundEmpty { instance, sampled_at }),
        name().prop_map(|instance| Event::FoundOccupied { instance }),
        cause().prop_map(|cause| Event::WayBackBegan { cause }),
        Just(Event::PointOfNoReturn),
        gate().prop_map(|gate| Event::Asked { gate }),
        reason().prop_map(|reason| Event::Held { reason }),
        verdict().prop_map(|verdict| Event::Closed { verdict }),
        (name(), word(), prop::option::of(text())).prop_map(|(actor, word, reason)| Event::Said {
            actor,
            word,
            reason
        }),
    ]
}

pub(super) fn service_event() -> impl Strategy<Value = ServiceEvent> {
    let request = (text(), text()).prop_map(|(key, digest)| RequestKey { key, digest });
    let began = (release(), kind(), name(), name(), prop::option::of(request)).prop_map(
        |(release, kind, version, from_version, request)| ServiceEvent::Began {
            release,
            kind,
            version,
            from_version,
            request,
        },
    );
    let finished =
        (release(), verdict()).prop_map(|(release, verdict)| ServiceEvent::Finished { release, verdict });
    let adopted = (any::<u64>(), map(taken()), text())
        .prop_map(|(number, servers, digest)| ServiceEvent::AdoptionBegan { number, servers, digest });
    let ended = (any::<u64>(), outcome())
        .prop_map(|(number, outcome)| ServiceEvent::AdoptionEnded { number, outcome });
    prop_oneof![began, finished, adopted, ended]
}

fn taken() -> impl Strategy<Value = Taken> {
    let known = vec![KnownBy::Image, KnownBy::Application, KnownBy::Tag, KnownBy::Asked];
    (name(), prop::sample::select(known)).prop_map(|(version, known_by)| Taken { version, known_by })
}

fn how() -> impl Strategy<Value = How> {
    prop::sample::select(vec![How::FoundDone, How::Did, How::TookOver])
}

fn word() -> impl Strategy<Value = Word> {
    prop::sample::select(vec![Word::Promote, Word::Pause, Word::Resume, Word::Abort, Word::Retry])
}

fn check() -> impl Strategy<Value = CheckResult> {
    prop_oneof![
        text().prop_map(CheckResult::Passed),
        text().prop_map(CheckResult::Failed),
        (text(), text()).prop_map(|(failed, reason)| CheckResult::Overridden { failed, reason }),
    ]
}

fn vital() -> impl Strategy<Value = Vital> {
    any::<(u64, u64)>().prop_map(|(errors, started_at_ms)| Vital { errors, started_at_ms })
}
