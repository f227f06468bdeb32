//! One release, whole.

use std::collections::BTreeSet;

use segue_api::{
    BoardsView, CheckVerdict, CheckView, Count, Direction, Explanation, ReleaseKind, ReleaseState,
    ReleaseView, StepOutcome, StepState, StepView, Verdict, WaitingView,
};
use segue_domain::decision::{self, Wait};
use segue_domain::event::CheckResult;
use segue_domain::ids::InstanceId;
use segue_domain::moves;
use segue_domain::plan::Kind;
use segue_domain::state::{self, Leg, Stance, StepRecord};
use segue_domain::step::{How, Step};
use segue_domain::time::Timestamp;
use segue_domain::world::World;

use super::{id, sum, time};
use crate::words;

/// Who asked for a release, from the envelope of its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) actor: String,
    pub(crate) reason: Option<String>,
}

/// Everything that is known of a release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) state: &'a state::ReleaseState,
    pub(crate) asked: &'a Asked,
    /// What it waits for, by its last decision.
    pub(crate) wait: Option<&'a Wait>,
    /// What was observed last; none when it is over, or was just taken up.
    pub(crate) world: Option<&'a World>,
    pub(crate) now: Timestamp,
}

/// The view, or none for a release whose name the API could not carry.
pub(crate) fn release(seen: &Seen<'_>) -> Option<ReleaseView> {
    let Seen { state, asked, .. } = *seen;
    let plan = &state.plan;
    let (direction, way_back) = match &state.leg {
        Leg::Out => (Direction::Forward, Vec::new()),
        Leg::Back { steps, .. } => {
            (Direction::Back, steps.iter().map(|step| step_view(seen, *step)).collect())
        }
    };
    let closed_at = match &state.stance {
        Stance::Closed { at, .. } => Some(time(*at)),
        Stance::Going | Stance::Paused { .. } | Stance::Asking { .. } | Stance::Held { .. } => None,
    };
    Some(ReleaseView {
        id: id(&plan.release)?,
        service: plan.service.name.to_string(),
        kind: kind(plan.kind),
        version: plan.image.version.to_string(),
        from_version: Some(plan.from_version.to_string()),
        state: stance(&state.stance),
        direction,
        verdict: state.verdict().map(verdict),
        steps: Step::way_out(plan.kind).iter().map(|step| step_view(seen, *step)).collect(),
        way_back,
        boards: boards(seen),
        checks: state.checks.iter().map(|(name, result)| check(name.as_str(), result)).collect(),
        point_of_no_return: state.no_return.map(time),
        actor: asked.actor.clone(),
        reason: asked.reason.clone(),
        created_at: time(state.began_at),
        closed_at,
        because: because(state),
        waiting: seen.wait.filter(|_| state.current().is_none()).map(waiting),
    })
}

pub(super) fn kind(kind: Kind) -> ReleaseKind {
    match kind {
        Kind::Canary => ReleaseKind::Canary,
        Kind::Full => ReleaseKind::Full,
        Kind::Rollback => ReleaseKind::Rollback,
    }
}

fn stance(stance: &Stance) -> ReleaseState {
    match stance {
        Stance::Going => ReleaseState::Running,
        Stance::Paused { .. } => ReleaseState::Paused,
        Stance::Asking { .. } => ReleaseState::Asking,
        Stance::Held { .. } => ReleaseState::Held,
        Stance::Closed { .. } => ReleaseState::Closed,
    }
}

fn verdict(verdict: &decision::Verdict) -> Verdict {
    match verdict {
        decision::Verdict::Released => Verdict::Released,
        decision::Verdict::Passed => Verdict::Passed,
        decision::Verdict::Refused { .. } => Verdict::Refused,
        decision::Verdict::RolledBack { .. } => Verdict::RolledBack,
        decision::Verdict::Aborted { .. } => Verdict::Aborted,
    }
}

/// What stands in its way comes first, then why it ended or turned.
fn because(state: &state::ReleaseState) -> Option<Explanation> {
    let release = &state.plan.release;
    match &state.stance {
        Stance::Held { reason, .. } => Some(words::reason(release, reason)),
        Stance::Asking { gate, .. } => Some(words::gate(release, gate)),
        Stance::Closed { verdict, .. } => match verdict {
            decision::Verdict::Refused { checks } => {
                Some(words::refused_checks(&state.plan.service.name, &state.plan.image.version, checks))
            }
            decision::Verdict::RolledBack { cause } | decision::Verdict::Aborted { cause } => {
                Some(words::cause(cause))
            }
            decision::Verdict::Released | decision::Verdict::Passed => None,
        },
        Stance::Going | Stance::Paused { .. } => match &state.leg {
            Leg::Back { cause, .. } => Some(words::cause(cause)),
            Leg::Out => None,
        },
    }
}

fn step_view(seen: &Seen<'_>, step: Step) -> StepView {
    let record = seen.state.steps.iter().rev().find(|record| record.step == step);
    let state = record.map_or(StepState::Pending, |record| step_state(seen.state, record));
    let ended_at = record.and_then(|record| record.done).map(|(_, at)| at);
    let until = match state {
        StepState::Running => Some(seen.now),
        StepState::Done => ended_at,
        StepState::Pending | StepState::Failed => None,
    };
    let seconds = record.zip(until).map(|(record, until)| until.since(record.entered_at).as_secs());
    StepView {
        name: step.name().to_owned(),
        state,
        outcome: record.and_then(|record| record.done).map(|(how, _)| outcome(how)),
        started_at: record.map(|record| time(record.entered_at)),
        ended_at: ended_at.map(time),
        seconds,
        waiting: (state == StepState::Running).then_some(seen.wait).flatten().map(waiting),
    }
}

/// A step that was entered and left without being done has failed, or was given up with the release.
fn step_state(state: &state::ReleaseState, record: &StepRecord) -> StepState {
    let is_current = state.current().is_some_and(|current| current.step == record.step);
    let turned = matches!(state.leg, Leg::Back { .. }) && !state.journey().contains(&record.step);
    match (record.done, &state.stance) {
        (Some(_), _) => StepState::Done,
        (None, Stance::Closed { .. }) => StepState::Failed,
        (None, _) if is_current && !turned => StepState::Running,
        (None, _) => StepState::Failed,
    }
}

fn outcome(how: How) -> StepOutcome {
    match how {
        How::FoundDone => StepOutcome::FoundDone,
        How::Did => StepOutcome::Did,
        How::TookOver => StepOutcome::TookOver,
    }
}

fn waiting(wait: &Wait) -> WaitingView {
    let phrase = words::waiting(&wait.on);
    WaitingView {
        on: phrase.sentence,
        on_kind: phrase.code.to_owned(),
        since: time(wait.since),
        until: (wait.until != Timestamp::NEVER).then(|| time(wait.until)),
        then: words::then(wait.then).to_owned(),
    }
}

fn boards(seen: &Seen<'_>) -> BoardsView {
    let state = seen.state;
    let tallies = [moves::Direction::Out, moves::Direction::Back].map(|direction| state.tally(direction));
    BoardsView {
        alive_at_close: state.boards_at_close,
        moved: tallies.iter().map(|tally| tally.boards_moved).sum(),
        failed: tallies.iter().map(|tally| tally.exceptions).sum(),
        on_blue: on(seen, &state.blue),
        on_green: on(seen, &state.green()),
    }
}

fn on(seen: &Seen<'_>, fleet: &BTreeSet<InstanceId>) -> Count {
    match seen.world {
        Some(world) => sum(fleet.iter().map(|id| world.boards.get(id)), "nobody has looked yet"),
        None if seen.state.verdict().is_some() => {
            Count::Unknown { why: "the release is over, nobody looks any more".to_owned() }
        }
        None => Count::Unknown { why: "nobody has looked yet".to_owned() },
    }
}

pub(super) fn check(name: &str, result: &CheckResult) -> CheckView {
    let (verdict, sentence) = match result {
        CheckResult::Passed(sentence) => (CheckVerdict::Passed, sentence.clone()),
        CheckResult::Failed(sentence) => (CheckVerdict::Failed, sentence.clone()),
        CheckResult::Overridden { failed, reason } => {
            (CheckVerdict::Overridden, format!("{failed}; overridden: {reason}"))
        }
    };
    CheckView { name: name.to_owned(), verdict, sentence }
}
