//! Any question, hold, turn and end.

use proptest::prelude::*;
use segue_domain::decision::{Cause, Gate, Reason, Source, Verdict};
use segue_domain::reading::Why;
use segue_domain::step::Step;

use super::{list, name, names, span, text};

pub(super) fn gate() -> impl Strategy<Value = Gate> {
    (list(text()), text()).prop_map(|(blue_reads, green_writes)| Gate::NoWayBack { blue_reads, green_writes })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(Step::ALL.to_vec())
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Instances),
        name().prop_map(Source::Targets),
        Just(Source::Weights),
        Just(Source::Slots),
        Just(Source::Subnets),
        name().prop_map(Source::Boards),
        name().prop_map(Source::App),
        name().prop_map(Source::BoardList),
        name().prop_map(Source::Vitals),
        name().prop_map(Source::Ownership),
    ]
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![
        Just(Why::NotAsked),
        text().prop_map(Why::Unreachable),
        Just(Why::Missing),
        (span(), span()).prop_map(|(age, limit)| Why::Stale { age, limit }),
        text().prop_map(Why::Unusable),
        text().prop_map(Why::Refused),
    ]
}

pub(super) fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        (source(), why()).prop_map(|(what, why)| Reason::Blind { what, why }),
        list(text()).prop_map(|missing| Reason::Undecided { missing }),
        (any::<(u32, u32)>(), prop::option::of(name())).prop_map(|((able, floor), at)| Reason::NoCapacity {
            able,
            floor,
            at
        }),
        name().prop_map(|board| Reason::BoardFitsNowhere { board }),
        (any::<u64>(), text()).prop_map(|(left, last)| Reason::BoardsStay { left, last }),
        (name(), text()).prop_map(|(instance, why)| Reason::MayHoldBoards { instance, why }),
        (step(), text()).prop_map(|(step, why)| Reason::CannotGoBack { step, why }),
        (step(), text()).prop_map(|(step, why)| Reason::CannotGoOn { step, why }),
        text().prop_map(|what| Reason::Bug { what }),
    ]
}

pub(super) fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        name().prop_map(Cause::AbortedBy),
        (step(), text()).prop_map(|(step, why)| Cause::StepFailed { step, why }),
        text().prop_map(|why| Cause::CanaryFailed { why }),
    ]
}

pub(super) fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Released),
        Just(Verdict::Passed),
        names().prop_map(|checks| Verdict::Refused { checks }),
        cause().prop_map(|cause| Verdict::RolledBack { cause }),
        cause().prop_map(|cause| Verdict::Aborted { cause }),
    ]
}
