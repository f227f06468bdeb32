//! Where a load balancer sends a request: weighted forward actions and query-string rules.
//!
//! Limits are those of an Application Load Balancer: five groups in one action, weights 0 to 999.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
//! Other kinds of action and condition are refused, not ignored.

use std::collections::BTreeSet;

use super::refusal::ElbRefusal;
use crate::names::{GroupArn, RuleArn};

/// Target groups in one forward action.
const GROUPS_MAX: usize = 5;
/// The largest weight of a group.
const WEIGHT_MAX: u32 = 999;

/// A forward action: groups with their weights, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forward {
    groups: Vec<Weighted>,
}

/// One group's share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weighted {
    pub(crate) group: GroupArn,
    pub(crate) weight: u32,
}

impl Forward {
    /// Checks the numbers; whether the groups exist is for the balancer to say.
    pub(crate) fn new(groups: Vec<Weighted>) -> Result<Self, ElbRefusal> {
        if groups.is_empty() {
            return Err(ElbRefusal::InvalidLoadBalancerAction("You must specify a target group".to_owned()));
        }
        if groups.len() > GROUPS_MAX {
            let text = format!("A forward action can have at most {GROUPS_MAX} target groups");
            return Err(ElbRefusal::InvalidLoadBalancerAction(text));
        }
        if let Some(heavy) = groups.iter().find(|g| g.weight > WEIGHT_MAX) {
            let text = format!("Target group weight '{}' must be between 0 and {WEIGHT_MAX}", heavy.weight);
            return Err(ElbRefusal::Validation(text));
        }
        let distinct: BTreeSet<_> = groups.iter().map(|g| &g.group).collect();
        if distinct.len() != groups.len() {
            return Err(ElbRefusal::Validation("Target group ARNs in an action must be unique".to_owned()));
        }
        Ok(Self { groups })
    }

    pub(crate) fn single(group: GroupArn) -> Self {
        Self { groups: vec![Weighted { group, weight: 1 }] }
    }

    pub(crate) fn groups(&self) -> &[Weighted] {
        &self.groups
    }

    /// The group that a draw from `0..total_weight()` falls on; none when every weight is 0.
    pub(crate) fn pick(&self, draw: u32) -> Option<&GroupArn> {
        let mut left = draw;
        for weighted in &self.groups {
            if left < weighted.weight {
                return Some(&weighted.group);
            }
            left -= weighted.weight;
        }
        None
    }

    pub(crate) fn total_weight(&self) -> u32 {
        self.groups.iter().map(|g| g.weight).sum()
    }
}

/// A rule of the listener: every condition must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) arn: RuleArn,
    /// Lower is tried earlier.
    pub(crate) priority: u32,
    pub(crate) conditions: Vec<QueryCondition>,
    pub(crate) forward: Forward,
}

/// A query-string condition: one of the pairs must be in the request's query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryCondition {
    pub(crate) pairs: Vec<QueryPair>,
}

/// `key=value`; without a key any key with that value matches. Compared without regard to case, as AWS does.
/// Wildcards are not supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryPair {
    pub(crate) key: Option<String>,
    pub(crate) value: String,
}

impl Rule {
    /// Whether a request with this query (without `?`) is for this rule.
    pub(crate) fn matches(&self, query: &str) -> bool {
        self.conditions.iter().all(|condition| condition.matches(query))
    }
}

impl QueryCondition {
    fn matches(&self, query: &str) -> bool {
        query.split('&').any(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            self.pairs.iter().any(|pair| {
                pair.key.as_ref().is_none_or(|k| k.eq_ignore_ascii_case(key))
                    && pair.value.eq_ignore_ascii_case(value)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighted(group: &str, weight: u32) -> Weighted {
        Weighted { group: group.into(), weight }
    }

    #[test]
    fn a_draw_falls_on_groups_by_their_weights() {
        let forward =
            Forward::new(vec![weighted("a", 2), weighted("b", 0), weighted("c", 1)]).expect("a legal action");
        let drawn: Vec<_> = (0..4).map(|draw| forward.pick(draw).map(GroupArn::as_str)).collect();
        assert_eq!(drawn, [Some("a"), Some("a"), Some("c"), None]);
    }

    #[test]
    fn illegal_actions_are_refused() {
        assert!(Forward::new(vec![]).is_err());
        assert!(Forward::new(vec![weighted("a", 1000)]).is_err());
        assert!(Forward::new(vec![weighted("a", 1), weighted("a", 2)]).is_err());
        let six = (0..6).map(|n| weighted(&n.to_string(), 1)).collect();
        assert!(Forward::new(six).is_err());
    }

    #[test]
    fn a_rule_looks_for_its_pair_anywhere_in_the_query() {
        let pair = QueryPair { key: Some("srv".into()), value: "s07".into() };
        let rule = Rule {
            arn: "r".into(),
            priority: 1,
            conditions: vec![QueryCondition { pairs: vec![pair] }],
            forward: Forward::single("g".into()),
        };
        assert!(rule.matches("board=b1&srv=s07"));
        assert!(rule.matches("SRV=S07"));
        for other in ["", "srv=s070", "srv", "board=s07", "xsrv=s07"] {
            assert!(!rule.matches(other), "{other}");
        }
    }
}
