//! Actions and conditions: read from a call, and as answers show them.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html>

use serde::Serialize;

use super::super::params::Params;
use super::super::xml::Members;
use crate::names::GroupArn;
use crate::world::{ElbRefusal, Forward, QueryCondition, QueryPair, Weighted};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ActionItem {
    #[serde(rename = "Type")]
    kind: &'static str,
    order: u32,
    /// Shown only when there is one group, as AWS does.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_group_arn: Option<GroupArn>,
    forward_config: ForwardItem,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ForwardItem {
    target_groups: Members<WeightedItem>,
    target_group_stickiness_config: StickinessItem,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WeightedItem {
    target_group_arn: GroupArn,
    weight: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StickinessItem {
    enabled: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConditionItem {
    field: &'static str,
    query_string_config: QueryItem,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryItem {
    values: Members<PairItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PairItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    value: String,
}

/// Shows a forward action.
pub(super) fn actions(forward: &Forward) -> Members<ActionItem> {
    let groups = forward.groups();
    let only = if let [one] = groups { Some(one.group.clone()) } else { None };
    let weighted =
        groups.iter().map(|w| WeightedItem { target_group_arn: w.group.clone(), weight: w.weight });
    let forward_config = ForwardItem {
        target_groups: weighted.collect(),
        target_group_stickiness_config: StickinessItem { enabled: false },
    };
    [ActionItem { kind: "forward", order: 1, target_group_arn: only, forward_config }].into_iter().collect()
}

/// Shows query-string conditions.
pub(super) fn conditions(conditions: &[QueryCondition]) -> Members<ConditionItem> {
    let pair = |p: &QueryPair| PairItem { key: p.key.clone(), value: p.value.clone() };
    let item = |c: &QueryCondition| ConditionItem {
        field: "query-string",
        query_string_config: QueryItem { values: c.pairs.iter().map(pair).collect() },
    };
    conditions.iter().map(item).collect()
}

/// Reads a list of actions, which must be one forward; none when the call has no such list.
pub(super) fn read_actions(params: &mut Params, name: &str) -> Result<Option<Forward>, ElbRefusal> {
    let mut actions = params.groups(&format!("{name}.member"))?.into_iter();
    let Some(action) = actions.next() else { return Ok(None) };
    if actions.next().is_some() {
        let text = "The sandbox takes one action, of type forward".to_owned();
        return Err(ElbRefusal::InvalidLoadBalancerAction(text));
    }
    read_forward(action).map(Some)
}

fn read_forward(mut action: Params) -> Result<Forward, ElbRefusal> {
    let kind = action.need("Type")?;
    if kind != "forward" {
        let text = format!("The sandbox takes actions of type forward, not '{kind}'");
        return Err(ElbRefusal::InvalidLoadBalancerAction(text));
    }
    let _order: Option<u32> = action.parsed("Order")?;
    let only = action.take("TargetGroupArn").map(GroupArn::from);
    let config = action.nested("ForwardConfig").map(read_config).transpose()?;
    action.finish()?;
    match (only, config) {
        (Some(group), None) => Ok(Forward::single(group)),
        (None, Some(groups)) => Forward::new(groups),
        // An answer that was read and sent back has both; they must agree.
        (Some(group), Some(groups)) if matches!(&groups[..], [one] if one.group == group) => {
            Forward::new(groups)
        }
        (Some(_), Some(_)) => {
            let text = "TargetGroupArn and ForwardConfig name different target groups".to_owned();
            Err(ElbRefusal::InvalidLoadBalancerAction(text))
        }
        (None, None) => Forward::new(Vec::new()),
    }
}

fn read_config(mut config: Params) -> Result<Vec<Weighted>, ElbRefusal> {
    let mut groups = Vec::new();
    for mut group in config.groups("TargetGroups.member")? {
        let arn = group.need("TargetGroupArn")?;
        let weight: Option<u32> = group.parsed("Weight")?;
        group.finish()?;
        groups.push(Weighted { group: arn.into(), weight: weight.unwrap_or(1) });
    }
    if let Some(mut sticky) = config.nested("TargetGroupStickinessConfig") {
        let enabled: Option<bool> = sticky.parsed("Enabled")?;
        let _seconds: Option<u32> = sticky.parsed("DurationSeconds")?;
        sticky.finish()?;
        if enabled == Some(true) {
            let text = "The sandbox has no target group stickiness".to_owned();
            return Err(ElbRefusal::InvalidLoadBalancerAction(text));
        }
    }
    config.finish()?;
    Ok(groups)
}

/// Reads a rule's conditions, which must be query strings; none when the call has no such list.
pub(super) fn read_conditions(params: &mut Params) -> Result<Option<Vec<QueryCondition>>, ElbRefusal> {
    let groups = params.groups("Conditions.member")?;
    if groups.is_empty() {
        return Ok(None);
    }
    groups.into_iter().map(read_condition).collect::<Result<Vec<_>, _>>().map(Some)
}

fn read_condition(mut condition: Params) -> Result<QueryCondition, ElbRefusal> {
    let field = condition.need("Field")?;
    let config = condition.nested("QueryStringConfig");
    let (Some(mut config), "query-string") = (config, field.as_str()) else {
        let text = format!("The sandbox takes conditions on the query string, not on '{field}'");
        return Err(ElbRefusal::Validation(text));
    };
    let mut pairs = Vec::new();
    for mut pair in config.groups("Values.member")? {
        pairs.push(QueryPair { key: pair.take("Key"), value: pair.need("Value")? });
        pair.finish()?;
    }
    config.finish()?;
    condition.finish()?;
    if pairs.is_empty() {
        return Err(ElbRefusal::Validation("A condition must have a value".to_owned()));
    }
    Ok(QueryCondition { pairs })
}
