//! Why a release asks, holds, turns back and ends.

use segue_domain::{decision, reading};

use super::mirror::mirror_enum;
use super::plan::Step;
use super::scalars::SpanMs;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 6] = [
    (Gate::KEY, Gate::WORDS),
    (Reason::KEY, Reason::WORDS),
    (Source::KEY, Source::WORDS),
    (Why::KEY, Why::WORDS),
    (Cause::KEY, Cause::WORDS),
    (Verdict::KEY, Verdict::WORDS),
];

mirror_enum! {
    Gate ("gate") mirrors decision::Gate {
        "no_way_back" NoWayBack { blue_reads: Vec<String>, green_writes: String }
            = (decision::Gate::NoWayBack { blue_reads, green_writes }),
    }
}

mirror_enum! {
    Reason ("hold") mirrors decision::Reason {
        "blind" Blind { what: Source, why: Why } = (decision::Reason::Blind { what, why }),
        "undecided" Undecided { missing: Vec<String> } = (decision::Reason::Undecided { missing }),
        "no_capacity" NoCapacity {
            able: u32,
            floor: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            at: Option<String>,
        } = (decision::Reason::NoCapacity { able, floor, at }),
        "board_fits_nowhere" BoardFitsNowhere { board: String }
            = (decision::Reason::BoardFitsNowhere { board }),
        "boards_stay" BoardsStay { left: u64, last: String } = (decision::Reason::BoardsStay { left, last }),
        "may_hold_boards" MayHoldBoards { instance: String, why: String }
            = (decision::Reason::MayHoldBoards { instance, why }),
        "cannot_go_back" CannotGoBack { step: Step, why: String }
            = (decision::Reason::CannotGoBack { step, why }),
        "cannot_go_on" CannotGoOn { step: Step, why: String } = (decision::Reason::CannotGoOn { step, why }),
        "bug" Bug { what: String } = (decision::Reason::Bug { what }),
    }
}

mirror_enum! {
    Source ("source") mirrors decision::Source {
        "instances" Instances {} = (decision::Source::Instances),
        "targets" Targets { group: String } = (decision::Source::Targets(group)),
        "weights" Weights {} = (decision::Source::Weights),
        "slots" Slots {} = (decision::Source::Slots),
        "subnets" Subnets {} = (decision::Source::Subnets),
        "boards" Boards { instance: String } = (decision::Source::Boards(instance)),
        "app" App { instance: String } = (decision::Source::App(instance)),
        "board_list" BoardList { instance: String } = (decision::Source::BoardList(instance)),
        "vitals" Vitals { instance: String } = (decision::Source::Vitals(instance)),
        "ownership" Ownership { instance: String } = (decision::Source::Ownership(instance)),
    }
}

mirror_enum! {
    Why ("unknown") mirrors reading::Why {
        "not_asked" NotAsked {} = (reading::Why::NotAsked),
        "unreachable" Unreachable { said: String } = (reading::Why::Unreachable(said)),
        "missing" Missing {} = (reading::Why::Missing),
        "stale" Stale {
            #[serde(rename = "age_ms")]
            age: SpanMs,
            #[serde(rename = "limit_ms")]
            limit: SpanMs,
        } = (reading::Why::Stale { age, limit }),
        "unusable" Unusable { said: String } = (reading::Why::Unusable(said)),
        "refused" Refused { said: String } = (reading::Why::Refused(said)),
    }
}

mirror_enum! {
    Cause ("cause") mirrors decision::Cause {
        "aborted_by" AbortedBy { actor: String } = (decision::Cause::AbortedBy(actor)),
        "step_failed" StepFailed { step: Step, why: String } = (decision::Cause::StepFailed { step, why }),
        "canary_failed" CanaryFailed { why: String } = (decision::Cause::CanaryFailed { why }),
    }
}

mirror_enum! {
    Verdict ("verdict") mirrors decision::Verdict {
        "released" Released {} = (decision::Verdict::Released),
        "passed" Passed {} = (decision::Verdict::Passed),
        "refused" Refused { checks: Vec<String> } = (decision::Verdict::Refused { checks }),
        "rolled_back" RolledBack { because: Cause } = (decision::Verdict::RolledBack { cause: because }),
        "aborted" Aborted { because: Cause } = (decision::Verdict::Aborted { cause: because }),
    }
}
