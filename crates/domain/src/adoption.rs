//! Taking in running servers that Segue did not launch: from what somebody asked for, and the world as it is, to
//! a plan, or to a refusal that changes nothing.
//!
//! A plan is shown to a person first. What is done is done only if the world still gives the same plan: that it
//! stands on the same [facts](AdoptionPlan::basis).

mod refusal;
mod shown;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use crate::app::AppStatus;
use crate::ids::{GroupArn, ImageId, InstanceId, Route, ServiceName, Version};
use crate::instance::InstanceState;
use crate::reading::{Reading, Why};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::service_state::{Adoption, ServiceState};
use crate::stranger::Stranger;
use crate::target::{Targets, staying};

pub use refusal::Unfit;
pub(crate) use shown::changes;

/// What somebody asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdoptionRequest {
    /// Empty: whoever is registered in the service's colour groups.
    pub instances: BTreeSet<InstanceId>,
    /// For servers whose version nothing else says.
    pub version: Option<Version>,
}

/// What was just read of the outside world, complete, or there is no plan.
#[derive(Debug, Clone, Copy)]
pub struct AdoptionFacts<'a> {
    pub service: &'a Service,
    /// Targets of the colours, the canary groups and the slots.
    pub targets: &'a BTreeMap<GroupArn, Targets>,
    /// As far as EC2 knows them, those that [`candidates`] names.
    pub servers: &'a BTreeMap<InstanceId, Stranger>,
    /// What they say of themselves: of each that runs, its answer or why there is none.
    pub apps: &'a BTreeMap<InstanceId, Reading<AppStatus>>,
    pub history: &'a ServiceState,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptionPlan {
    pub service: ServiceName,
    /// Those that are taken in.
    pub servers: BTreeMap<InstanceId, Newcomer>,
    /// Those that carry all of the service's tags already.
    pub tagged: BTreeSet<InstanceId>,
}

/// A server that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    pub image: ImageId,
    pub address: Option<String>,
    pub version: Version,
    pub known_by: KnownBy,
    /// Why its application could not be asked: then nobody has compared the version with its word.
    pub unread: Option<Why>,
    /// The groups of the weighted forward in which it is registered.
    pub groups: BTreeSet<GroupArn>,
    /// The route slot that leads to it.
    pub route: Option<Route>,
}

/// Who says which version a server runs. The first that says something is named; none may contradict it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownBy {
    /// Its AMI's `releaseVersion` tag.
    Image,
    /// The application's own `status`.
    Application,
    /// A `segue:version` tag that somebody wrote.
    Tag,
    /// Whoever asked.
    Asked,
}

/// The servers that have to be looked at for a request.
pub fn candidates(
    request: &AdoptionRequest,
    service: &Service,
    targets: &BTreeMap<GroupArn, Targets>,
) -> BTreeSet<InstanceId> {
    if !request.instances.is_empty() {
        return request.instances.clone();
    }
    let groups = service.routing.forwarded().filter_map(|group| targets.get(group));
    groups.flat_map(staying).cloned().collect()
}

/// What is left of an adoption that was begun, and who of it can be given nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    pub plan: AdoptionPlan,
    /// Those that do not run any more: nobody looks whether they have their tags.
    pub away: BTreeSet<InstanceId>,
}

/// Makes the plan of an adoption.
pub fn plan(request: &AdoptionRequest, facts: &AdoptionFacts<'_>) -> Result<AdoptionPlan, Refusal> {
    if let Some(active) = facts.history.active() {
        return Err(Refusal::ReleaseActive { active: active.release.clone() });
    }
    let candidates = candidates(request, facts.service, facts.targets);
    if candidates.is_empty() {
        return Err(Refusal::NothingRuns {});
    }
    let asked = candidates.iter().map(|id| (id, request.version.as_ref()));
    Ok(planned(asked, facts)?)
}

/// What is left to be done of an adoption that was begun and of which nobody saw the end. Servers that do not run
/// any more are left alone and named; the versions are those that were confirmed.
pub fn plan_rest(begun: &Adoption, facts: &AdoptionFacts<'_>) -> Result<Rest, Unfit> {
    let runs = |id: &InstanceId| facts.servers.get(id).is_some_and(|it| it.state == InstanceState::Running);
    let rest = begun.servers.iter().filter(|(id, _)| runs(id));
    let plan = planned(rest.map(|(id, taken)| (id, Some(&taken.version))), facts)?;
    Ok(Rest { plan, away: begun.servers.keys().filter(|id| !runs(id)).cloned().collect() })
}

fn planned<'a>(
    asked: impl Iterator<Item = (&'a InstanceId, Option<&'a Version>)> + Clone,
    facts: &AdoptionFacts<'_>,
) -> Result<AdoptionPlan, Unfit> {
    // One owner is told with all that it owns, because all of it is mended at once.
    refuse_owned(asked.clone().filter_map(|(id, _)| facts.servers.get(id)))?;
    let mut plan = AdoptionPlan {
        service: facts.service.name.clone(),
        servers: BTreeMap::new(),
        tagged: BTreeSet::new(),
    };
    for (id, version) in asked {
        let unknown = || Unfit::InstanceUnknown { instance: id.clone() };
        let server = facts.servers.get(id).ok_or_else(unknown)?;
        if server.has_all_tags_of(&facts.service.name) {
            plan.tagged.insert(id.clone());
        } else {
            plan.servers.insert(id.clone(), newcomer(server, version, facts)?);
        }
    }
    Ok(plan)
}

/// What Segue stops its group would replace, and what Segue keeps its group would terminate.
fn refuse_owned<'a>(servers: impl Iterator<Item = &'a Stranger> + Clone) -> Result<(), Unfit> {
    let Some(group) = servers.clone().find_map(Stranger::scaling_group) else { return Ok(()) };
    let members = servers.filter(|it| it.scaling_group() == Some(group)).map(|it| it.id.clone());
    Err(Unfit::OwnedByScalingGroup { group: group.to_owned(), instances: members.collect() })
}

fn newcomer(
    server: &Stranger,
    asked: Option<&Version>,
    facts: &AdoptionFacts<'_>,
) -> Result<Newcomer, Unfit> {
    let instance = || server.id.clone();
    if let Some(other) = server.service().filter(|tagged| *tagged != facts.service.name.as_str()) {
        return Err(Unfit::TaggedForAnotherService { instance: instance(), service: other.to_owned() });
    }
    if server.state != InstanceState::Running {
        return Err(Unfit::NotRunning { instance: instance(), state: server.state });
    }
    let groups = groups_of(&server.id, facts);
    if groups.is_empty() {
        return Err(Unfit::InNoColourGroup { instance: instance() });
    }
    let app = facts.apps.get(&server.id);
    let (version, known_by) = version::of(server, app, asked)?;
    Ok(Newcomer {
        image: server.image.clone(),
        address: server.address.clone(),
        version,
        known_by,
        unread: app.and_then(Reading::why).cloned(),
        groups,
        route: route_of(&server.id, facts),
    })
}

fn is_in(group: &GroupArn, id: &InstanceId, facts: &AdoptionFacts<'_>) -> bool {
    facts.targets.get(group).is_some_and(|targets| staying(targets).any(|member| member == id))
}

fn groups_of(id: &InstanceId, facts: &AdoptionFacts<'_>) -> BTreeSet<GroupArn> {
    facts.service.routing.forwarded().filter(|group| is_in(group, id, facts)).cloned().collect()
}

fn route_of(id: &InstanceId, facts: &AdoptionFacts<'_>) -> Option<Route> {
    let slot = facts.service.routing.slots().find(|slot| is_in(&slot.group, id, facts));
    slot.map(|slot| slot.route.clone())
}

impl AdoptionPlan {
    /// Nobody is left to be taken in.
    pub fn is_done(&self) -> bool {
        self.servers.is_empty()
    }
}

impl KnownBy {
    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "its AMI",
            Self::Application => "the application",
            Self::Tag => "its tag",
            Self::Asked => "the request",
        }
    }
}
