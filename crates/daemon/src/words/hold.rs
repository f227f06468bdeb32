//! Why a release holds, asks, turned back or was refused, each with what a person can do.

use segue_api::Explanation;
use segue_domain::decision::{Cause, Gate, Reason};
use segue_domain::ids::{CheckName, ReleaseId, ServiceName, Version};
use segue_domain::step::Step;

use super::codes::ChecksFailed;
use super::explained;
use super::lists::{at_balancer, counted, some};
use super::waiting::source;

/// Why it holds.
pub(crate) fn reason(release: &ReleaseId, reason: &Reason) -> Explanation {
    let say = |verb: &str| format!("`segue {verb} {release}`");
    let (retry, abort) = (say("retry"), say("abort"));
    match reason {
        Reason::Blind { what, why } => explained(
            reason,
            format!("{} could not be read for too long: {why}", source(what)),
            format!("mend what it is read from, then {retry}"),
        ),
        Reason::Undecided { missing } => explained(
            reason,
            format!("the canary could not be judged: {}", missing.join("; ")),
            format!(
                "judge it yourself and {}; bake again with {retry}; or {abort}. `min_boards` under [service.canary] says how \
                 many boards a canary must hold; a change counts for canaries that begin later",
                say("promote")
            ),
        ),
        Reason::NoCapacity { able, floor, at } => explained(
            reason,
            format!(
                "only {} able to serve{}, the floor is {floor}",
                counted(u64::from(*able), "instance"),
                at_balancer(at.as_ref())
            ),
            format!(
                "see why the others do not serve, and {retry} when they do. On the way out {abort} goes back; on the way \
                 back {} takes those that serve for enough",
                say("promote")
            ),
        ),
        Reason::BoardFitsNowhere { board } => explained(
            reason,
            format!("board {board} fits on none of the new servers"),
            format!("raise what a server can hold, then {retry}; on the way out {abort} goes back"),
        ),
        Reason::BoardsStay { left, last } => explained(
            reason,
            format!("{} could not be carried across; the last one said: {last}", counted(*left, "board")),
            format!(
                "see the application's log for that board, then {retry}; on the way out {abort} goes back"
            ),
        ),
        Reason::MayHoldBoards { instance, why } => explained(
            reason,
            format!("{instance} may still hold boards: {why}"),
            format!("bring the instance or its metrics back, then {retry}; nothing is stopped before"),
        ),
        Reason::CannotGoBack { step, why } => explained(
            reason,
            format!("{step} failed on the way back: {why}"),
            format!("mend what it names, then {retry}"),
        ),
        Reason::CannotGoOn { step, why } => explained(
            reason,
            format!("{step} failed, and nothing is turned back for it: {why}"),
            format!("mend what it names, then {retry}"),
        ),
        Reason::Bug { what } => explained(
            reason,
            format!("a promise was broken: {what}"),
            format!(
                "everything stays as it is; keep the journal and report it. {retry} decides again; on the way out {abort} \
                 goes back"
            ),
        ),
    }
}

/// What it asks.
pub(crate) fn gate(release: &ReleaseId, gate: &Gate) -> Explanation {
    match gate {
        Gate::NoWayBack { blue_reads, green_writes } => explained(
            gate,
            format!(
                "the new version writes format {green_writes} and the old one reads {} only: \
                 there is no way back after the first board",
                some(blue_reads)
            ),
            format!("`segue promote {release}` to go on without a way back, or `segue abort {release}`"),
        ),
    }
}

/// Why it turned back.
pub(crate) fn cause(cause: &Cause) -> Explanation {
    let hint = match cause {
        Cause::AbortedBy(_) => "release again when you are ready",
        Cause::StepFailed { step: Step::Launch, .. } => {
            "mend what it names and release again; of instances that ended, EC2's console and their own logs say why"
        }
        Cause::StepFailed { .. } => "mend what it names and release again",
        Cause::CanaryFailed { .. } => "see the canary's errors; build a new version",
    };
    explained(cause, cause.to_string(), hint)
}

/// Why preflight said no.
pub(crate) fn refused_checks(service: &ServiceName, version: &Version, checks: &[CheckName]) -> Explanation {
    let hint = match checks.iter().any(|check| check.as_str() == "canary") {
        true => format!(
            "let a canary pass first: `segue canary {service} --version {version}`; mend what other checks name, or \
             override one with a reason: --override CHECK=REASON"
        ),
        false => {
            "mend what the checks name, or override one with a reason: --override CHECK=REASON".to_owned()
        }
    };
    explained(&ChecksFailed, format!("preflight said no: {}", some(checks)), hint)
}

#[cfg(test)]
mod tests {
    use segue_domain::decision::Source;
    use segue_domain::ids::{Actor, BoardId, InstanceId};
    use segue_domain::reading::Why;

    use super::*;

    fn all() -> Vec<Explanation> {
        let text = || "x".to_owned();
        let service = ServiceName::new("boards");
        let release = ReleaseId { service: service.clone(), number: 7 };
        let reasons = [
            Reason::Blind { what: Source::Weights, why: Why::Missing },
            Reason::Undecided { missing: vec![text()] },
            Reason::NoCapacity { able: 1, floor: 2, at: None },
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
        let mut all: Vec<_> = reasons.iter().map(|it| reason(&release, it)).collect();
        all.extend(causes.iter().map(cause));
        all.push(refused_checks(&service, &Version::new("2"), &[CheckName::new("slots")]));
        all.push(gate(&release, &Gate::NoWayBack { blue_reads: vec![text()], green_writes: text() }));
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

    #[test]
    fn a_hint_is_a_command_that_can_be_pasted() {
        let held =
            reason(&ReleaseId::parse("boards-7").expect("a name"), &Reason::Undecided { missing: vec![] });
        let hint = held.hint.expect("a hint");
        for command in ["`segue promote boards-7`", "`segue retry boards-7`", "`segue abort boards-7`"] {
            assert!(hint.contains(command), "{command} is not in {hint}");
        }
        let (service, version) = (ServiceName::new("boards"), Version::new("2"));
        let refused = refused_checks(&service, &version, &[CheckName::new("canary")]);
        assert!(refused.hint.expect("a hint").contains("`segue canary boards --version 2`"));
    }
}
