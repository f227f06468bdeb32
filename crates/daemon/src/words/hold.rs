//! Why a release holds, asks, turned back or was refused, each with what a person can do.

use segue_api::Explanation;
use segue_domain::decision::{Cause, Gate, Reason};
use segue_domain::ids::CheckName;

use super::codes::ChecksFailed;
use super::explained;
use super::lists::{counted, some};
use super::waiting::source;

/// Why it holds.
pub(crate) fn reason(reason: &Reason) -> Explanation {
    match reason {
        Reason::Blind { what, why } => explained(
            reason,
            format!("{} could not be read for too long: {why}", source(what)),
            "mend what it is read from, then `segue retry`",
        ),
        Reason::Undecided { missing } => explained(
            reason,
            format!("the canary could not be judged: {}", missing.join("; ")),
            "judge it yourself and `segue promote`, bake again with `segue retry`, or `segue abort`",
        ),
        Reason::NoCapacity { able, floor } => explained(
            reason,
            format!("only {} able to serve, the floor is {floor}", counted(u64::from(*able), "instance")),
            "see why the others do not serve; `segue retry` when they do, or `segue abort`",
        ),
        Reason::BoardFitsNowhere { board } => explained(
            reason,
            format!("board {board} fits on none of the new servers"),
            "raise what a server can hold, or `segue abort`",
        ),
        Reason::BoardsStay { left, last } => explained(
            reason,
            format!("{} could not be carried across; the last one said: {last}", counted(*left, "board")),
            "see the application's log for that board, then `segue retry`, or `segue abort`",
        ),
        Reason::MayHoldBoards { instance, why } => explained(
            reason,
            format!("{instance} may still hold boards: {why}"),
            "bring the instance or its metrics back, then `segue retry`; nothing is stopped before",
        ),
        Reason::CannotGoBack { step, why } => explained(
            reason,
            format!("{step} failed on the way back: {why}"),
            "mend what it names, then `segue retry`",
        ),
        Reason::CannotGoOn { step, why } => explained(
            reason,
            format!("{step} failed, and nothing is turned back for it: {why}"),
            "mend what it names, then `segue retry`",
        ),
        Reason::Bug { what } => explained(
            reason,
            format!("a promise was broken: {what}"),
            "everything stays as it is; keep the journal, report it, and `segue abort` if you must go back",
        ),
    }
}

/// What it asks.
pub(crate) fn gate(gate: &Gate) -> Explanation {
    match gate {
        Gate::NoWayBack { blue_reads, green_writes } => explained(
            gate,
            format!(
                "the new version writes format {green_writes} and the old one reads {} only: \
                 there is no way back after the first board",
                some(blue_reads)
            ),
            "`segue promote` to go on without a way back, or `segue abort`",
        ),
    }
}

/// Why it turned back.
pub(crate) fn cause(cause: &Cause) -> Explanation {
    let hint = match cause {
        Cause::AbortedBy(_) => "release again when you are ready",
        Cause::StepFailed { .. } => "mend what it names and release again",
        Cause::CanaryFailed { .. } => "see the canary's errors; build a new version",
    };
    explained(cause, cause.to_string(), hint)
}

/// Why preflight said no.
pub(crate) fn refused_checks(checks: &[CheckName]) -> Explanation {
    explained(
        &ChecksFailed,
        format!("preflight said no: {}", some(checks)),
        "mend what the checks name, or override one with a reason: --override CHECK=REASON",
    )
}

#[cfg(test)]
mod tests {
    use segue_domain::decision::Source;
    use segue_domain::ids::{Actor, BoardId, InstanceId};
    use segue_domain::reading::Why;
    use segue_domain::step::Step;

    use super::*;

    fn all() -> Vec<Explanation> {
        let text = || "x".to_owned();
        let reasons = [
            Reason::Blind { what: Source::Weights, why: Why::Missing },
            Reason::Undecided { missing: vec![text()] },
            Reason::NoCapacity { able: 1, floor: 2 },
            Reason::BoardFitsNowhere { board: BoardId::new("b") },
            Reason::BoardsStay { left: 1, last: text() },
            Reason::MayHoldBoards { instance: InstanceId::new("i-1"), why: text() },
            Reason::CannotGoBack { step: Step::Return, why: text() },
            Reason::CannotGoOn { step: Step::Retire, why: text() },
            Reason::Bug { what: text() },
        ];
        let causes = [
            Cause::AbortedBy(Actor::new("ada")),
            Cause::StepFailed { step: Step::Launch, why: text() },
            Cause::CanaryFailed { why: text() },
        ];
        let mut all: Vec<_> = reasons.iter().map(reason).collect();
        all.extend(causes.iter().map(cause));
        all.push(refused_checks(&[CheckName::new("slots")]));
        all.push(gate(&Gate::NoWayBack { blue_reads: vec![text()], green_writes: text() }));
        all
    }

    #[test]
    fn every_explanation_has_a_code_of_its_own_and_a_hint() {
        let codes: Vec<_> = all().into_iter().map(|it| it.code).collect();
        assert_eq!(
            codes,
            [
                "blind",
                "undecided",
                "no-capacity",
                "board-fits-nowhere",
                "boards-stay",
                "may-hold-boards",
                "cannot-go-back",
                "cannot-go-on",
                "bug",
                "aborted",
                "step-failed",
                "canary-failed",
                "checks-failed",
                "no-way-back-after-the-first-board",
            ]
        );
        assert!(all().iter().all(|it| it.hint.is_some()));
    }
}
