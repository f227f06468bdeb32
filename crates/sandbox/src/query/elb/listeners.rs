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

/// Shows the one listener of a load balancer, or those that are named.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Listeners, ElbRefusal> {
    let of = params.take("LoadBalancerArn");
    let arns = params.list("ListenerArns.member")?;
    let page = page(&mut params)?;
    params.finish()?;
    let of = of.map(|arn| world.balancers.by_arn(&arn)).transpose()?;
    let named: Vec<_> = arns.iter().map(|arn| world.balancers.by_listener(arn)).collect::<Result<_, _>>()?;
    let own = of.map(|it| &it.settings.listener_arn);
    if own.is_some_and(|own| arns.iter().any(|arn| arn != own)) {
        return Err(ElbRefusal::ListenerNotFound);
    }
    if of.is_none() && arns.is_empty() {
        let text = "You must specify either listener ARNs or a load balancer ARN";
        return Err(ElbRefusal::Validation(text.to_owned()));
    }
    let shown: Vec<_> = of.map_or(named, |it| vec![it]);
    let (items, _) = page.cut(shown.into_iter().map(item));
    Ok(Listeners { listeners: items.into_iter().collect() })
}

/// Replaces the default action; live sockets stay where they are.
pub(super) fn modify(world: &mut World, now: At, mut params: Params) -> Result<Listeners, ElbRefusal> {
    let arn = params.need("ListenerArn")?;
    let forward = read_actions(&mut params, "DefaultActions")?;
    params.finish()?;
    let balancer = match forward {
        Some(forward) => world.balancers.modify_default(&arn, forward, now)?,
        None => world.balancers.by_listener(&arn)?,
    };
    Ok(Listeners { listeners: std::iter::once(item(balancer)).collect() })
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
