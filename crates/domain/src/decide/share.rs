//! Who gets new clients: the shares of each load balancer's weighted forward.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Acts, Progress, Scope, Taken, begun};
use crate::decision::{Source, WaitingOn};
use crate::effect::Effect;
use crate::ids::{GroupArn, InstanceId};
use crate::plan::{Front, Kind};
use crate::state::Leg;
use crate::target::{TargetHealth, Weights};

/// Which of the plan's shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shares {
    /// As they were.
    Before,
    /// Old and new ones serve.
    Shared,
    /// Only new ones get new clients.
    After,
}

impl Shares {
    fn of(self, front: &Front) -> &Weights {
        match self {
            Self::Before => &front.weights_before,
            Self::Shared => &front.weights_shared,
            Self::After => &front.weights_after,
        }
    }
}

/// The groups to which these shares lead new clients of a load balancer.
pub(super) fn groups_led_to(front: &Front, shares: Shares) -> BTreeSet<GroupArn> {
    with_a_share(shares.of(front)).cloned().collect()
}

/// The groups that have a share.
pub(super) fn with_a_share(weights: &Weights) -> impl Iterator<Item = &GroupArn> {
    weights.iter().filter(|(_, share)| **share > 0).map(|(group, _)| group)
}

/// Gives each forward these shares, if it does not have them. It is done when all of them show theirs.
pub(super) fn give(scope: &Scope<'_>, shares: Shares) -> Taken {
    give_at(scope, &scope.plan().fronts.iter().collect::<Vec<_>>(), shares)
}

/// The same at some of the load balancers.
pub(super) fn give_at(scope: &Scope<'_>, fronts: &[&Front], shares: Shares) -> Taken {
    let mut acts = Acts::new(scope);
    let mut unread = None;
    for front in fronts {
        // The others are not kept waiting for one that cannot be read, or is refused.
        if let Err(why) = want(&mut acts, scope, front, shares) {
            unread.get_or_insert(why);
        }
    }
    match unread {
        Some(unread) if acts.is_idle() => Err(unread),
        Some(_) | None => {
            let goal = WaitingOn::Settling { what: "the new shares", missing: Vec::new() };
            Ok(if acts.is_idle() { Progress::Done } else { acts.or_go_on(goal) })
        }
    }
}

/// Asks for them where a forward has others, for somebody died, and goes on: whoever watches is not kept from it by what
/// is refused, or cannot be read.
pub(super) fn ask_again(scope: &Scope<'_>, shares: Shares) -> Result<(), Progress> {
    let mut acts = Acts::new(scope);
    for front in &scope.plan().fronts {
        // What one does not tell is looked at the next time.
        drop(want(&mut acts, scope, front, shares));
    }
    begun(acts.into_begun())
}

/// Wants a forward to have these shares, if it does not.
pub(super) fn want(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    front: &Front,
    shares: Shares,
) -> Result<(), Progress> {
    // The way back gives both, one in the place of the other: each has its own name.
    let subject = match (&scope.state.leg, shares) {
        (Leg::Back { .. }, Shares::After) => "new-shares",
        (Leg::Back { .. } | Leg::Out, Shares::Before | Shares::Shared) | (Leg::Out, Shares::After) => {
            "shares"
        }
    };
    let current = scope.world.weights(&front.forward).map_err(|why| Scope::blind(Source::Weights, why))?;
    let wanted = to_the_living(scope, front, shares, current);
    if wanted.iter().any(|(group, share)| current.get(group) != Some(share)) {
        let forward = front.forward.clone();
        let is_only = scope.plan().fronts.len() == 1;
        let name = if is_only { subject.to_owned() } else { format!("{subject}/{forward}") };
        acts.want(&name, Effect::SetWeights { forward, weights: wanted });
    }
    Ok(())
}

/// The plan's shares, but none for a group where nobody is left: a load balancer leads its part of the users there all
/// the same. A colour keeps its own where the shares are to be as before, for the way back asks who has the users
/// (`meanwhile`), in a canary's release, and where no other one has any: canaries are there for few. A group that cannot
/// be read gets none that has none.
/// Source: ALB user guide, "Forward actions": there is no failover from a weighted group without healthy targets.
fn to_the_living(scope: &Scope<'_>, front: &Front, shares: Shares, current: &Weights) -> Weights {
    let planned = shares.of(front);
    let colours: BTreeSet<&GroupArn> = registry::colours_at(scope, &front.forward).collect();
    let keeps_colours = shares == Shares::Before || scope.plan().kind == Kind::Canary;
    let loses_its_share = |group: &GroupArn| {
        if keeps_colours && colours.contains(group) {
            return false;
        }
        match scope.world.targets(group) {
            Ok(_) => !registry::has_any(scope, group, |id| may_be_reached(scope, group, id)),
            Err(_) => current.get(group) == Some(&0),
        }
    };
    let share_of = |group: &GroupArn, planned: &u16| if loses_its_share(group) { 0 } else { *planned };
    let living: Weights = planned.iter().map(|(group, of)| (group.clone(), share_of(group, of))).collect();
    let leads_to_a_colour = with_a_share(&living).any(|group| colours.contains(group));
    if leads_to_a_colour { living } else { planned.clone() }
}

/// It is registered there, and is not known to be down. That it is ill is no reason: where all are, a load balancer leads
/// users to them all the same, and one missed check takes nobody's share away.
/// Source: ELB, "Target group health", fail open.
pub(super) fn may_be_reached(scope: &Scope<'_>, group: &GroupArn, id: &InstanceId) -> bool {
    match registry::health(scope, group, id) {
        None | Some(TargetHealth::Unused | TargetHealth::Draining) => false,
        Some(
            TargetHealth::Healthy
            | TargetHealth::Initial
            | TargetHealth::Unhealthy
            | TargetHealth::Unavailable,
        ) => scope.may_run(id),
    }
}
