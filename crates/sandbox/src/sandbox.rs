//! One whole sandbox: its endpoints, its tasks, its fleet; started and ended as one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use segue_handover::auth::Key;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::SandboxConfig;
use crate::connections::Connections;
use crate::grounds::{Ears, Grounds};
use crate::lb::LbSettings;
use crate::machines::Machines;
use crate::names::InstanceId;
use crate::network::Block;
use crate::prometheus::Prometheus;
use crate::query::Endpoint;
use crate::ready::{InstancePorts, OtherBalancer, Ready};
use crate::runner::Runner;
use crate::sabotage::{self, Sabotage};
use crate::seed::{BLUE, Ground, Seeded, seed};
use crate::serve::{serve, serve_many};
use crate::shared::Shared;
use crate::simulated::{self, Simulated, Simulation};
use crate::{admin, fleet, health, lb, machines, query};

/// Connections that all simulated instances have at once: each may be asked by several, and keeps what is idle.
const SIMULATED_CONNECTIONS_MAX: usize = 65_536;
/// How long an endpoint may take to end its last requests.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// What a sandbox is started with.
#[derive(Debug)]
pub struct Start {
    /// Where the AWS endpoint listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// All the rest.
    pub config: SandboxConfig,
    /// The secret of the control contract.
    pub handover_key: String,
    /// Where logs go.
    pub data_dir: PathBuf,
    /// How instances are run that are not simulated.
    pub runner: Arc<dyn Runner>,
    /// The boards' database that instances are told of.
    pub store: Option<SocketAddr>,
    /// The wall clock's time now.
    pub now: jiff::Timestamp,
}

/// A running sandbox. Call [`Sandbox::shutdown`]; when it is dropped, instances may live on for a moment.
#[derive(Debug)]
pub struct Sandbox {
    ready: Ready,
    stop: CancellationToken,
    machines_stop: CancellationToken,
    tasks: JoinSet<()>,
    machines: JoinSet<()>,
    _leases: Vec<Block>,
}

/// What the tasks of a sandbox share.
struct Parts {
    shared: Arc<Shared>,
    simulated: Option<Arc<Simulated>>,
    listeners: Listeners,
    ears: Option<Ears>,
}

struct Listeners {
    aws: TcpListener,
    /// One for each load balancer.
    load_balancers: Vec<TcpListener>,
    prometheus: TcpListener,
    admin: TcpListener,
}

impl Sandbox {
    /// Starts everything and waits until the seeded fleet is healthy. What was started is ended again when
    /// something fails.
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        start.config.check()?;
        let Grounds { blocks, ports, leases, ears } = Grounds::take(&start.config)?;
        let listeners = Listeners::bind(&start).await?;
        let clock = Clock::starting_at(start.now);
        let seeded = seed(Ground {
            config: &start.config,
            blocks,
            lb_ports: listeners.lb_ports()?,
            traffic_port: ports.traffic,
            env: environment(&start, &listeners)?,
            now: clock.now(),
        });
        let simulated = simulated(&start, clock, &listeners)?;
        let (world, ready) = ready(&start, &listeners, ports, seeded)?;
        let shared = Arc::new(Shared::new(world, clock));
        let mut sandbox = Self {
            ready,
            stop: CancellationToken::new(),
            machines_stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            machines: JoinSet::new(),
            _leases: leases,
        };
        sandbox.spawn(
            &start,
            Parts { shared: Arc::clone(&shared), simulated: simulated.clone(), listeners, ears },
        );
        match settle(&shared, &start.config, &sandbox.ready, simulated.as_deref()).await {
            Ok(blue) => sandbox.ready.blue = blue,
            Err(error) => {
                sandbox.shutdown().await;
                return Err(error);
            }
        }
        Ok(sandbox)
    }

    /// Where everything is.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Ends the instances first, politely, and then everything else.
    pub async fn shutdown(mut self) {
        self.machines_stop.cancel();
        while self.machines.join_next().await.is_some() {}
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_REQUESTS, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    fn spawn(&mut self, start: &Start, parts: Parts) {
        let Parts { shared, simulated, listeners, ears } = parts;
        let connections = Arc::new(Connections::default());
        let stop = &self.stop;
        let runner =
            simulated.clone().map_or_else(|| Arc::clone(&start.runner), |it| Arc::new(Simulation(it)));
        let machines = Machines {
            shared: Arc::clone(&shared),
            runner,
            connections: Arc::clone(&connections),
            kill_after: Duration::from_millis(start.config.instances.kill_after_ms),
        };
        self.machines.spawn(machines::run(machines, self.machines_stop.clone()));
        let lb = lb_settings(&start.config);
        for own in listeners.load_balancers.into_iter().enumerate() {
            let routed = Arc::clone(&connections);
            self.tasks.spawn(lb::run(own, lb, Arc::clone(&shared), routed, stop.clone()));
        }
        self.tasks.spawn(health::run(Arc::clone(&shared), simulated.clone(), stop.clone()));
        let prometheus = Prometheus::new(Arc::clone(&shared), simulated.clone(), self.ready.ports.control);
        let interval = Duration::from_millis(start.config.prometheus.interval_ms);
        self.tasks.spawn(Arc::clone(&prometheus).scrape(interval, stop.clone()));
        self.tasks.spawn(serve(listeners.prometheus, prometheus.router(), stop.clone()));
        let fleet = self.ready.target_groups.get(BLUE);
        let fleet = fleet.filter(|_| start.config.sabotage == Some(Sabotage::TerminateEarly));
        if let Some(fleet) = fleet {
            let early = sabotage::terminate_early(Arc::clone(&shared), fleet.clone(), stop.clone());
            self.tasks.spawn(early);
        }
        if let Some(fleet) = start.config.fleet.as_ref()
            && start.config.sabotage == Some(Sabotage::LaunchTwice)
        {
            self.tasks.spawn(sabotage::launch_twice(Arc::clone(&shared), fleet.count, stop.clone()));
        }
        if let Some((simulated, ears)) = simulated.clone().zip(ears) {
            self.hear(ears, &simulated);
        }
        let behind = admin::router(Arc::clone(&shared), connections, simulated);
        self.tasks.spawn(serve(listeners.admin, behind, self.stop.clone()));
        let aws = query::router(Endpoint {
            shared,
            credentials: start.config.credentials.clone(),
            region: start.config.region.clone(),
        });
        self.tasks.spawn(serve(listeners.aws, aws, self.stop.clone()));
    }

    /// Answers for all simulated instances.
    fn hear(&mut self, ears: Ears, simulated: &Arc<Simulated>) {
        let (traffic, control) = (Arc::clone(simulated), Arc::clone(simulated));
        for (listener, router) in
            [(ears.traffic, simulated::traffic(traffic)), (ears.control, simulated::control(control))]
        {
            self.tasks.spawn(serve_many(listener, router, SIMULATED_CONNECTIONS_MAX, self.stop.clone()));
        }
    }
}

/// Launches the fleet in peace; only then are things late, calls counted, and faults set.
async fn settle(
    shared: &Shared,
    config: &SandboxConfig,
    ready: &Ready,
    simulated: Option<&Simulated>,
) -> anyhow::Result<Vec<InstanceId>> {
    let blue = fleet::launch(shared, config, ready).await?;
    if let Some((simulated, content)) = simulated.zip(config.simulated) {
        simulated.seed(content.boards);
    }
    shared.with(|world, _| world.keep_manners(config.consistency.lags(), config.token_buckets));
    for fault in &config.faults {
        let set = shared.with(|world, now| world.set_fault(fault.clone(), now));
        set.with_context(|| format!("the configured fault {fault:?} cannot be set"))?;
    }
    Ok(blue)
}

impl Listeners {
    async fn bind(start: &Start) -> anyhow::Result<Self> {
        let listen = &start.config.listen;
        let mut load_balancers = vec![bind(listen.load_balancer).await?];
        for _ in 1..start.config.load_balancers {
            load_balancers.push(bind(SocketAddr::new(listen.load_balancer.ip(), 0)).await?);
        }
        Ok(Self {
            aws: bind(start.listen).await?,
            load_balancers,
            prometheus: bind(listen.prometheus).await?,
            admin: bind(listen.admin).await?,
        })
    }

    fn lb_ports(&self) -> anyhow::Result<Vec<u16>> {
        self.load_balancers.iter().map(|it| Ok(it.local_addr()?.port())).collect()
    }

    fn lb_urls(&self) -> anyhow::Result<Vec<String>> {
        self.load_balancers.iter().map(url).collect()
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn url(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// What every instance is told, whatever its image.
fn environment(start: &Start, listeners: &Listeners) -> anyhow::Result<BTreeMap<String, String>> {
    let mut urls = listeners.lb_urls()?.into_iter();
    let mut env = BTreeMap::from([
        ("LB_URL".to_owned(), urls.next().context("there is no load balancer")?),
        ("HANDOVER_KEY".to_owned(), start.handover_key.clone()),
    ]);
    // A route of the second load balancer ends in `-2`, and so on.
    let others: Vec<String> = (2..).zip(urls).map(|(place, url)| format!("-{place}={url}")).collect();
    if !others.is_empty() {
        env.insert("LB_URLS_BY_ROUTE".to_owned(), others.join(","));
    }
    env.extend(start.store.map(|address| ("STORE_ADDR".to_owned(), address.to_string())));
    Ok(env)
}

/// The instances' application, where the configuration wants it simulated.
fn simulated(start: &Start, clock: Clock, listeners: &Listeners) -> anyhow::Result<Option<Arc<Simulated>>> {
    let Some(content) = start.config.simulated else { return Ok(None) };
    let key = Key::new(start.handover_key.as_bytes()).context("the handover key is no key")?;
    // Its clients have no sockets: one front door is as good as another.
    let front_door = listeners.lb_urls()?.into_iter().next().context("there is no load balancer")?;
    Ok(Some(Simulated::new(key, clock, &front_door, content.clients_per_board)))
}

fn lb_settings(config: &SandboxConfig) -> LbSettings {
    let lb = &config.load_balancer;
    LbSettings {
        idle_timeout: Duration::from_secs(lb.idle_timeout_s),
        connect_timeout: Duration::from_millis(lb.connect_timeout_ms),
        connections_max: lb.connections_max,
    }
}

fn ready(
    start: &Start,
    listeners: &Listeners,
    ports: InstancePorts,
    seeded: Seeded,
) -> anyhow::Result<(crate::world::World, Ready)> {
    let mut urls = listeners.lb_urls()?.into_iter();
    let load_balancer = urls.next().context("there is no load balancer")?;
    let others = urls.zip(seeded.others).map(|(load_balancer, names)| OtherBalancer {
        load_balancer,
        load_balancer_arn: names.arn,
        listener_arn: names.listener_arn,
        target_groups: names.groups,
        slots: names.slots,
    });
    let ready = Ready {
        aws: url(&listeners.aws)?,
        load_balancer,
        others: others.collect(),
        prometheus: url(&listeners.prometheus)?,
        admin: url(&listeners.admin)?,
        store: start.store,
        region: start.config.region.clone(),
        credentials: start.config.credentials.clone(),
        service: start.config.service.clone(),
        images: seeded.images,
        launch_template: seeded.template,
        subnets: seeded.subnets,
        load_balancer_arn: seeded.load_balancer_arn,
        listener_arn: seeded.listener_arn,
        target_groups: seeded.groups,
        slots: seeded.slots,
        blue: Vec::new(),
        ports,
        handover_key: start.handover_key.clone(),
        data_dir: start.data_dir.clone(),
    };
    Ok((seeded.world, ready))
}
