//! A release over two load balancers.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::decision::Reason;
use segue_domain::effect::{Effect, Intent};
use segue_domain::event::Event;
use segue_domain::ids::ForwardArn;
use segue_domain::plan::{BatchPlan, Front};
use segue_domain::service::{Balancer, Slot};

use super::plan;

const SECOND: &str = "arn:listener-2";

/// A plan in which the second load balancer has users too and the third has none, the shares of the second, and a hold
/// for want of servers there.
pub(crate) fn events() -> Vec<Event> {
    let mut plan = plan();
    let forward = ForwardArn::new(SECOND);
    plan.service.routing.others = vec![second(), third()];
    plan.batches.push(BatchPlan { subnet: "subnet-b".into(), count: 1, forward: forward.clone() });
    plan.homes = BTreeMap::from([("i-3".into(), forward.clone()), ("i-4".into(), "arn:listener".into())]);
    plan.blue_groups.insert("i-2".into(), BTreeSet::from(["arn:blue-2".into()]));
    let shares = |blue, green| BTreeMap::from([("arn:blue-2".into(), blue), ("arn:green-2".into(), green)]);
    plan.fronts.push(Front {
        forward: forward.clone(),
        green_group: Some("arn:green-2".into()),
        weights_before: shares(10, 0),
        weights_shared: shares(1, 2),
        weights_after: shares(0, 2),
        floor: 1,
    });
    let none = BTreeMap::from([("arn:blue-3".into(), 0), ("arn:green-3".into(), 0)]);
    plan.fronts.push(Front {
        forward: "arn:listener-3".into(),
        green_group: None,
        weights_before: none.clone(),
        weights_shared: none.clone(),
        weights_after: none,
        floor: 0,
    });
    let effect = Effect::SetWeights { forward: forward.clone(), weights: shares(1, 2) };
    vec![
        Event::Planned(Box::new(plan)),
        Event::Intended(Intent { id: "boards-12/shares".into(), attempt: 1, effect }),
        Event::Held { reason: Reason::NoCapacity { able: 0, floor: 1, at: Some(forward) } },
    ]
}

fn second() -> Balancer {
    Balancer {
        forward: SECOND.into(),
        share: 2,
        colours: ["arn:blue-2".into(), "arn:green-2".into()],
        canaries: vec!["arn:canary-2".into()],
        slots: vec![Slot { route: "t01".into(), group: "arn:t01".into() }],
    }
}

fn third() -> Balancer {
    let colours = ["arn:blue-3".into(), "arn:green-3".into()];
    Balancer { forward: "arn:listener-3".into(), share: 1, colours, canaries: Vec::new(), slots: Vec::new() }
}
