//! One release of a large fleet under AWS's published limits, against the shortest time in which it can be done.
//!
//! The engine, its decisions and the journal's records are the real ones; the world is one of thousands of servers in
//! which every call takes its time and its tokens, and nothing goes wrong. Time is virtual: what the engine itself
//! computes is told apart, as seconds of the processor.

mod app;
mod aws;
mod bound;
mod buckets;
mod journal;
mod process;
mod report;
mod server;
mod service;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use segue_domain::ids::{Actor, CheckName, ReleaseId, Version};
use segue_domain::plan::Kind;
use segue_domain::request::Request;
use segue_domain::service::Service;
use segue_domain::state::{ReleaseState, Stance};
use segue_engine::fakes::SeededEntropy;
use segue_engine::ports::ImageQuery;
use segue_engine::{By, ByTheDomain, Engine, Limits, Means, Ports, Rhythm, ServiceSetup, Settings};
use segue_journal::{Owner, Scope, Store, Stream, Via};
use tokio::time::{sleep, timeout};

use crate::commands::seed::Trace;
use journal::Counted;
use world::World;

pub use bound::{Bound, Part};
pub use journal::Written;
pub use report::Report;

/// A release that takes longer has failed.
const HORIZON: Duration = Duration::from_hours(24);
const LEASE_TTL: Duration = Duration::from_secs(30);

/// How large the fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub instances: u32,
    pub boards: u32,
    /// Load balancers that the service is spread over.
    pub balancers: u32,
}

impl Sizes {
    pub fn new(instances: u32, boards: u32) -> Self {
        Self { instances: instances.max(1), boards, balancers: 1 }
    }

    /// Blue and green are registered in one load balancer, or each in its own: where that is more than AWS gives, its
    /// quota was raised.
    fn targets_max(self) -> usize {
        let own = self.instances.div_ceil(self.balancers.max(1));
        let wanted = usize::try_from(own).unwrap_or(usize::MAX).saturating_mul(2);
        wanted.max(aws::TARGETS_MAX)
    }

    /// The most that a tick may ask of AWS and of Prometheus: each group once, each forward once, the instances of
    /// both fleets by pages, and the boards. Once in a release a step asks one thing more: free addresses, or errors.
    fn calls_of_a_tick(self) -> u64 {
        let groups = service::groups(self.balancers).count();
        let pages =
            usize::try_from(self.instances).unwrap_or(usize::MAX).saturating_mul(2).div_ceil(world::PAGE);
        let calls = u64::try_from(groups.saturating_add(pages)).unwrap_or(u64::MAX);
        calls.saturating_add(u64::from(self.balancers)).saturating_add(2)
    }
}

/// Carries one full release out, from its request to its verdict.
pub fn scale(sizes: Sizes, trace: Trace) -> Result<Report> {
    let cpu_before_s = process::cpu_s();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    let mut report = runtime.block_on(released(sizes, trace))?;
    report.cpu_s = process::cpu_s() - cpu_before_s;
    report.memory_peak_mib = process::memory_peak_mib();
    Ok(report)
}

async fn released(sizes: Sizes, trace: Trace) -> Result<Report> {
    let world = World::new(sizes);
    let journal = Arc::new(Counted::new(&world, trace.teller()));
    let service = service::service(sizes.balancers);
    let engine = begin(&world, &journal, service.clone());
    engine.leading().await;
    let raised = "the quota of targets was raised to what both fleets need".to_owned();
    let overrides = if sizes.targets_max() > aws::TARGETS_MAX {
        BTreeMap::from([(CheckName::new("targets"), raised)])
    } else {
        BTreeMap::new()
    };
    let version = Some(Version::new(service::NEW));
    let request = Request { kind: Kind::Full, version, parent: None, overrides };
    let by = By { actor: Actor::new("clock"), via: Via::Schedule, reason: None };
    let began_ms = world.now_ms();
    let release = engine.start(&service.name, request, None, by).await.context("the release was refused")?;
    world.now().calls.look_begins();
    let state = ended(&engine, &release).await?;
    let took_ms = world.now_ms().saturating_sub(began_ms);
    // What is only told comes to its end, too.
    sleep(Duration::from_secs(1)).await;
    drop(engine);
    journal.audit(&Stream::release(&release)).await;
    let mut report = report::of(&world, &journal, &state, took_ms);
    report.bound = bound::bound(sizes, &service);
    report.conclude();
    Ok(report)
}

fn begin(world: &World, journal: &Arc<Counted>, service: Service) -> Engine {
    let world = Arc::new(world.clone());
    let ports = Ports {
        cloud: Arc::<World>::clone(&world),
        balancer: Arc::<World>::clone(&world),
        metrics: Arc::<World>::clone(&world),
        boards: Arc::<World>::clone(&world),
        hooks: Arc::<World>::clone(&world),
        notifier: Arc::<World>::clone(&world),
    };
    let images = ImageQuery { owner: "self".to_owned(), tags: BTreeMap::new() };
    let store: Arc<dyn Store> = Arc::<Counted>::clone(journal);
    let settings = Settings {
        scope: Scope::new("segue"),
        owner: Owner::new("daemon"),
        lease_ttl: LEASE_TTL,
        limits: Limits::default(),
        rhythm: Rhythm::default(),
    };
    let means = Means {
        store,
        services: vec![ServiceSetup { service, images, ports, decider: Arc::new(ByTheDomain) }],
        clock: world,
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    Engine::begin(settings, means)
}

/// The release at its verdict. One that asks or holds has nobody here who would answer.
async fn ended(engine: &Engine, release: &ReleaseId) -> Result<Arc<ReleaseState>> {
    let mut watch = engine.watch(release).await?;
    let is_still = |state: &ReleaseState| matches!(state.stance, Stance::Going);
    let wait = watch.wait_for(|watch| !is_still(&watch.state));
    let seen = timeout(HORIZON, wait).await.context("the release did not end")??;
    match &seen.state.stance {
        Stance::Closed { .. } => Ok(Arc::clone(&seen.state)),
        stance @ (Stance::Going | Stance::Paused { .. } | Stance::Asking { .. } | Stance::Held { .. }) => {
            bail!("the release waits for a person: {stance:?}")
        }
    }
}
