//! After the verdict: the old servers are kept stopped for a while, and then terminated.
//!
//! Guarantees: only what the plan names as old, what EC2 says is stopped, and what no target group lists is
//! terminated; the point of no return is recorded before.
//! If killed here: terminating again changes nothing.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Acts, Progress, Scope};
use crate::decision::{Decision, Then, Verdict, Wait, WaitingOn};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::InstanceId;
use crate::instance::InstanceState;
use crate::plan::Kind;
use crate::state::{ReleaseState, Stance};
use crate::step::Step;
use crate::world::World;

/// Decides about the old servers of a release that is over. `claimed` are instances that a later release of
/// the service has plans for.
pub fn decide_after(state: &ReleaseState, world: &World, claimed: &BTreeSet<InstanceId>) -> Decision {
    let Stance::Closed { verdict: Verdict::Released, at } = &state.stance else { return Decision::Over };
    if state.plan.kind == Kind::Canary {
        return Decision::Over;
    }
    let scope = Scope { state, world, step: Step::Retire };
    if scope.require_instances().is_err() {
        return later(state, "EC2's list", *at);
    }
    let kept: BTreeSet<InstanceId> = state
        .plan
        .blue
        .iter()
        .filter(|id| !claimed.contains(*id))
        .filter(|id| world.instance(id).is_some_and(|it| it.state == InstanceState::Stopped))
        .cloned()
        .collect();
    if kept.is_empty() {
        return Decision::Over;
    }
    let due = at.after(state.plan.service.full.keep_old);
    if world.at < due {
        return later(state, "the end of keep_old", due);
    }
    let groups = registry::all_groups(&scope);
    if registry::require_groups(&scope, &groups).is_err() {
        return later(state, "the target groups", due);
    }
    let free = |id: &InstanceId| groups.iter().all(|group| registry::health(&scope, group, id).is_none());
    let instances: Vec<InstanceId> = kept.into_iter().filter(free).collect();
    if instances.is_empty() {
        return Decision::Over;
    }
    if state.no_return.is_none() {
        return Decision::Record(vec![Event::PointOfNoReturn]);
    }
    let mut acts = Acts::new(&scope);
    acts.want("kept", Effect::Terminate { instances });
    match acts.or_wait(WaitingOn::Settling { what: "the old servers' end", missing: Vec::new() }) {
        Progress::Do(intents) => Decision::Do(intents),
        Progress::Done
        | Progress::Record(_)
        | Progress::Wait(..)
        | Progress::WaitUntil(..)
        | Progress::Failed(_)
        | Progress::Turn(_)
        | Progress::Park(_)
        | Progress::Ask(_)
        | Progress::Refuse(_) => later(state, "the old servers' end", due),
    }
}

fn later(state: &ReleaseState, what: &'static str, until: crate::time::Timestamp) -> Decision {
    Decision::Wait(Wait {
        on: WaitingOn::Settling { what, missing: Vec::new() },
        since: state.progress_at,
        until,
        then: Then::GoOn,
    })
}
