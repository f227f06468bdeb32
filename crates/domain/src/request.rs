//! From what somebody asked for, and the world as it is, to a plan, or to a refusal that changes nothing.

mod seats;
mod shares;
mod survey;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::check_names;
use crate::ids::{CheckName, ForwardArn, GroupArn, InstanceId, ReleaseId, Version};
use crate::instance::{Image, Instance};
use crate::plan::{Front, Kind, Plan};
use crate::refusal::Refusal;
use crate::service::{Balancer, Service, Workload};
use crate::service_state::ServiceState;
use crate::target::{Targets, Weights};

pub use words::may_say;

use seats::Seats;
use shares::Shares;
use survey::Survey;

/// What somebody called a check is told no longer than this.
const NAME_CHARS_MAX: usize = 100;

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    /// None: the version whose canary passed last, else the newest image; for a rollback the one before.
    pub version: Option<Version>,
    pub parent: Option<ReleaseId>,
    pub overrides: BTreeMap<CheckName, String>,
}

/// What was just read of the outside world, complete, or there is no plan.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub service: &'a Service,
    /// Images of the service, newest first.
    pub images: &'a [Image],
    /// Whether the launch template of the service exists.
    pub has_template: bool,
    pub instances: &'a BTreeMap<InstanceId, Instance>,
    /// Targets of the colours, the canary groups and the slots.
    pub targets: &'a BTreeMap<GroupArn, Targets>,
    /// The shares of every load balancer: no group has two.
    pub weights: &'a Weights,
    pub history: &'a ServiceState,
}

/// Makes the immutable plan of a release.
pub fn plan(request: &Request, facts: &Facts<'_>) -> Result<Plan, Refusal> {
    if let Some(active) = facts.history.active() {
        return Err(Refusal::ReleaseActive { active: active.release.clone() });
    }
    refuse_workload(facts.service)?;
    refuse_unknown_checks(&request.overrides)?;
    let survey = Survey::of(facts)?;
    let image = choose_image(request, facts, &survey)?;
    refuse_what_runs(request.kind, &image.version, facts, &survey)?;

    let leaving = survey.serving_other_than(&image.version);
    let takeover = match request.kind {
        Kind::Canary => BTreeSet::new(),
        Kind::Full | Kind::Rollback => survey.serving(&image.version),
    };
    let size = green_size(request.kind, facts, &survey, &takeover);
    let seats = seats::of(request.kind, facts, &survey, size, &takeover)?;
    let mut order = seats::in_turn(&seats);
    let (spares, zones) = seats::spares(&order, &survey.stopped(facts, &image));
    let launched = order.split_off(spares.len());
    if !facts.has_template && !launched.is_empty() {
        return Err(Refusal::TemplateGone { template: facts.service.launch.template.clone() });
    }
    Ok(Plan {
        release: facts.history.next_id(facts.instances.values()),
        kind: request.kind,
        parent: request.parent.clone(),
        service: facts.service.clone(),
        from_version: survey.running.clone(),
        blue_groups: survey.groups_of(&leaving),
        routes: survey.routes.clone(),
        homes: homes(facts.service, &survey, &takeover, &spares),
        fronts: fronts(request.kind, facts, &seats, &leaving, &takeover)?,
        floor: floor(facts.service, survey.fleet),
        passed_canary: facts.history.passed_canary(&image.version).map(|it| it.release.clone()),
        overrides: request.overrides.clone(),
        blue: leaving,
        batches: seats::spread(facts.service, &seats, &launched, zones),
        spares: spares.into_iter().map(|(id, _)| id.clone()).collect(),
        takeover,
        image,
    })
}

/// Where those serve that the plan knows by name. With one load balancer there is nothing to tell.
fn homes(
    service: &Service,
    survey: &Survey,
    takeover: &BTreeSet<InstanceId>,
    spares: &[(&InstanceId, &ForwardArn)],
) -> BTreeMap<InstanceId, ForwardArn> {
    if service.routing.others.is_empty() {
        return BTreeMap::new();
    }
    let here = takeover.iter().filter_map(|id| Some((id.clone(), survey.home(service, id)?.clone())));
    here.chain(spares.iter().map(|(id, forward)| ((*id).clone(), (*forward).clone()))).collect()
}

fn fronts(
    kind: Kind,
    facts: &Facts<'_>,
    seats: &[Seats<'_>],
    leaving: &BTreeSet<InstanceId>,
    takeover: &BTreeSet<InstanceId>,
) -> Result<Vec<Front>, Refusal> {
    let greens = seats.iter().map(|it| match it.seats {
        0 => Ok(None),
        _ => green_group(kind, facts, it.balancer, leaving).map(Some),
    });
    let greens: Vec<Option<GroupArn>> = greens.collect::<Result<_, _>>()?;
    let shares = Shares { facts, kind, takeover, seats, greens: &greens };
    let floor = floor(facts.service, seats.iter().map(|it| it.fleet).sum());
    let fronts = seats.iter().zip(&greens).map(|(here, green)| {
        Ok(Front {
            forward: here.balancer.forward.clone(),
            green_group: green.clone(),
            weights_before: shares.before(here.balancer)?,
            weights_shared: shares.shared(here, green.as_ref())?,
            weights_after: shares.after(here, green.as_ref())?,
            floor: if seats.len() == 1 { floor } else { here.floor },
        })
    });
    fronts.collect()
}

/// The other workloads are words so far: nothing is drained for requests, and nothing stopped for workers.
fn refuse_workload(service: &Service) -> Result<(), Refusal> {
    let unserved = match service.workload {
        Workload::Boards => return Ok(()),
        Workload::Requests => "requests",
        Workload::None => "none",
    };
    let what = format!("workload {unserved:?} is not served yet: only \"boards\" is");
    Err(Refusal::RequestInvalid { what })
}

/// A name that is misspelt would set nothing aside, and nobody would be told.
fn refuse_unknown_checks(overrides: &BTreeMap<CheckName, String>) -> Result<(), Refusal> {
    let is_known = |check: &&CheckName| check_names().any(|name| name == check.as_str());
    let Some(unknown) = overrides.keys().find(|check| !is_known(check)) else { return Ok(()) };
    let names: Vec<&str> = check_names().collect();
    let unknown: String = unknown.as_str().chars().take(NAME_CHARS_MAX).collect();
    let what = format!("there is no check {unknown:?}; the checks are {}", names.join(", "));
    Err(Refusal::RequestInvalid { what })
}

fn choose_image(request: &Request, facts: &Facts<'_>, survey: &Survey) -> Result<Image, Refusal> {
    if facts.images.is_empty() {
        return Err(Refusal::NoImages {});
    }
    let service = &facts.service.name;
    let other_served = || {
        let served = facts.history.served().into_iter();
        served.filter(|version| *version != survey.running).collect()
    };
    let version = match (&request.version, request.kind) {
        (Some(version), _) => version.clone(),
        (None, Kind::Rollback) => {
            let nothing = || Refusal::NothingBefore { service: service.clone(), served: other_served() };
            facts.history.version_before(&survey.running).cloned().ok_or_else(nothing)?
        }
        (None, Kind::Canary) => newest_image(facts, &survey.running)?,
        (None, Kind::Full) => proven_version(facts, &survey.running)?,
    };
    if request.kind == Kind::Rollback && !facts.history.has_served(&version) {
        let served: Vec<String> = facts.history.served().iter().map(ToString::to_string).collect();
        let served = if served.is_empty() { "none yet".to_owned() } else { served.join(", ") };
        let what = format!("version {version} never served here: a rollback goes to one that did ({served})");
        return Err(Refusal::RequestInvalid { what });
    }
    let image = facts.images.iter().find(|image| image.version == version);
    image.cloned().ok_or_else(|| match facts.instances.values().any(|it| it.version == version) {
        true => Refusal::ImageGone { version: version.clone() },
        false => Refusal::VersionUnknown {
            version: version.clone(),
            newest: facts.images.iter().take(3).map(|image| image.version.clone()).collect(),
        },
    })
}

/// The version whose canary passed last, else that of the newest AMI.
fn proven_version(facts: &Facts<'_>, running: &Version) -> Result<Version, Refusal> {
    let newer: Vec<&Version> = newer_than(facts, running).collect();
    let since = facts.history.releases.iter().rev().take_while(|it| !it.replaced_the_fleet());
    let passed = since
        .filter(|it| it.kind == Kind::Canary && newer.contains(&&it.version))
        .find(|it| facts.history.passed_canary(&it.version).is_some());
    passed.map_or_else(|| newest_image(facts, running), |it| Ok(it.version.clone()))
}

/// The version of the newest AMI that was not taken back.
fn newest_image(facts: &Facts<'_>, running: &Version) -> Result<Version, Refusal> {
    let mut taken_back = None;
    for version in newer_than(facts, running) {
        match facts.history.taken_back_by(version) {
            None => return Ok(version.clone()),
            Some(rollback) => taken_back = taken_back.or(Some((version.clone(), rollback.release.clone()))),
        }
    }
    Err(Refusal::NothingNew { running: running.clone(), taken_back })
}

fn newer_than<'a>(facts: &'a Facts<'_>, running: &Version) -> impl Iterator<Item = &'a Version> {
    facts.images.iter().map(|image| &image.version).take_while(move |version| *version != running)
}

fn refuse_what_runs(
    kind: Kind,
    version: &Version,
    facts: &Facts<'_>,
    survey: &Survey,
) -> Result<(), Refusal> {
    let is_running = *version == survey.running;
    let is_canary = kind == Kind::Canary && !is_running && !survey.serving(version).is_empty();
    let (service, version) = (facts.service.name.clone(), version.clone());
    match is_running || is_canary {
        true => Err(Refusal::VersionRunning { service, version, kind, is_canary }),
        false => Ok(()),
    }
}

/// As many as blue runs, or the configured size; a canary as many as its policy says. A load balancer of which only
/// canaries of another version are left is not of blue's fleet, and needs a server all the same.
fn green_size(kind: Kind, facts: &Facts<'_>, survey: &Survey, takeover: &BTreeSet<InstanceId>) -> u32 {
    let today = survey.fleet.saturating_add(survey.left_to_canaries(facts, takeover));
    let size = match kind {
        Kind::Canary => facts.service.canary.count,
        Kind::Full => facts.service.launch.size.unwrap_or(today),
        Kind::Rollback => today,
    };
    size.max(1)
}

/// Instances able to serve never fall below what ran before, or what is configured if that is less.
fn floor(service: &Service, fleet: u32) -> u32 {
    service.launch.size.map_or(fleet, |size| size.min(fleet))
}

fn green_group(
    kind: Kind,
    facts: &Facts<'_>,
    at: &Balancer,
    leaving: &BTreeSet<InstanceId>,
) -> Result<GroupArn, Refusal> {
    match kind {
        Kind::Canary => free_canary_group(facts, at).cloned().ok_or(Refusal::NoFreeCanaryGroup {}),
        Kind::Full | Kind::Rollback => {
            let holds_blue = |group: &GroupArn| {
                facts.targets.get(group).is_some_and(|targets| targets.keys().any(|id| leaving.contains(id)))
            };
            // Canaries of another version may have stayed in green's colour when a release turned back: it has
            // no share, and they go with the rest of blue.
            let only_canaries = |group: &GroupArn| {
                let canaries: BTreeSet<InstanceId> =
                    at.canaries.iter().flat_map(|it| survey::members(facts, it)).collect();
                facts.weights.get(group) == Some(&0)
                    && survey::members(facts, group).intersection(leaving).all(|id| canaries.contains(id))
            };
            let free = at.colours.iter().find(|group| !holds_blue(group));
            let free = free.or_else(|| at.colours.iter().find(|group| only_canaries(group)));
            free.cloned().ok_or_else(|| Refusal::NoFreeColour { groups: at.colours.to_vec() })
        }
    }
}

/// One group carries one canary.
fn free_canary_group<'a>(facts: &Facts<'_>, at: &'a Balancer) -> Option<&'a GroupArn> {
    at.canaries.iter().find(|group| survey::members(facts, group).is_empty())
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
