//! What a plan comes to, call by call, when nothing goes wrong. A pure function of the plan.
//!
//! Deliberately absent: everything that depends on what happens meanwhile. What dies is launched again, what
//! AWS refuses is asked again, what finds no room goes elsewhere, and how many boards there will be nobody knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::effect::IDS_AT_ONCE;
use crate::ids::{ForwardArn, GroupArn, ImageId, InstanceId, InstanceType, SubnetId, TemplateId};
use crate::plan::{Front, Kind, Plan};
use crate::step::Step;
use crate::target::Weights;

/// A step and what it does, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlined {
    pub step: Step,
    pub deeds: Vec<Deed>,
}

/// One thing that is done to the outside world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Start {
        instances: BTreeSet<InstanceId>,
    },
    Launch {
        count: u32,
        subnet: SubnetId,
        /// None: the template's own.
        instance_type: Option<InstanceType>,
        image: ImageId,
        template: TemplateId,
    },
    Configure {
        servers: u32,
        command: Vec<String>,
    },
    WarmUp {
        servers: u32,
        path: String,
    },
    /// Everybody who joins green, by one call.
    Register {
        group: GroupArn,
        servers: u32,
    },
    /// Each new server in a slot of its own.
    RegisterInSlots {
        servers: u32,
    },
    Open {
        servers: u32,
    },
    SetWeights {
        forward: ForwardArn,
        before: Weights,
        after: Weights,
    },
    Bake {
        at_least: Duration,
    },
    CloseToNew {
        instances: BTreeSet<InstanceId>,
    },
    /// Every board that they hold: prepare, offer, seal and activate, or at level 0 drain.
    Carry {
        from: BTreeSet<InstanceId>,
        level_max: u8,
    },
    Deregister {
        group: GroupArn,
        instances: BTreeSet<InstanceId>,
    },
    Stop {
        instances: BTreeSet<InstanceId>,
    },
    /// After the release, and from then on there is no way back.
    Terminate {
        instances: BTreeSet<InstanceId>,
        after: Duration,
    },
    Announce,
}

impl Deed {
    /// The call as its side spells it: AWS's action, or the control contract's verbs.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Start { .. } => "StartInstances",
            Self::Launch { .. } => "RunInstances",
            Self::Configure { .. } => "configure",
            Self::WarmUp { .. } => "warm-up",
            Self::Register { .. } | Self::RegisterInSlots { .. } => "RegisterTargets",
            Self::Open { .. } => "open",
            Self::SetWeights { forward, .. } if forward.is_rule() => "ModifyRule",
            Self::SetWeights { .. } => "ModifyListener",
            Self::Bake { .. } => "bake",
            Self::CloseToNew { .. } => "close",
            Self::Carry { level_max: 0, .. } => "drain",
            Self::Carry { .. } => "prepare, offer, seal, activate",
            Self::Deregister { .. } => "DeregisterTargets",
            Self::Stop { .. } => "StopInstances",
            Self::Terminate { .. } => "TerminateInstances",
            Self::Announce => "announce",
        }
    }

    /// How many calls that are. None where it depends on what is found: boards, or servers that are open already.
    pub fn calls(&self) -> Option<u32> {
        match self {
            Self::Start { instances }
            | Self::Stop { instances }
            | Self::Terminate { instances, .. }
            | Self::Deregister { instances, .. } => Some(cuts(instances.len())),
            Self::Register { servers, .. } => Some(cuts(usize::try_from(*servers).unwrap_or(usize::MAX))),
            Self::Launch { .. } | Self::SetWeights { .. } => Some(1),
            Self::RegisterInSlots { servers } | Self::Configure { servers, .. } => Some(*servers),
            Self::WarmUp { .. }
            | Self::Open { .. }
            | Self::Bake { .. }
            | Self::CloseToNew { .. }
            | Self::Carry { .. }
            | Self::Announce => None,
        }
    }

    /// Whether it is AWS that is called.
    pub fn is_aws(&self) -> bool {
        match self {
            Self::Start { .. }
            | Self::Launch { .. }
            | Self::Register { .. }
            | Self::RegisterInSlots { .. }
            | Self::SetWeights { .. }
            | Self::Deregister { .. }
            | Self::Stop { .. }
            | Self::Terminate { .. } => true,
            Self::Configure { .. }
            | Self::WarmUp { .. }
            | Self::Open { .. }
            | Self::Bake { .. }
            | Self::CloseToNew { .. }
            | Self::Carry { .. }
            | Self::Announce => false,
        }
    }
}

fn cuts(ids: usize) -> u32 {
    u32::try_from(ids.div_ceil(IDS_AT_ONCE)).unwrap_or(u32::MAX)
}

/// The steps of the plan's way out. A step that only looks has no deeds.
pub fn outline(plan: &Plan) -> Vec<Outlined> {
    let steps = Step::way_out(plan.kind).iter();
    steps.map(|step| Outlined { step: *step, deeds: deeds(plan, *step) }).collect()
}

fn deeds(plan: &Plan, step: Step) -> Vec<Deed> {
    match step {
        Step::Launch => launch(plan),
        Step::Configure => configure(plan),
        Step::Warm => warm(plan),
        Step::Admit => admit(plan),
        Step::Observe => vec![Deed::Bake { at_least: bake(plan) }],
        Step::Close => {
            let mut deeds = shares(plan, |front| (&front.weights_shared, &front.weights_after));
            deeds.push(Deed::CloseToNew { instances: plan.blue.clone() });
            deeds
        }
        Step::Handover => {
            let level_max = plan.service.handover.level_max;
            vec![Deed::Carry { from: plan.blue.clone(), level_max }]
        }
        Step::Retire => retire(plan),
        Step::Announce => vec![Deed::Announce],
        Step::Resolve | Step::Preflight | Step::Reopen | Step::Shut | Step::Return | Step::Discard => {
            Vec::new()
        }
    }
}

/// Whoever is launched or started: those that were taken over serve already.
fn fresh(plan: &Plan) -> u32 {
    plan.green_size().saturating_sub(count(plan.takeover.len()))
}

fn launch(plan: &Plan) -> Vec<Deed> {
    let spares = (!plan.spares.is_empty()).then(|| Deed::Start { instances: plan.spares.clone() });
    let batches = plan.batches.iter().filter(|batch| batch.count > 0).map(|batch| Deed::Launch {
        count: batch.count,
        subnet: batch.subnet.clone(),
        instance_type: plan.service.launch.types.first().cloned(),
        image: plan.image.id.clone(),
        template: plan.service.launch.template.clone(),
    });
    spares.into_iter().chain(batches).collect()
}

fn configure(plan: &Plan) -> Vec<Deed> {
    let command = plan.service.launch.configure.clone();
    command.map(|command| Deed::Configure { servers: fresh(plan), command }).into_iter().collect()
}

fn warm(plan: &Plan) -> Vec<Deed> {
    let warm = plan.service.launch.warm.as_ref();
    warm.map(|warm| Deed::WarmUp { servers: fresh(plan), path: warm.path.clone() }).into_iter().collect()
}

fn admit(plan: &Plan) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    for front in &plan.fronts {
        let servers = plan.green_size_at(&front.forward);
        deeds.extend(front.green_group.iter().map(|group| Deed::Register { group: group.clone(), servers }));
    }
    let without = plan.takeover.iter().filter(|id| !plan.routes.contains_key(*id)).count();
    let slots = fresh(plan).saturating_add(count(without));
    if plan.service.routing.slots().next().is_some() && slots > 0 {
        deeds.push(Deed::RegisterInSlots { servers: slots });
    }
    deeds.push(Deed::Open { servers: fresh(plan) });
    deeds.extend(shares(plan, |front| (&front.weights_before, &front.weights_shared)));
    deeds
}

/// Shares that stay as they are are not written.
fn shares(plan: &Plan, of: fn(&Front) -> (&Weights, &Weights)) -> Vec<Deed> {
    let changed = plan.fronts.iter().filter(|front| of(front).0 != of(front).1);
    let deeds = changed.map(|front| {
        let (before, after) = of(front);
        Deed::SetWeights { forward: front.forward.clone(), before: before.clone(), after: after.clone() }
    });
    deeds.collect()
}

fn bake(plan: &Plan) -> Duration {
    match plan.kind {
        Kind::Canary => plan.service.canary.bake,
        Kind::Full | Kind::Rollback => plan.service.full.bake,
    }
}

/// Out of every group that lists them, each by one call; then stopped, all at once.
fn retire(plan: &Plan) -> Vec<Deed> {
    let mut groups: BTreeMap<&GroupArn, BTreeSet<InstanceId>> = BTreeMap::new();
    for id in &plan.blue {
        let colours = plan.blue_groups.get(id).into_iter().flatten();
        let route = plan.routes.get(id);
        let slots = plan.service.routing.slots().filter(|slot| Some(&slot.route) == route);
        for group in colours.chain(slots.map(|slot| &slot.group)) {
            groups.entry(group).or_default().insert(id.clone());
        }
    }
    let out =
        groups.into_iter().map(|(group, instances)| Deed::Deregister { group: group.clone(), instances });
    let mut deeds: Vec<Deed> = out.collect();
    deeds.push(Deed::Stop { instances: plan.blue.clone() });
    deeds.push(Deed::Terminate { instances: plan.blue.clone(), after: plan.service.full.keep_old });
    deeds
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
