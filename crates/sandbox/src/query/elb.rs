//! Elastic Load Balancing's actions, version 2015-12-01: each reads its call, asks the world and writes the
//! answer.
//!
//! Only what a release needs: load balancers, listeners, rules and groups are described and their actions
//! changed, targets come and go. Nothing is created or deleted.

mod action;
mod balancers;
mod groups;
mod listeners;
mod rules;
mod targets;

use super::params::{ParamError, Params};
use super::xml::Call;
use crate::world::{At, ElbRefusal, World, elb_tolls};

/// Things on one page of an answer, when the call does not say.
const PAGE_MAX: usize = 400;

/// The actions that are answered.
pub(super) const ACTIONS: [&str; 11] = [
    "DeregisterTargets",
    "DescribeListeners",
    "DescribeLoadBalancers",
    "DescribeRules",
    "DescribeTags",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "ModifyListener",
    "ModifyRule",
    "RegisterTargets",
];

/// Answers a call, or says why not.
pub(super) fn answer(
    world: &mut World,
    now: At,
    call: Call<'_>,
    params: Params,
) -> Result<String, ElbRefusal> {
    if ACTIONS.contains(&call.action) && !world.admits(call.action, &elb_tolls(call.action), now) {
        return Err(ElbRefusal::Throttled);
    }
    match call.action {
        "DescribeLoadBalancers" => balancers::describe(world, params).map(|body| call.elb(body)),
        "DescribeTags" => balancers::describe_tags(world, params).map(|body| call.elb(body)),
        "DescribeTargetGroups" => groups::describe(world, params).map(|body| call.elb(body)),
        "DescribeTargetGroupAttributes" => {
            groups::describe_attributes(world, params).map(|body| call.elb(body))
        }
        "DescribeTargetHealth" => targets::describe_health(world, params).map(|body| call.elb(body)),
        "RegisterTargets" => targets::register(world, now, params).map(|body| call.elb(body)),
        "DeregisterTargets" => targets::deregister(world, now, params).map(|body| call.elb(body)),
        "DescribeListeners" => listeners::describe(world, params).map(|body| call.elb(body)),
        "ModifyListener" => listeners::modify(world, now, params).map(|body| call.elb(body)),
        "DescribeRules" => rules::describe(world, params).map(|body| call.elb(body)),
        "ModifyRule" => rules::modify(world, now, params).map(|body| call.elb(body)),
        "" => Err(ElbRefusal::Validation("1 validation error detected: Action must not be null".to_owned())),
        other => Err(ElbRefusal::UnknownAction(other.to_owned())),
    }
}

impl From<ParamError> for ElbRefusal {
    fn from(error: ParamError) -> Self {
        Self::Validation(error.to_string())
    }
}

/// Which page a call asks for: `PageSize` and `Marker`.
#[derive(Debug, Clone, Copy)]
struct Page {
    size: usize,
    skip: usize,
}

fn page(params: &mut Params) -> Result<Page, ElbRefusal> {
    let size: Option<usize> = params.parsed("PageSize")?;
    if size.is_some_and(|n| n == 0 || n > PAGE_MAX) {
        let text = format!("Page size must be between 1 and {PAGE_MAX}");
        return Err(ElbRefusal::Validation(text));
    }
    let skip = params.parsed::<usize>("Marker")?.unwrap_or(0);
    Ok(Page { size: size.unwrap_or(PAGE_MAX), skip })
}

impl Page {
    /// The things of this page, and the marker of the next when there is one.
    fn cut<T>(self, things: impl Iterator<Item = T>) -> (Vec<T>, Option<String>) {
        let mut left = things.skip(self.skip);
        let page: Vec<T> = left.by_ref().take(self.size).collect();
        let next = left.next().map(|_| self.skip.saturating_add(page.len()).to_string());
        (page, next)
    }
}

/// The answer of a call that says nothing but yes.
#[derive(Debug, serde::Serialize)]
struct Nothing {}
