//! `DescribeRules` and `ModifyRule`.

use serde::Serialize;

use super::super::params::Params;
use super::super::xml::Members;
use super::action::{ActionItem, ConditionItem, actions, conditions, read_actions, read_conditions};
use super::page;
use crate::names::RuleArn;
use crate::world::{At, Balancer, ElbRefusal, Rule, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rules {
    rules: Members<RuleItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleItem {
    rule_arn: RuleArn,
    priority: String,
    conditions: Members<ConditionItem>,
    actions: Members<ActionItem>,
    is_default: bool,
}

/// Lists rules in order of priority, the default rule last.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Rules, ElbRefusal> {
    let listener = params.take("ListenerArn");
    let arns = params.list("RuleArns.member")?;
    let page = page(&mut params)?;
    params.finish()?;
    let of = listener.as_ref().map(|arn| world.balancers.by_listener(arn)).transpose()?;
    if listener.is_some() != arns.is_empty() {
        let text = "You must specify either rule ARNs or a listener ARN";
        return Err(ElbRefusal::Validation(text.to_owned()));
    }
    let here = |balancer: &&Balancer| of.is_none_or(|of| of.settings.arn == balancer.settings.arn);
    let all = || {
        let balancers = world.balancers.all().filter(here);
        balancers.flat_map(|it| it.rules.values().map(item).chain([default_item(it)]))
    };
    if let Some(_missing) = arns.iter().find(|arn| !all().any(|rule| rule.rule_arn.as_str() == **arn)) {
        return Err(ElbRefusal::RuleNotFound);
    }
    let asked = |rule: &RuleItem| arns.is_empty() || arns.iter().any(|arn| arn == rule.rule_arn.as_str());
    let (items, next_marker) = page.cut(all().filter(asked));
    Ok(Rules { rules: items.into_iter().collect(), next_marker })
}

/// Replaces a rule's action or conditions. The default rule changes with its listener only.
pub(super) fn modify(world: &mut World, now: At, mut params: Params) -> Result<Rules, ElbRefusal> {
    let arn = RuleArn::from(params.need("RuleArn")?);
    let forward = read_actions(&mut params, "Actions")?;
    let conditions = read_conditions(&mut params)?;
    params.finish()?;
    if world.balancers.all().any(|balancer| arn == default_arn(balancer)) {
        let text = "Default rule cannot be modified by ModifyRule; use ModifyListener";
        return Err(ElbRefusal::OperationNotPermitted(text.to_owned()));
    }
    let rule = world.balancers.modify_rule(&arn, forward, conditions, now)?;
    Ok(Rules { rules: std::iter::once(item(rule)).collect(), next_marker: None })
}

fn item(rule: &Rule) -> RuleItem {
    RuleItem {
        rule_arn: rule.arn.clone(),
        priority: rule.priority.to_string(),
        conditions: conditions(&rule.conditions),
        actions: actions(&rule.forward),
        is_default: false,
    }
}

fn default_arn(balancer: &Balancer) -> RuleArn {
    let listener = balancer.settings.listener_arn.replacen(":listener/", ":listener-rule/", 1);
    RuleArn::from(format!("{listener}/00000000000d0001"))
}

fn default_item(balancer: &Balancer) -> RuleItem {
    RuleItem {
        rule_arn: default_arn(balancer),
        priority: "default".to_owned(),
        conditions: conditions(&[]),
        actions: actions(&balancer.default),
        is_default: true,
    }
}
