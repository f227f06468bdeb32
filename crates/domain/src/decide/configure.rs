//! Steps `configure` and `warm`: every new instance says that it is the new version, and answers fast.
//!
//! Guarantees: no instance is admitted whose own word on its version is another one.
//! Assumptions: the configured command can be repeated.
//! If killed here: the commands run again under their ids.

use std::collections::BTreeSet;

use super::launch;
use super::scope::{Acts, Progress, Scope, Taken};
use crate::decision::{Source, WaitingOn};
use crate::effect::{Done, Effect, Outcome};
use crate::ids::InstanceId;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    // A pause of hours voids what was true before it: an instance may have died since.
    scope.require_done(Step::Launch, launch::take)?;
    configured(scope, &arriving(scope))
}

/// Makes some of them ready, whatever becomes of others.
pub(super) fn make_ready(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> Result<(), Progress> {
    scope.require_done(Step::Configure, |scope| configured(scope, ids))?;
    scope.require_done(Step::Warm, |scope| Ok(warmed_up(scope, ids)))
}

fn configured(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> Taken {
    let mut acts = Acts::new(scope);
    if let Some(command) = &scope.plan().service.launch.configure {
        let configure =
            |id: &InstanceId| Effect::Configure { instance: id.clone(), command: command.clone() };
        let missing = once(&mut acts, scope, ids, configure);
        if !acts.is_idle() {
            return Ok(acts.or_wait(WaitingOn::Settling { what: "the configuration command", missing }));
        }
    }
    let version = &scope.plan().image.version;
    let admitted = scope.state.is_done(Step::Admit);
    let mut silent = Vec::new();
    for id in ids {
        match scope.world.app(id) {
            Ok(app) if app.version == *version => {}
            // The others serve: that one cannot be asked is no reason to turn back.
            Err(why) if admitted => return Err(Scope::blind(Source::App(id.clone()), why)),
            Ok(_) | Err(_) => silent.push(id.clone()),
        }
    }
    if silent.is_empty() {
        return Ok(Progress::Done);
    }
    Ok(acts.or_wait(WaitingOn::Settling { what: "the new version's word", missing: silent }))
}

pub(super) fn warm(scope: &Scope<'_>) -> Taken {
    // An instance that was replaced since is configured, and its version asked for, like the others.
    scope.require_done(Step::Configure, take)?;
    Ok(warmed_up(scope, &arriving(scope)))
}

fn warmed_up(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> Progress {
    let Some(spec) = &scope.plan().service.launch.warm else { return Progress::Done };
    let mut acts = Acts::new(scope);
    let warm_up = |id: &InstanceId| Effect::WarmUp { instance: id.clone(), spec: spec.clone() };
    let missing = once(&mut acts, scope, ids, warm_up);
    acts.or_done(WaitingOn::Settling { what: "the warm-up", missing })
}

/// A canary that is taken over was configured and warm before.
fn arriving(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    scope.state.arriving().difference(&scope.plan().takeover).cloned().collect()
}

/// An effect of each whose only proof is its own outcome: wanted until it is done, then never again. Answers for whom it
/// is not done.
fn once(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    ids: &BTreeSet<InstanceId>,
    effect: impl Fn(&InstanceId) -> Effect,
) -> Vec<InstanceId> {
    let mut missing = Vec::new();
    for id in ids {
        let effect = effect(id);
        let record = scope.state.effects.get(&scope.id(id.as_str(), &effect));
        let is_done = record.is_some_and(|it| matches!(it.ended, Some((Outcome::Done(Done::Nothing), _))));
        if !is_done {
            acts.want(id.as_str(), effect);
            missing.push(id.clone());
        }
    }
    missing
}
