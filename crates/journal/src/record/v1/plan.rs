//! The plan: the immutable snapshot in the first record of a release.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::ForwardArn;
use segue_domain::{instance, plan, step};
use serde::{Deserialize, Serialize};

use super::mirror::{Mirrors, Unreadable, mirror_struct, mirror_words};
use super::scalars::InstantMs;
use super::service::Service;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 3] =
    [("kind", Kind::WORDS), ("step", Step::WORDS), ("how", How::WORDS)];

/// With one load balancer its front stands in the plan itself, as it did before there could be several: then there are
/// no `fronts`, and nobody says where he is at home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    release: String,
    kind: Kind,
    parent: Option<String>,
    service: Service,
    image: Image,
    from_version: String,
    blue: BTreeSet<String>,
    spares: BTreeSet<String>,
    takeover: BTreeSet<String>,
    batches: Vec<BatchPlan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    green_group: Option<String>,
    blue_groups: BTreeMap<String, BTreeSet<String>>,
    routes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights_before: Option<BTreeMap<String, u16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights_shared: Option<BTreeMap<String, u16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights_after: Option<BTreeMap<String, u16>>,
    floor: u32,
    passed_canary: Option<String>,
    overrides: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    homes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fronts: Vec<Front>,
}

/// The forward is left out where it is that of the first load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BatchPlan {
    subnet: String,
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forward: Option<String>,
}

mirror_struct! {
    Front mirrors plan::Front {
        forward: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        green_group: Option<String>,
        weights_before: BTreeMap<String, u16>,
        weights_shared: BTreeMap<String, u16>,
        weights_after: BTreeMap<String, u16>,
        floor: u32,
    }
}

/// The one front of a plan that can stand in the plan itself.
fn alone(plan: &plan::Plan) -> Option<&plan::Front> {
    let [front] = plan.fronts.as_slice() else { return None };
    let is_alone = front.forward == plan.service.routing.first.forward
        && front.floor == plan.floor
        && front.green_group.is_some();
    is_alone.then_some(front)
}

impl Mirrors<plan::Plan> for Plan {
    fn write(value: &plan::Plan) -> Self {
        let plan::Plan {
            release,
            kind,
            parent,
            service,
            image,
            from_version,
            blue,
            spares,
            takeover,
            batches,
            homes,
            fronts,
            blue_groups,
            routes,
            floor,
            passed_canary,
            overrides,
        } = value;
        let alone = alone(value);
        let first = &service.routing.first.forward;
        Self {
            release: Mirrors::write(release),
            kind: Mirrors::write(kind),
            parent: Mirrors::write(parent),
            service: Mirrors::write(service),
            image: Mirrors::write(image),
            from_version: Mirrors::write(from_version),
            blue: Mirrors::write(blue),
            spares: Mirrors::write(spares),
            takeover: Mirrors::write(takeover),
            batches: batches.iter().map(|batch| BatchPlan::write(batch, first)).collect(),
            green_group: alone.and_then(|front| Mirrors::write(&front.green_group)),
            blue_groups: Mirrors::write(blue_groups),
            routes: Mirrors::write(routes),
            weights_before: alone.map(|front| Mirrors::write(&front.weights_before)),
            weights_shared: alone.map(|front| Mirrors::write(&front.weights_shared)),
            weights_after: alone.map(|front| Mirrors::write(&front.weights_after)),
            floor: *floor,
            passed_canary: Mirrors::write(passed_canary),
            overrides: Mirrors::write(overrides),
            homes: Mirrors::write(homes),
            fronts: if alone.is_some() { Vec::new() } else { Mirrors::write(fronts) },
        }
    }

    fn read(self) -> Result<plan::Plan, Unreadable> {
        let service: segue_domain::service::Service = self.service.read()?;
        let first = service.routing.first.forward.clone();
        let mut fronts: Vec<plan::Front> = self.fronts.read()?;
        if let (Some(green_group), Some(before), Some(shared), Some(after)) =
            (self.green_group, self.weights_before, self.weights_shared, self.weights_after)
        {
            fronts.push(plan::Front {
                forward: first.clone(),
                green_group: Some(green_group.read()?),
                weights_before: before.read()?,
                weights_shared: shared.read()?,
                weights_after: after.read()?,
                floor: self.floor,
            });
        }
        // Without any, no share would be wanted and no floor kept: that is nobody's plan.
        if fronts.is_empty() {
            return Err(Unreadable { what: "the load balancers of a plan", value: "none".to_owned() });
        }
        let batches: Result<Vec<_>, _> = self.batches.into_iter().map(|it| it.read(&first)).collect();
        Ok(plan::Plan {
            release: self.release.read()?,
            kind: self.kind.read()?,
            parent: self.parent.read()?,
            service,
            image: self.image.read()?,
            from_version: self.from_version.read()?,
            blue: self.blue.read()?,
            spares: self.spares.read()?,
            takeover: self.takeover.read()?,
            batches: batches?,
            homes: self.homes.read()?,
            fronts,
            blue_groups: self.blue_groups.read()?,
            routes: self.routes.read()?,
            floor: self.floor,
            passed_canary: self.passed_canary.read()?,
            overrides: self.overrides.read()?,
        })
    }
}

impl BatchPlan {
    fn write(value: &plan::BatchPlan, first: &ForwardArn) -> Self {
        let plan::BatchPlan { subnet, count, forward } = value;
        let forward = (forward != first).then(|| Mirrors::write(forward));
        Self { subnet: Mirrors::write(subnet), count: *count, forward }
    }

    fn read(self, first: &ForwardArn) -> Result<plan::BatchPlan, Unreadable> {
        let forward: Option<ForwardArn> = self.forward.read()?;
        let forward = forward.unwrap_or_else(|| first.clone());
        Ok(plan::BatchPlan { subnet: self.subnet.read()?, count: self.count, forward })
    }
}

mirror_struct! {
    Image mirrors instance::Image {
        id: String,
        version: String,
        commit: Option<String>,
        #[serde(rename = "created_at_ms")]
        created_at: InstantMs,
    }
}

mirror_words! {
    Kind mirrors plan::Kind {
        "canary" Canary,
        "full" Full,
        "rollback" Rollback,
    }
}

mirror_words! {
    Step mirrors step::Step {
        "resolve" Resolve,
        "preflight" Preflight,
        "launch" Launch,
        "configure" Configure,
        "warm" Warm,
        "admit" Admit,
        "observe" Observe,
        "close" Close,
        "handover" Handover,
        "retire" Retire,
        "announce" Announce,
        "reopen" Reopen,
        "shut" Shut,
        "return" Return,
        "discard" Discard,
    }
}

mirror_words! {
    How mirrors step::How {
        "found_done" FoundDone,
        "did" Did,
        "took_over" TookOver,
    }
}
