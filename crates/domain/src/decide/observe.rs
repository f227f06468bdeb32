//! Step `observe`: the bake. Green serves beside blue under real traffic while the judge watches.
//!
//! Guarantees: green that dies or turns unhealthy fails at once; what is not known fails nothing and passes
//! nothing.
//! Assumptions: error counters only grow while a process lives.
//! If killed here: the bake's beginning is in the journal; it goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::registry;
use super::scope::{Progress, Scope, Taken};
use super::share::{self, Shares};
use crate::decision::{Cause, Reason, Source, Then, WaitingOn};
use crate::event::{Event, Vital};
use crate::ids::InstanceId;
use crate::judge::{Evidence, Judgement, judge};
use crate::plan::Kind;
use crate::state::{Bake, Promoted};
use crate::target::TargetHealth;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    if let Some(why) = sick(scope) {
        return Ok(failed(scope, why));
    }
    share::ask_again(scope, Shares::Shared)?;
    registry::require_groups(scope, scope.plan().green_groups())?;
    registry::require_tagged(scope, &scope.state.green())?;
    match &scope.state.bake {
        None => begin(scope),
        // Judged by a person; that the new servers still serve was seen in this very pass.
        Some(_) if scope.state.judged == Promoted::Yes => Ok(Progress::Done),
        Some(bake) => go_on(scope, bake),
    }
}

fn begin(scope: &Scope<'_>) -> Taken {
    let everybody: BTreeSet<InstanceId> = scope.state.blue.union(&scope.state.green()).cloned().collect();
    let start = vitals(scope, &scope.running(&everybody))?;
    Ok(Progress::Record(vec![Event::BakeBegan { start }]))
}

fn go_on(scope: &Scope<'_>, bake: &Bake) -> Taken {
    let (span, wanted) = match scope.plan().kind {
        Kind::Canary => (scope.plan().service.canary.bake, scope.plan().service.canary.min_boards),
        Kind::Full | Kind::Rollback => (scope.plan().service.full.bake, 0),
    };
    let boards = boards(scope);
    if let Some(boards) = boards
        && boards >= wanted
        && bake.enough_boards.is_none()
        && wanted > 0
    {
        return Ok(Progress::Record(vec![Event::EnoughBoards { boards }]));
    }
    let until = scope.world.at_the_latest(bake.began_at).after(span);
    if scope.world.at < until {
        return Ok(Progress::WaitUntil(WaitingOn::Bake { boards, wanted }, until, Then::GoOn));
    }
    verdict(scope, bake, wanted)
}

fn verdict(scope: &Scope<'_>, bake: &Bake, min_boards: u64) -> Taken {
    let green = scope.state.green();
    let blue: BTreeSet<InstanceId> =
        scope.state.blue.iter().filter(|id| bake.start.contains_key(*id)).cloned().collect();
    let blue = scope.running(&blue);
    let after = vitals(scope, &green.union(&blue).cloned().collect())?;
    let judgement = judge(&Evidence {
        green: &green,
        blue: &blue,
        before: &bake.start,
        after,
        enough_boards: bake.enough_boards,
        min_boards,
        max_error_ratio: scope.plan().service.canary.max_error_ratio,
    });
    Ok(match judgement {
        Judgement::Passed => Progress::Done,
        Judgement::Failed(why) => failed(scope, why),
        Judgement::Undecided(missing) => Progress::Park(Reason::Undecided { missing }),
    })
}

fn failed(scope: &Scope<'_>, why: String) -> Progress {
    match scope.plan().kind {
        Kind::Canary => Progress::Turn(Cause::CanaryFailed { why }),
        Kind::Full | Kind::Rollback => Progress::Failed(why),
    }
}

/// A new instance that is down or not healthy. One that cannot be seen says nothing, and excuses no other.
fn sick(scope: &Scope<'_>) -> Option<String> {
    let green = scope.state.green();
    let hidden: BTreeSet<&InstanceId> = registry::hidden(scope, &green).collect();
    green.iter().filter(|id| !hidden.contains(id)).find_map(|id| {
        if !scope.runs(id) {
            return Some(format!("{id} does not run any more"));
        }
        let own = registry::green_group(scope, id);
        if own.is_some_and(|group| scope.world.targets(group).is_err()) {
            return None;
        }
        match own.and_then(|group| registry::health(scope, group, id)) {
            Some(TargetHealth::Healthy) => None,
            Some(health) => Some(format!("{id} is {health} by the load balancer's word")),
            None => Some(format!("{id} was taken out of the load balancer")),
        }
    })
}

/// Boards on green; none as soon as one of its instances' is unknown.
fn boards(scope: &Scope<'_>) -> Option<u64> {
    scope.state.green().iter().map(|id| scope.world.boards(id).ok()).sum()
}

fn vitals(
    scope: &Scope<'_>,
    instances: &BTreeSet<InstanceId>,
) -> Result<BTreeMap<InstanceId, Vital>, Progress> {
    let mut vitals = BTreeMap::new();
    for id in instances {
        match scope.world.vital(id) {
            Ok(vital) => vitals.insert(id.clone(), vital),
            Err(why) => return Err(Scope::blind(Source::Vitals(id.clone()), why)),
        };
    }
    Ok(vitals)
}
