//! `DescribeListeners` and `ModifyListener`.

use serde::Serialize;

use super::super::params::Params;
use super::super::xml::Members;
use super::action::{ActionItem, actions, read_actions};
use super::page;
use crate::world::{At, Balancer, ElbRefusal, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listeners {
    listeners: Members<ListenerItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerItem {
    listener_arn: String,
    load_balancer_arn: String,
    port: u16,
    protocol: &'static str,
    default_actions: Members<ActionItem>,
}

/// Shows the one listener, when it is the one that is asked for.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Listeners, ElbRefusal> {
    let of = params.take("LoadBalancerArn");
    let arns = params.list("ListenerArns.member")?;
    let page = page(&mut params)?;
    params.finish()?;
    let settings = &world.balancer.settings;
    if of.as_ref().is_some_and(|arn| *arn != settings.arn) {
        return Err(ElbRefusal::BalancerNotFound);
    }
    if arns.iter().any(|arn| *arn != settings.listener_arn) {
        return Err(ElbRefusal::ListenerNotFound);
    }
    if of.is_none() && arns.is_empty() {
        let text = "You must specify either listener ARNs or a load balancer ARN";
        return Err(ElbRefusal::Validation(text.to_owned()));
    }
    let (items, _) = page.cut(std::iter::once(item(&world.balancer)));
    Ok(Listeners { listeners: items.into_iter().collect() })
}

/// Replaces the default action; live sockets stay where they are.
pub(super) fn modify(world: &mut World, now: At, mut params: Params) -> Result<Listeners, ElbRefusal> {
    let arn = params.need("ListenerArn")?;
    let forward = read_actions(&mut params, "DefaultActions")?;
    params.finish()?;
    if arn != world.balancer.settings.listener_arn {
        return Err(ElbRefusal::ListenerNotFound);
    }
    if let Some(forward) = forward {
        world.balancer.modify_default(forward, now)?;
    }
    Ok(Listeners { listeners: std::iter::once(item(&world.balancer)).collect() })
}

fn item(balancer: &Balancer) -> ListenerItem {
    ListenerItem {
        listener_arn: balancer.settings.listener_arn.clone(),
        load_balancer_arn: balancer.settings.arn.clone(),
        port: balancer.port,
        protocol: "HTTP",
        default_actions: actions(&balancer.default),
    }
}
