//! `DescribeInstances` and `DescribeInstanceStatus`.
//!
//! Pages are counted by instance, not by reservation, as on AWS.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use serde::Serialize;

use super::super::filter::{self, Filter};
use super::super::page::{self, Page};
use super::super::params::Params;
use super::super::xml::Set;
use super::instance_view::{ReservationItem, StateItem, reservations};
use super::{finish_read, instance_ids};
use crate::names::InstanceId;
use crate::world::{Ec2Refusal, Instance, InstanceState, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reservations {
    reservation_set: Set<ReservationItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statuses {
    instance_status_set: Set<StatusItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusItem {
    instance_id: InstanceId,
    availability_zone: String,
    instance_state: StateItem,
    system_status: SummaryItem,
    instance_status: SummaryItem,
}

#[derive(Debug, Serialize)]
struct SummaryItem {
    status: &'static str,
}

/// Lists instances by id, or by filters in pages.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Reservations, Ec2Refusal> {
    let ask = read(world, &mut params)?;
    finish_read(params)?;
    let (page, next_token) = ask.page.cut(ask.found(world)?.into_iter(), |i| i.seq);
    Ok(Reservations { reservation_set: reservations(page).into_iter().collect(), next_token })
}

/// Lists the health of the machines, which in the sandbox is `ok` for everything that runs.
pub(super) fn describe_status(world: &World, mut params: Params) -> Result<Statuses, Ec2Refusal> {
    let ask = read(world, &mut params)?;
    let all: Option<bool> = params.parsed("IncludeAllInstances")?;
    finish_read(params)?;
    let mut found = ask.found(world)?;
    found.retain(|i| all == Some(true) || i.state() == InstanceState::Running);
    let (page, next_token) = ask.page.cut(found.into_iter(), |i| i.seq);
    Ok(Statuses { instance_status_set: page.into_iter().map(status).collect(), next_token })
}

/// What both calls may ask.
#[derive(Debug)]
struct Ask {
    ids: Vec<InstanceId>,
    filters: Vec<Filter>,
    page: Page,
}

fn read(world: &World, params: &mut Params) -> Result<Ask, Ec2Refusal> {
    let ids = instance_ids(params)?;
    let filters = filter::read(params)?;
    let page = page::read(params)?;
    if !ids.is_empty() && page.size.is_some() {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Ec2Refusal::InvalidParameterCombination(text.to_owned()));
    }
    world.cloud.require(&ids)?;
    Ok(Ask { ids, filters, page })
}

impl Ask {
    fn found<'a>(&self, world: &'a World) -> Result<Vec<&'a Instance>, Ec2Refusal> {
        let mut found = Vec::new();
        for instance in world.cloud.seen_instances() {
            let asked = self.ids.is_empty() || self.ids.contains(&instance.id);
            if asked && filter::matches(&self.filters, instance)? {
                found.push(instance);
            }
        }
        Ok(found)
    }
}

fn status(instance: &Instance) -> StatusItem {
    let status = if instance.state() == InstanceState::Running { "ok" } else { "not-applicable" };
    StatusItem {
        instance_id: instance.id.clone(),
        availability_zone: instance.zone.clone(),
        instance_state: instance.state().into(),
        system_status: SummaryItem { status },
        instance_status: SummaryItem { status },
    }
}
