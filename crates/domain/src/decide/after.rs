//! After the verdict: the old servers are kept stopped for a while, and then terminated.
//!
//! Guarantees: only what the plan names as old, what EC2 says is stopped, and what no target group lists is
//! terminated; the point of no return is recorded before. Assumptions: a group lists nobody whose load balancer was
//! taken out of the configuration, once AWS refuses to show it: whoever is stopped was out of every group before. If
//! killed here: terminating again changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::registry;
use super::scope::{Scope, Try, calls, next_try};
use crate::decision::{Decision, Then, Verdict, Wait, WaitingOn};
use crate::effect::{Effect, Intent, Outcome};
use crate::event::Event;
use crate::ids::{EffectId, GroupArn, InstanceId};
use crate::instance::InstanceState;
use crate::plan::Kind;
use crate::reading::Why;
use crate::service::Routing;
use crate::state::{EffectRecord, ReleaseState, Stance};
use crate::step::Step;
use crate::time::Timestamp;
use crate::world::World;

/// So many tries follow each other soon, where nobody hears how one ended.
const TRIED_SOON: u32 = 5;

/// Old servers that EC2 does not list are looked for so long after they have been kept.
const LOOKED_FOR: Duration = Duration::from_hours(24);

/// Decides about the old servers of a release that is over. `claimed` are instances that a later release of the
/// service has plans for, and `configured` is how clients reach it today: a load balancer of the plan's may be gone.
pub fn decide_after(
    state: &ReleaseState,
    world: &World,
    claimed: &BTreeSet<InstanceId>,
    configured: &Routing,
) -> Decision {
    let Stance::Closed { verdict: Verdict::Released, at } = &state.stance else { return Decision::Over };
    if state.plan.kind == Kind::Canary {
        return Decision::Over;
    }
    let scope = Scope { state, world, step: Step::Retire };
    if scope.require_instances().is_err() {
        return later(state, "EC2's list", *at);
    }
    let due = world.by_own_clock(*at).after(state.plan.service.full.keep_old);
    let is_here = |id: &&InstanceId| !scope.is_gone(id);
    let kept = || state.blue.difference(claimed);
    let here: Vec<InstanceId> = kept().filter(is_here).cloned().collect();
    if here.is_empty() {
        // Who is not listed, and was not terminated by this release, may only be without its tags.
        let is_away = |id: &InstanceId| world.instance(id).is_none() && !state.terminated.contains(id);
        let until = due.after(LOOKED_FOR);
        return match world.at < until && kept().any(is_away) {
            true => later(state, "old servers that EC2 does not list", until),
            false => Decision::Over,
        };
    }
    if world.at < due {
        return later(state, "the end of keep_old", due);
    }
    let groups = registry::all_groups(&scope);
    let is_gone = |group: &GroupArn| {
        configured.of_group(group).is_none() && matches!(world.targets(group), Err(Why::Refused(_)))
    };
    if registry::require_groups(&scope, groups.iter().filter(|group| !is_gone(group))).is_err() {
        return later(state, "the target groups", due);
    }
    let free = |id: &InstanceId| groups.iter().all(|group| registry::health(&scope, group, id).is_none());
    let stopped = |id: &&InstanceId| world.instance(id).is_some_and(|it| it.state == InstanceState::Stopped);
    let instances: Vec<InstanceId> = here.iter().filter(stopped).filter(|id| free(id)).cloned().collect();
    // One that somebody started, or registered, is not forgotten for that.
    if instances.is_empty() {
        return Decision::Wait(Wait {
            on: WaitingOn::Settling { what: "old servers that run, or are in a target group", missing: here },
            since: due,
            until: Timestamp::NEVER,
            then: Then::Stay,
        });
    }
    if state.no_return.is_none() {
        return Decision::Record(vec![Event::PointOfNoReturn]);
    }
    let ends = ends(&scope, &instances);
    if ends.is_empty() { later(state, "the old servers' end", due) } else { Decision::Do(ends) }
}

/// Who is ended by which call is fixed by the plan.
fn ends(scope: &Scope<'_>, ending: &[InstanceId]) -> Vec<Intent> {
    let (state, world) = (scope.state, scope.world);
    let calls = calls("kept", &state.blue, ending).into_iter().filter_map(|(subject, instances)| {
        let effect = Effect::Terminate { instances };
        let id = scope.id(&subject, &effect);
        match next_try(state, &id, world).with_rests(state, &id, world) {
            Try::Now(attempt) => Some(Intent { id, attempt, effect }),
            Try::Later | Try::Refused(_) => None,
        }
    });
    calls.collect()
}

impl Try {
    /// Nobody can say `retry` to a release that is over: what was refused is tried again after a while. So is what
    /// ended in the unknown a few times already: each try is two records, and a stream has an end.
    fn with_rests(self, state: &ReleaseState, id: &EffectId, world: &World) -> Self {
        let Some(EffectRecord { attempt, ended: Some((outcome, at)), .. }) = state.effects.get(id) else {
            return self;
        };
        let is_due = world.since(*at) >= state.plan.service.patience.step;
        match (self, outcome) {
            (Self::Refused(_), _) if is_due => Self::Now(attempt + 1),
            (Self::Now(_), Outcome::Unknown(_)) if *attempt >= TRIED_SOON && !is_due => Self::Later,
            (other, _) => other,
        }
    }
}

fn later(state: &ReleaseState, what: &'static str, until: Timestamp) -> Decision {
    Decision::Wait(Wait {
        on: WaitingOn::Settling { what, missing: Vec::new() },
        since: state.progress_at,
        until,
        then: Then::GoOn,
    })
}
