//! The shares of the one weighted forward of a listener or a rule.
//!
//! ELBv2 replaces the whole list of actions, so a change is read, modify, write: what this crate does not
//! know stays as it was read. Two writers at one time would lose a change; the engine's lease makes it one.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, AuthenticateOidcActionConfig, ForwardActionConfig, TargetGroupTuple,
};
use segue_domain::ids::{ForwardArn, GroupArn};
use segue_domain::target::Weights;
use segue_engine::ports::CallError;

use crate::balancer::Balancer;
use crate::calls::Purpose;

/// A group that names no weight has this one. Source: ELBv2 API, TargetGroupTuple.
const DEFAULT_WEIGHT: i32 = 1;
/// The largest weight that ELBv2 takes.
const WEIGHT_MAX: u16 = 999;

/// What carries the forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// A listener's default action.
    Listener,
    Rule,
}

pub(crate) async fn read(balancer: &Balancer, forward: &ForwardArn) -> Result<Weights, CallError> {
    let actions = actions(balancer, Purpose::Look, carrier(forward)?, forward).await?;
    let config = forward_of(&actions, forward)?;
    let mut weights = Weights::new();
    for group in config.target_groups() {
        let arn = group.target_group_arn();
        let arn =
            arn.ok_or_else(|| CallError::bug(format!("{forward} forwards to a group without its ARN")))?;
        let weight = u16::try_from(group.weight().unwrap_or(DEFAULT_WEIGHT)).ok();
        let weight = weight.filter(|weight| *weight <= WEIGHT_MAX);
        let weight = weight.ok_or_else(|| {
            CallError::bug(format!("{forward} gives {arn} a weight that is none: {:?}", group.weight()))
        })?;
        weights.insert(GroupArn::new(arn), weight);
    }
    Ok(weights)
}

/// Nothing is written when the shares already are as asked.
pub(crate) async fn write(
    balancer: &Balancer,
    forward: &ForwardArn,
    weights: &Weights,
) -> Result<(), CallError> {
    if let Some((group, weight)) = weights.iter().find(|(_, weight)| **weight > WEIGHT_MAX) {
        return Err(CallError::bug(format!("a weight is 0 to {WEIGHT_MAX}, not {weight} for {group}")));
    }
    let carrier = carrier(forward)?;
    let before = actions(balancer, Purpose::Change, carrier, forward).await?;
    let config = reweighted(forward_of(&before, forward)?, weights);
    let after: Vec<Action> = before.iter().map(|action| replaced(action, &config)).collect();
    if forwards(&after) == forwards(&before) {
        return Ok(());
    }
    match carrier {
        Carrier::Listener => {
            let asking = balancer.client.modify_listener().listener_arn(forward.as_str());
            let asking = asking.set_default_actions(Some(after));
            balancer.calls.change("ModifyListener", asking.send()).await?;
        }
        Carrier::Rule => {
            let asking = balancer.client.modify_rule().rule_arn(forward.as_str()).set_actions(Some(after));
            balancer.calls.change("ModifyRule", asking.send()).await?;
        }
    }
    Ok(())
}

fn carrier(forward: &ForwardArn) -> Result<Carrier, CallError> {
    if forward.is_rule() {
        Ok(Carrier::Rule)
    } else if forward.as_str().contains(":listener/") {
        Ok(Carrier::Listener)
    } else {
        Err(CallError::refused(format!("{forward} is neither a listener nor a listener rule")))
    }
}

async fn actions(
    balancer: &Balancer,
    purpose: Purpose,
    carrier: Carrier,
    forward: &ForwardArn,
) -> Result<Vec<Action>, CallError> {
    let found = match carrier {
        Carrier::Listener => {
            let asking = balancer.client.describe_listeners().listener_arns(forward.as_str());
            let answer = balancer.calls.read_for(purpose, "DescribeListeners", asking.send()).await;
            let answer = answer.map_err(|failure| failure.about(forward))?;
            let listeners = answer.listeners.unwrap_or_default().into_iter();
            listeners
                .map(|l| (l.listener_arn, l.default_actions))
                .find(|(arn, _)| is(arn.as_deref(), forward))
        }
        Carrier::Rule => {
            let asking = balancer.client.describe_rules().rule_arns(forward.as_str());
            let answer = balancer.calls.read_for(purpose, "DescribeRules", asking.send()).await;
            let answer = answer.map_err(|failure| failure.about(forward))?;
            let rules = answer.rules.unwrap_or_default().into_iter();
            rules.map(|r| (r.rule_arn, r.actions)).find(|(arn, _)| is(arn.as_deref(), forward))
        }
    };
    match found {
        Some((_, actions)) => Ok(actions.unwrap_or_default()),
        None => Err(CallError::unknown(format!("ELB did not describe {forward}"))),
    }
}

fn is(arn: Option<&str>, forward: &ForwardArn) -> bool {
    arn == Some(forward.as_str())
}

/// The forward of these actions; ELBv2 allows at most one. A forward to one group may name it alone.
fn forward_of(actions: &[Action], forward: &ForwardArn) -> Result<ForwardActionConfig, CallError> {
    let action = actions.iter().find(|action| action.r#type() == Some(&ActionTypeEnum::Forward));
    let action =
        action.ok_or_else(|| CallError::refused(format!("{forward} has no action that forwards")))?;
    match (action.forward_config(), action.target_group_arn()) {
        (Some(config), _) if !config.target_groups().is_empty() => Ok(config.clone()),
        (config, Some(group)) => {
            let stickiness = config.and_then(|config| config.target_group_stickiness_config()).cloned();
            let only = TargetGroupTuple::builder().target_group_arn(group).weight(DEFAULT_WEIGHT).build();
            let builder = ForwardActionConfig::builder().target_groups(only);
            Ok(builder.set_target_group_stickiness_config(stickiness).build())
        }
        (_, None) => Err(CallError::refused(format!("{forward} forwards to no group"))),
    }
}

/// New shares for the groups named; a group that was not in comes in, one that is not named stays as it is.
fn reweighted(mut config: ForwardActionConfig, weights: &Weights) -> ForwardActionConfig {
    let mut groups = config.target_groups.take().unwrap_or_default();
    for (arn, weight) in weights {
        let weight = Some(i32::from(*weight));
        match groups.iter_mut().find(|group| group.target_group_arn() == Some(arn.as_str())) {
            Some(group) => group.weight = weight,
            None => groups
                .push(TargetGroupTuple::builder().target_group_arn(arn.as_str()).set_weight(weight).build()),
        }
    }
    config.target_groups = Some(groups);
    config
}

/// An action as it is written back.
fn replaced(action: &Action, config: &ForwardActionConfig) -> Action {
    let mut action = action.clone();
    if action.r#type() == Some(&ActionTypeEnum::Forward) {
        action.forward_config = Some(config.clone());
        // Beside a list of several groups ELBv2 refuses a group of its own; the list has it.
        action.target_group_arn = None;
    }
    if let Some(oidc) = action.authenticate_oidc_config.as_mut() {
        keep_secret(oidc);
    }
    action
}

/// The secret is never told, so it can only be kept by saying so.
fn keep_secret(oidc: &mut AuthenticateOidcActionConfig) {
    if oidc.client_secret.is_none() {
        oidc.use_existing_client_secret = Some(true);
    }
}

fn forwards(actions: &[Action]) -> Vec<Option<&ForwardActionConfig>> {
    actions.iter().map(Action::forward_config).collect()
}

#[cfg(test)]
mod tests {
    use segue_engine::ports::Class;

    use super::*;
    use crate::stub::{Stub, elb_answer, elb_refusal};

    const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/boards/50/60";
    const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/boards/50/60/70";

    const ACTIONS: &str = "<member><Type>authenticate-oidc</Type><Order>1</Order><AuthenticateOidcConfig>\
        <Issuer>https://issuer</Issuer><AuthorizationEndpoint>https://issuer/a</AuthorizationEndpoint>\
        <TokenEndpoint>https://issuer/t</TokenEndpoint><UserInfoEndpoint>https://issuer/u</UserInfoEndpoint>\
        <ClientId>boards</ClientId></AuthenticateOidcConfig></member>\
        <member><Type>forward</Type><Order>2</Order><ForwardConfig><TargetGroups>\
        <member><TargetGroupArn>tg-a</TargetGroupArn><Weight>100</Weight></member>\
        <member><TargetGroupArn>tg-b</TargetGroupArn><Weight>0</Weight></member>\
        <member><TargetGroupArn>tg-c</TargetGroupArn></member></TargetGroups>\
        <TargetGroupStickinessConfig><Enabled>true</Enabled><DurationSeconds>3600</DurationSeconds>\
        </TargetGroupStickinessConfig></ForwardConfig></member>";

    fn listener(actions: &str) -> String {
        let member = format!(
            "<member><ListenerArn>{LISTENER}</ListenerArn><DefaultActions>{actions}</DefaultActions></member>"
        );
        elb_answer("DescribeListeners", &format!("<Listeners>{member}</Listeners>"))
    }

    fn rule(actions: &str) -> String {
        let member = format!("<member><RuleArn>{RULE}</RuleArn><Actions>{actions}</Actions></member>");
        elb_answer("DescribeRules", &format!("<Rules>{member}</Rules>"))
    }

    fn shares(weights: &[(&str, u16)]) -> Weights {
        weights.iter().map(|(group, weight)| (GroupArn::new(*group), *weight)).collect()
    }

    #[tokio::test]
    async fn the_shares_of_a_listener_are_those_of_its_default_action() {
        let stub = Stub::start([(200, listener(ACTIONS))]).await;
        let weights = stub.balancer().await.weights(&ForwardArn::new(LISTENER)).await.expect("weights");
        assert_eq!(weights, shares(&[("tg-a", 100), ("tg-b", 0), ("tg-c", 1)]));
        assert_eq!(stub.asked()[0].field("ListenerArns.member.1"), Some(LISTENER));
    }

    #[tokio::test]
    async fn new_shares_leave_everything_else_of_a_listener_as_it_was() {
        let stub = Stub::start([(200, listener(ACTIONS)), (200, elb_answer("ModifyListener", ""))]).await;
        let weights = shares(&[("tg-a", 50), ("tg-b", 50)]);
        stub.balancer().await.set_weights(&ForwardArn::new(LISTENER), &weights).await.expect("set");
        let asked = stub.asked();
        let request = &asked[1];
        for (name, value) in [
            ("Action", "ModifyListener"),
            ("ListenerArn", LISTENER),
            ("DefaultActions.member.1.Type", "authenticate-oidc"),
            ("DefaultActions.member.1.AuthenticateOidcConfig.ClientId", "boards"),
            ("DefaultActions.member.1.AuthenticateOidcConfig.UseExistingClientSecret", "true"),
            ("DefaultActions.member.2.Type", "forward"),
            ("DefaultActions.member.2.Order", "2"),
            ("DefaultActions.member.2.ForwardConfig.TargetGroupStickinessConfig.Enabled", "true"),
            ("DefaultActions.member.2.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds", "3600"),
        ] {
            assert_eq!(request.field(name), Some(value), "{name}");
        }
        assert_eq!(
            request.pairs(
                "DefaultActions.member.2.ForwardConfig.TargetGroups.member",
                "TargetGroupArn",
                "Weight"
            ),
            [("tg-a", "50"), ("tg-b", "50")]
        );
        let third = "DefaultActions.member.2.ForwardConfig.TargetGroups.member.3";
        assert_eq!(request.field(&format!("{third}.TargetGroupArn")), Some("tg-c"));
        assert_eq!(request.field(&format!("{third}.Weight")), None);
    }

    #[tokio::test]
    async fn a_rule_is_changed_as_a_rule() {
        let alone = "<member><Type>forward</Type><TargetGroupArn>tg-a</TargetGroupArn></member>";
        let stub =
            Stub::start([(200, rule(alone)), (200, rule(alone)), (200, elb_answer("ModifyRule", ""))]).await;
        let balancer = stub.balancer().await;
        let forward = ForwardArn::new(RULE);
        assert_eq!(balancer.weights(&forward).await, Ok(shares(&[("tg-a", 1)])));
        balancer.set_weights(&forward, &shares(&[("tg-b", 10)])).await.expect("set");
        let asked = stub.asked();
        assert_eq!(asked[2].field("Action"), Some("ModifyRule"));
        assert_eq!(asked[2].field("RuleArn"), Some(RULE));
        assert_eq!(asked[2].field("Actions.member.1.TargetGroupArn"), None);
        assert_eq!(
            asked[2].pairs("Actions.member.1.ForwardConfig.TargetGroups.member", "TargetGroupArn", "Weight"),
            [("tg-a", "1"), ("tg-b", "10")]
        );
    }

    #[tokio::test]
    async fn shares_that_already_are_as_asked_are_not_written() {
        let stub = Stub::start([(200, listener(ACTIONS))]).await;
        let weights = shares(&[("tg-a", 100), ("tg-b", 0)]);
        stub.balancer().await.set_weights(&ForwardArn::new(LISTENER), &weights).await.expect("nothing to do");
        assert_eq!(stub.asked().len(), 1);
    }

    #[tokio::test]
    async fn what_is_no_weighted_forward_is_refused() {
        let redirect = "<member><Type>redirect</Type></member>";
        let stub = Stub::start([
            (200, listener(redirect)),
            (400, elb_refusal("ListenerNotFound")),
            (200, elb_answer("DescribeListeners", "<Listeners></Listeners>")),
        ])
        .await;
        let balancer = stub.balancer().await;
        let forward = ForwardArn::new(LISTENER);
        for class in [Class::Refused, Class::Refused, Class::Unknown] {
            assert_eq!(balancer.weights(&forward).await.expect_err("no forward").class, class);
        }
        let group = ForwardArn::new("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1");
        assert_eq!(balancer.weights(&group).await.expect_err("no listener").class, Class::Refused);
        let heavy = shares(&[("tg-a", 1000)]);
        assert_eq!(balancer.set_weights(&forward, &heavy).await.expect_err("too heavy").class, Class::Bug);
        assert_eq!(stub.asked().len(), 3);
    }
}
