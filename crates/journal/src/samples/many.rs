//! A plan as large as they come.

use std::collections::BTreeSet;

use segue_domain::event::Event;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::plan::Kind;

use super::plan;

const ACCOUNT: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";

/// The plan of a rollback: whom each load balancer had stays written down, with names as long as AWS has them.
pub(crate) fn rollback_of_many(servers: u32, balancers: u32) -> Event {
    let group = |name: &str, number| {
        GroupArn::new(format!("{ACCOUNT}:targetgroup/boards-production-{name}-{number:09}/943f017f100becff"))
    };
    let listener = |number| {
        let name = format!("boards-production-balancer-{number:05}");
        ForwardArn::new(format!("{ACCOUNT}:listener/app/{name}/50dc6c495c0c9188/f2f7dc8efc522ab2"))
    };
    let mut plan = plan();
    plan.kind = Kind::Rollback;
    let all = (0..servers).map(|number| (InstanceId::new(format!("i-{number:017x}")), number % balancers));
    for (id, balancer) in all {
        let groups = BTreeSet::from([group("blue", balancer), group("slot", balancer)]);
        plan.blue_groups.insert(id.clone(), groups);
        plan.homes.insert(id.clone(), listener(balancer));
        plan.routes.insert(id.clone(), format!("s{balancer:02}").as_str().into());
        plan.takeover.insert(id.clone());
        plan.blue.insert(id);
    }
    Event::Planned(Box::new(plan))
}
