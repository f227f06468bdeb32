//! The last look: what must be true when everything has ended and the world was given time to come to rest.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::app::AppState;
use segue_domain::decision::{Reason, Verdict};
use segue_domain::effect::{self, Effect, LaunchBatch};
use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::instance::{Instance, InstanceState, Origin};
use segue_domain::plan::Kind;
use segue_domain::service::Balancer;
use segue_domain::state::{Leg, ReleaseState, Stance};
use segue_domain::step::Step;
use segue_domain::time::Timestamp;
use segue_engine::fakes::Law;

use crate::ground::Ground;
use crate::run::Outcome;

/// Looks at the world and the journal.
pub(crate) async fn look(ground: &Ground, ended: bool) -> Outcome {
    let releases = ground.journal.read().await;
    let mut violations = ground.journal.court().violations();
    violations.extend(ground.world.violations());
    violations.extend(releases.values().filter_map(|state| l1_every_release_ends(ground, state)));
    if !ended {
        violations.push(format!("{}: the run did not end", Law::EveryReleaseEnds));
    }
    let instances = ground.world.instances();
    violations.extend(instances.values().filter_map(|it| l2_no_orphans(ground, it, &releases)));
    if ended {
        violations.extend(l2_kept_are_gone(ground, &releases));
    }
    violations.extend(l3_back_is_as_before(ground, &releases));
    let mut ends = BTreeMap::new();
    for state in releases.values() {
        *ends.entry(end_of(state)).or_insert(0) += 1;
    }
    Outcome { violations, ends, virtual_ms: ground.world.elapsed_ms(), ..Outcome::default() }
}

fn end_of(state: &ReleaseState) -> String {
    match &state.stance {
        Stance::Closed { verdict, .. } => verdict.name().to_owned(),
        Stance::Held { .. } => "held".to_owned(),
        Stance::Going | Stance::Paused { .. } | Stance::Asking { .. } => "unfinished".to_owned(),
    }
}

/// L1: after the world has healed a release ends. It may hold for good only where nobody is left to whom it could lead
/// the users: then it says what it waits for.
fn l1_every_release_ends(ground: &Ground, state: &ReleaseState) -> Option<String> {
    let what = match &state.stance {
        Stance::Closed { .. } => return None,
        Stance::Held { reason, .. } if nobody_can_help(ground, state, reason) => return None,
        Stance::Held { reason, .. } => format!("it holds: {reason:?}"),
        stance @ (Stance::Going | Stance::Paused { .. } | Stance::Asking { .. }) => format!("{stance:?}"),
    };
    let step = state.current().map_or("none", |record| record.step.name());
    Some(format!("{}: {} did not end: {what} in step {step}", Law::EveryReleaseEnds, state.plan.release))
}

/// On the way back no old server lives, of all or at the load balancer that the hold names, or none of those from whom a
/// load balancer had most of its users; where there is no way back, too few new ones do, and whoever was launched in
/// their place does not answer.
fn nobody_can_help(ground: &Ground, state: &ReleaseState, reason: &Reason) -> bool {
    let lives = |id: &&InstanceId| ground.world.app_state(id).is_some();
    match (reason, &state.leg) {
        (Reason::NoCapacity { able: 0, at, .. }, Leg::Back { .. }) => {
            let is_there = |id: &&InstanceId| at.as_ref().is_none_or(|at| state.home(id) == at);
            !state.blue.iter().filter(is_there).any(|id| lives(&id))
        }
        (Reason::CannotGoBack { .. }, Leg::Back { .. }) => {
            let mut old = state.plan.service.routing.balancers().map(|balancer| mainstay(state, balancer));
            // A server that somebody else brought may have no route: then no board can be carried back to it.
            let can_take = |id: &&InstanceId| lives(id) && state.route(id).is_some();
            let nobody_lives = old.any(|ids| !ids.is_empty() && !ids.iter().any(lives));
            nobody_lives || !state.blue.iter().any(|id| can_take(&id))
        }
        (Reason::CannotGoOn { step: Step::Handover | Step::Retire, .. }, Leg::Out) => {
            let floor = usize::try_from(state.plan.floor).unwrap_or(usize::MAX);
            state.green().iter().filter(lives).count() < floor
        }
        _ => false,
    }
}

/// The old servers of a load balancer that had most of its users: those of its colours, and its canaries where it had no
/// others.
fn mainstay<'s>(state: &'s ReleaseState, balancer: &Balancer) -> Vec<&'s InstanceId> {
    let is_coloured = |groups: &BTreeSet<GroupArn>| groups.iter().any(|it| balancer.colours.contains(it));
    let coloured = state.blue_groups.iter().filter(|(_, groups)| is_coloured(groups));
    let coloured: Vec<&InstanceId> = coloured.map(|(id, _)| id).collect();
    if coloured.is_empty() {
        return state.blue.iter().filter(|id| *state.home(id) == balancer.forward).collect();
    }
    coloured
}

/// L2: what a release launched serves, or is gone. One whose tags a person had taken away when the release ended is
/// that person's: it was in no group, so it was not waited for, and what has no tag of the service may not be ended
/// (S5).
fn l2_no_orphans(
    ground: &Ground,
    instance: &Instance,
    releases: &BTreeMap<String, ReleaseState>,
) -> Option<String> {
    let Origin::Release { release, .. } = &instance.origin else { return None };
    if instance.state.is_gone() || instance.state == InstanceState::Stopped {
        return None;
    }
    let left = |how: String| format!("{}: {} {how}", Law::NoOrphans, instance.id);
    let Some(state) = releases.get(release) else {
        return Some(left(format!("was launched by {release}, which the journal does not know")));
    };
    if was_out_of_sight(ground, state, &instance.id) {
        return None;
    }
    match state.verdict() {
        Some(Verdict::RolledBack { .. } | Verdict::Aborted { .. } | Verdict::Refused { .. }) => {
            Some(left(format!("is left of {release}, which went back")))
        }
        None => {
            let is_known =
                state.brought().contains(&instance.id) || may_be_of_an_open_launch(state, instance);
            (!is_known).then(|| left(format!("runs, and {release} does not know it")))
        }
        Some(Verdict::Released | Verdict::Passed) => {
            let serves =
                ground.world.has_users(&instance.id) || is_in_a_later_plan(instance, state, releases);
            (!serves).then(|| left(format!("is left of {release}, and serves nobody")))
        }
    }
}

/// Whether old servers are kept after it, for a while.
pub(crate) fn keeps_old(state: &ReleaseState) -> bool {
    matches!(state.verdict(), Some(Verdict::Released)) && state.plan.kind != Kind::Canary
}

/// Stopped old servers of what was released, if no later release has plans for them. While a release waits for a person
/// nobody looks after them.
pub(crate) fn kept<'a>(ground: &Ground, releases: impl Iterator<Item = &'a ReleaseState>) -> Vec<InstanceId> {
    let mut releases: Vec<&ReleaseState> = releases.collect();
    if releases.iter().any(|state| state.verdict().is_none()) {
        return Vec::new();
    }
    releases.retain(|state| keeps_old(state));
    releases.sort_by_key(|state| state.plan.release.number);
    let mut claimed: BTreeSet<InstanceId> = BTreeSet::new();
    let mut kept = Vec::new();
    for state in releases.into_iter().rev() {
        let left = state.blue.difference(&claimed).filter(|id| ground.world.is_put_by(id));
        kept.extend(left.cloned());
        claimed.extend(state.blue.iter().cloned().chain(state.green()));
    }
    kept
}

/// L2: where old servers are kept for a short while only, those that nobody has plans for are gone.
fn l2_kept_are_gone(ground: &Ground, releases: &BTreeMap<String, ReleaseState>) -> Vec<String> {
    let seen = ground.plan.keeps_old_for();
    let kept = seen.map(|_| kept(ground, releases.values())).unwrap_or_default();
    let in_sight = kept.iter().filter(|id| ground.world.has_long_been_in_sight(id));
    in_sight.map(|id| format!("{}: {id} is kept for ever", Law::NoOrphans)).collect()
}

/// What became of it is that release's.
fn is_in_a_later_plan(
    instance: &Instance,
    state: &ReleaseState,
    releases: &BTreeMap<String, ReleaseState>,
) -> bool {
    let is_refused = |it: &&ReleaseState| matches!(it.verdict(), Some(Verdict::Refused { .. }));
    let later = releases.values().filter(|it| it.plan.release.number > state.plan.release.number);
    later
        .filter(|it| !is_refused(it))
        .any(|it| [&it.blue, &it.plan.spares, &it.plan.takeover].iter().any(|ids| ids.contains(&instance.id)))
}

/// A release that holds for good has not looked for it yet: its journal names the launch, and says that its end is not
/// known. Whoever lets it go on finds it by that.
fn may_be_of_an_open_launch(state: &ReleaseState, instance: &Instance) -> bool {
    let Origin::Release { batch, attempt, .. } = &instance.origin else { return false };
    let is_held = matches!(state.stance, Stance::Held { .. });
    let is_open = |ended: &Option<(effect::Outcome, Timestamp)>| {
        matches!(ended, None | Some((effect::Outcome::Unknown(_), _)))
    };
    let mut open = state.effects.values().filter(|record| is_open(&record.ended));
    let is_its = |launch: &LaunchBatch| (launch.batch, launch.attempt) == (*batch, *attempt);
    is_held && open.any(|record| matches!(&record.effect, Effect::Launch(launch) if is_its(launch)))
}

/// It had no tags, and no group had it, when its release ended, by the true time.
fn was_out_of_sight(ground: &Ground, state: &ReleaseState, id: &InstanceId) -> bool {
    let closed_ms = ground.journal.court().closed_ms(&state.plan.release);
    closed_ms.is_some_and(|closed_ms| ground.world.was_out_of_sight_at(id, closed_ms))
}

/// L3: after a way back that was gone to its end, every old server that lives is open. One that was out of its groups,
/// and whose tags a person had taken away when the release ended, is that person's, as in L2.
fn l3_back_is_as_before(ground: &Ground, releases: &BTreeMap<String, ReleaseState>) -> Vec<String> {
    let last = releases.values().max_by_key(|state| state.plan.release.number);
    let Some(state) = last.filter(|state| went_back(state)) else { return Vec::new() };
    let closed = state
        .blue
        .iter()
        .filter(|id| ground.world.app_state(id).is_some_and(|state| state != AppState::Serving))
        .filter(|id| !was_out_of_sight(ground, state, id));
    closed
        .map(|id| format!("{}: {id} is left closed by {}", Law::BackIsAsBefore, state.plan.release))
        .collect()
}

fn went_back(state: &ReleaseState) -> bool {
    matches!(state.verdict(), Some(Verdict::RolledBack { .. } | Verdict::Aborted { .. }))
}
