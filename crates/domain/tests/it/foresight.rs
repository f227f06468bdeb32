//! What a plan comes to and what it stands on, before anything is done.

use std::collections::BTreeMap;
use std::time::Duration;

use segue_domain::caution::{Caution, cautions};
use segue_domain::event::CheckResult;
use segue_domain::ids::{ForwardArn, InstanceId, ServiceName, Version};
use segue_domain::outline::{Deed, outline};
use segue_domain::plan::{Kind, Plan};
use segue_domain::preflight;
use segue_domain::request::{self, Facts, Request};
use segue_domain::service::{Service, Workload};
use segue_domain::service_state::ServiceState;
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;

use crate::stage::{Stage, group};

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.seed(3, 12);
    stage
}

pub(crate) fn planned(stage: &Stage, kind: Kind, version: &str) -> Plan {
    let world = stage.world();
    let targets = stage.groups.keys().map(|name| (name.clone(), stage.targets(name))).collect();
    let facts = Facts {
        service: &stage.service,
        images: &crate::setup::images(),
        instances: world.instances.known().unwrap(),
        targets: &targets,
        weights: &stage.weights,
        has_template: true,
        history: &ServiceState::new(ServiceName::new("boards")),
    };
    let overrides = BTreeMap::new();
    let request = Request { kind, version: Some(Version::new(version)), parent: None, overrides };
    request::plan(&request, &facts).unwrap()
}

/// `step: call×times …` of every step that does something.
fn told(plan: &Plan) -> Vec<String> {
    let deed = |deed: &Deed| match deed.calls() {
        Some(times) => format!("{}×{times}", deed.call()),
        None => deed.call().to_owned(),
    };
    outline(plan)
        .iter()
        .filter(|step| !step.deeds.is_empty())
        .map(|step| format!("{}: {}", step.step, step.deeds.iter().map(deed).collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn a_full_release_is_told_call_by_call() {
    let told = told(&planned(&stage(), Kind::Full, "2"));
    assert_eq!(
        told,
        [
            "launch: RunInstances×1 RunInstances×1",
            "admit: RegisterTargets×1 RegisterTargets×3 open ModifyListener×1",
            "observe: bake",
            "close: ModifyListener×1 close",
            "handover: prepare, offer, seal, activate",
            "retire: DeregisterTargets×1 DeregisterTargets×1 DeregisterTargets×1 DeregisterTargets×1 \
             StopInstances×1 TerminateInstances×1",
            "announce: announce",
        ]
    );
}

#[test]
fn a_canary_leaves_the_old_servers_as_they_are() {
    let plan = planned(&stage(), Kind::Canary, "2");
    let admit = "admit: RegisterTargets×1 RegisterTargets×1 open ModifyListener×1";
    assert_eq!(told(&plan), ["launch: RunInstances×1", admit, "observe: bake", "announce: announce"]);
    assert_eq!(cautions(&plan, &stage().world()), [Caution::FormatsUnknown]);
}

#[test]
fn shares_that_stay_as_they_are_are_not_written() {
    let mut plan = planned(&stage(), Kind::Full, "2");
    for front in &mut plan.fronts {
        front.weights_after = front.weights_shared.clone();
    }
    let close = outline(&plan).into_iter().find(|step| step.step == Step::Close).unwrap();
    assert!(matches!(close.deeds.as_slice(), [Deed::CloseToNew { .. }]), "{close:?}");
}

#[test]
fn the_same_world_gives_the_same_basis_and_another_one_is_told_by_what_differs() {
    let then = planned(&stage(), Kind::Full, "2").basis();
    assert_eq!(then.differences(&planned(&stage(), Kind::Full, "2").basis()), []);

    let mut changed = stage();
    changed.groups.get_mut(&group("a")).unwrap().remove(&InstanceId::new("i-1"));
    changed.service.full.keep_old *= 2;
    changed.weights.insert(group("a"), 7);
    let now = planned(&changed, Kind::Full, "2").basis();
    let facts: Vec<String> = then.differences(&now).into_iter().map(|it| it.fact).collect();
    for fact in ["blue", "blue-groups", "full.keep_old", "weights-before", "launch"] {
        assert!(facts.iter().any(|it| it == fact), "{fact} is not in {facts:?}");
    }
    for fact in ["image", "kind", "service", "version", "green-group"] {
        assert!(!facts.iter().any(|it| it == fact), "{fact} is in {facts:?}");
    }
}

type Change = fn(&mut Service);

#[test]
fn whatever_a_release_is_carried_out_by_is_in_the_basis() {
    let then = planned(&stage(), Kind::Full, "2").basis();
    let changes: [(&str, Change); 6] = [
        ("patience.zeros_apart", |it| it.patience.zeros_apart *= 2),
        ("patience.max_age", |it| it.patience.max_age *= 2),
        ("forward", |it| it.routing.first.forward = ForwardArn::new("another")),
        ("all-slots", |it| drop(it.routing.first.slots.pop())),
        ("canary-groups", |it| it.routing.first.canaries.clear()),
        ("workload", |it| it.workload = Workload::None),
    ];
    for (fact, change) in changes {
        let mut changed = planned(&stage(), Kind::Full, "2");
        change(&mut changed.service);
        let told: Vec<String> = then.differences(&changed.basis()).into_iter().map(|it| it.fact).collect();
        assert_eq!(told, [fact]);
    }
}

#[test]
fn preflight_says_beforehand_what_it_would_refuse() {
    let stage = stage();
    let plan = planned(&stage, Kind::Full, "2");
    let state = ReleaseState::planned(plan, stage.now);
    let checks = preflight(&state, &stage.world());
    let failed: Vec<&str> = checks
        .iter()
        .filter(|(_, result)| matches!(result, CheckResult::Failed(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(failed, ["canary"]);
    assert!(checks.iter().any(|(name, _)| name.as_str() == "addresses"), "{checks:?}");
}

#[test]
fn a_warning_of_a_plan_has_a_code_of_its_own() {
    let warnings = [
        (Caution::CannotRead { writes: "boards/1".to_owned() }, "cannot-read-boards"),
        (Caution::FormatsUnknown, "way-back-unknown"),
        (Caution::Terminates { after: Duration::from_secs(1) }, "way-back-ends"),
    ];
    for (warning, code) in warnings {
        assert_eq!(warning.code(), code);
    }
}
