//! What to do next: a pure function of what was planned, what has happened and what the world looks like now.
//!
//! Each step is a function in a file of its own. It looks at the world first: what is already true is not
//! done again, what is not true yet is asked for under an id that is the same every time. So the way after
//! a crash is the normal way.

mod admit;
mod after;
mod announce;
mod capacity;
mod carry;
mod close;
mod configure;
mod discard;
mod empty;
mod join;
mod late;
mod launch;
mod lost;
mod meanwhile;
mod needs;
mod observe;
mod preflight;
mod registry;
mod reopen;
mod replace;
mod resolve;
mod retire;
mod room;
mod scope;
mod share;
mod shut;
mod stand_in;
mod too_old;
mod waves;

use crate::decision::{Cause, Decision, Reason, Then, Verdict, Wait, WaitingOn};
use crate::effect::{Effect, Outcome};
use crate::event::Event;
use crate::ids::EffectId;
use crate::plan::Kind;
use crate::state::{Leg, ReleaseState, Stance};
use crate::step::{How, Step};
use crate::time::Timestamp;
use crate::world::World;

pub use after::decide_after;
pub use needs::{needs, needs_after};
pub use preflight::{check_names, checks as preflight};
pub use too_old::{Slow, too_old};

use scope::{Progress, Scope};

/// Decides the next thing. Total: every state and every world has an answer.
pub fn decide(state: &ReleaseState, world: &World) -> Decision {
    match &state.stance {
        Stance::Closed { .. } => Decision::Over,
        Stance::Paused { since } => Decision::Wait(Wait {
            on: WaitingOn::Resume,
            since: *since,
            until: Timestamp::NEVER,
            then: Then::Stay,
        }),
        Stance::Asking { gate, .. } => Decision::Ask(gate.clone()),
        Stance::Held { reason, .. } => Decision::Park(reason.clone()),
        Stance::Going => match state.current() {
            Some(record) => {
                let scope = Scope { state, world, step: record.step };
                conclude(&scope, take(&scope))
            }
            None => between_steps(state, world),
        },
    }
}

/// Whether what comes next follows from the journal alone, whatever the world looks like: the next step is entered,
/// it is told, or the release ends. Nothing has to be seen for that, and a look at thousands of servers takes seconds.
pub fn needs_no_look(state: &ReleaseState, unseen: &World) -> bool {
    if state.stance != Stance::Going {
        return false;
    }
    if let Some(record) = state.current() {
        // A canary clears up behind itself there.
        return record.step == Step::Announce && state.plan.kind != Kind::Canary;
    }
    in_its_way(state).is_none()
        && (state.next_step().is_some() || late::require_all_landed(state, unseen).is_ok())
}

fn between_steps(state: &ReleaseState, world: &World) -> Decision {
    if let Some(id) = in_its_way(state) {
        let last = || state.steps.last().map(|record| record.step);
        let step = state.next_step().or_else(last).unwrap_or(Step::Resolve);
        return conclude(&Scope { state, world, step }, Scope::not_ended(id));
    }
    if let Some(step) = state.next_step() {
        return Decision::Record(vec![Event::StepEntered { step }]);
    }
    // The next release may do the opposite at once.
    if let Err(Progress::WaitUntil(on, until, then)) = late::require_all_landed(state, world) {
        return Decision::Wait(Wait { on, since: state.progress_at, until, then });
    }
    match &state.leg {
        Leg::Out => Decision::Close(match state.plan.kind {
            Kind::Canary => Verdict::Passed,
            Kind::Full | Kind::Rollback => Verdict::Released,
        }),
        Leg::Back { cause, .. } => Decision::Close(match cause {
            Cause::AbortedBy(_) => Verdict::Aborted { cause: cause.clone() },
            Cause::StepFailed { .. } | Cause::CanaryFailed { .. } => {
                Verdict::RolledBack { cause: cause.clone() }
            }
        }),
    }
}

/// What keeps the way back from its next step: whatever is on its way, for a wave that still carries boards out would
/// work against it. That may take minutes, and users do not wait for it: `reopen` begins beside all that cannot undo what
/// it does, and ends when the rest has.
fn in_its_way(state: &ReleaseState) -> Option<&EffectId> {
    if state.leg == Leg::Out {
        return None;
    }
    let is_reopening = state.next_step() == Some(Step::Reopen);
    let matters = |effect: &Effect| !is_reopening || late::undoes_its_opposite(effect);
    let mut in_its_way = state.in_flight().filter(|(_, record)| matters(&record.effect));
    in_its_way.next().map(|(id, _)| id)
}

/// What the step says. It ends early with the first thing that keeps it from its goal; that says as much.
fn take(scope: &Scope<'_>) -> Progress {
    let taken = match scope.step {
        Step::Resolve => resolve::take(scope),
        Step::Preflight => preflight::take(scope),
        Step::Launch => launch::take(scope),
        Step::Configure => configure::take(scope),
        Step::Warm => configure::warm(scope),
        Step::Admit => admit::take(scope),
        Step::Observe => observe::take(scope),
        Step::Close => close::take(scope),
        Step::Handover => carry::out(scope),
        Step::Retire => retire::take(scope),
        Step::Announce => announce::take(scope),
        Step::Reopen => reopen::take(scope),
        Step::Shut => shut::take(scope),
        Step::Return => carry::back(scope),
        Step::Discard => discard::take(scope),
    };
    taken.unwrap_or_else(|progress| progress)
}

/// From what a step says to what is decided: deadlines, failures and the way back are the same for all.
fn conclude(scope: &Scope<'_>, progress: Progress) -> Decision {
    match progress {
        Progress::Done => Decision::Record(vec![Event::StepDone { step: scope.step, how: how(scope) }]),
        Progress::Record(events) => Decision::Record(events),
        Progress::Do(intents) => Decision::Do(intents),
        Progress::Wait(on, then) => wait(scope, on, scope.patience_ends(), then),
        Progress::WaitUntil(on, until, then) => wait(scope, on, until, then),
        Progress::Failed(why) => fail(scope, why),
        Progress::Turn(cause) => turn(scope, cause),
        Progress::Park(reason) => Decision::Park(reason),
        Progress::Ask(gate) => Decision::Ask(gate),
        Progress::Refuse(checks) => Decision::Close(Verdict::Refused { checks }),
    }
}

fn wait(scope: &Scope<'_>, on: WaitingOn, until: Timestamp, then: Then) -> Decision {
    let expired = scope.world.at >= until;
    match (expired, then) {
        (false, _) | (true, Then::GoOn | Then::Stay) => {
            Decision::Wait(Wait { on, since: scope.state.progress_at, until, then })
        }
        (true, Then::WayBack) => fail(scope, on.overdue()),
        (true, Then::Hold) => Decision::Park(hold(scope, on)),
        (true, Then::Refuse) => Decision::Close(Verdict::Refused { checks: Vec::new() }),
    }
}

/// What a person is told when a wait that holds came to its end.
fn hold(scope: &Scope<'_>, on: WaitingOn) -> Reason {
    let step = scope.step;
    match on {
        WaitingOn::Reading { what, why } => Reason::Blind { what, why },
        WaitingOn::Capacity { able, floor, at } => Reason::NoCapacity { able, floor, at },
        WaitingOn::Boards { left } => Reason::BoardsStay { left, last: "no board moved any more".to_owned() },
        WaitingOn::Zeros { instances } => match instances.into_iter().next() {
            Some(instance) => Reason::MayHoldBoards { instance, why: "no repeated fresh zeros".to_owned() },
            None => Reason::Bug { what: "waited for the zeros of nobody".to_owned() },
        },
        WaitingOn::Effect { .. }
        | WaitingOn::Settling { .. }
        | WaitingOn::Instances { .. }
        | WaitingOn::Health { .. }
        | WaitingOn::Bake { .. }
        | WaitingOn::Check { .. }
        | WaitingOn::Resume => match scope.state.leg {
            Leg::Out => Reason::CannotGoOn { step, why: on.overdue() },
            Leg::Back { .. } => Reason::CannotGoBack { step, why: on.overdue() },
        },
    }
}

/// A step that cannot be done: back, as long as there is a way back; then only a person can help.
fn fail(scope: &Scope<'_>, why: String) -> Decision {
    turn(scope, Cause::StepFailed { step: scope.step, why })
}

fn turn(scope: &Scope<'_>, cause: Cause) -> Decision {
    let why = cause.to_string();
    match (&scope.state.leg, scope.state.no_return) {
        (Leg::Out, None) => Decision::Record(vec![Event::WayBackBegan { cause }]),
        (Leg::Out, Some(_)) => Decision::Park(Reason::CannotGoOn { step: scope.step, why }),
        (Leg::Back { .. }, _) => Decision::Park(Reason::CannotGoBack { step: scope.step, why }),
    }
}

/// How the step came to be done, from what was tried in it.
fn how(scope: &Scope<'_>) -> How {
    let prefix = scope.id_prefix();
    let mut tried = false;
    for (_, record) in scope.state.effects.iter().filter(|(id, _)| id.as_str().starts_with(&prefix)) {
        tried = true;
        // The world shows what a try wanted whose end nobody saw.
        if matches!(record.ended, Some((Outcome::Unknown(_), _))) {
            return How::TookOver;
        }
    }
    if tried { How::Did } else { How::FoundDone }
}
