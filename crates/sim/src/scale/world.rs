//! The large world: thousands of servers of one account, and the laws that are looked at in the moment of a deed.
//!
//! It has no faults: what goes wrong is simulated in the small world (`segue_engine::fakes`). Here calls take their
//! time and tokens, and everything else as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use segue_domain::app::AppState;
use segue_domain::ids::{BoardId, EffectId, GroupArn, ImageId, InstanceId, PoolName, SubnetId, Version};
use segue_domain::instance::{Image, Instance, InstanceState, Origin};
use segue_domain::target::{TargetHealth, Weights};
use segue_domain::time::Timestamp;
use segue_engine::fakes::Law;
use segue_engine::ports::{CallError, Clock};
use tokio::time::{Duration, Instant, sleep};

use super::Sizes;
use super::buckets::{Api, Buckets};
use super::server::{BOOT_MS, CHECK_MS, DEREGISTRATION_DELAY_MS, Held, Server};
use super::service::{self, Place};
use crate::laws::Eyes;

/// What one call takes.
pub(super) const AWS_MS: u64 = 200;
pub(super) const CONTROL_MS: u64 = 5;
pub(super) const PROMETHEUS_MS: u64 = 100;
/// Clients of each board.
pub(super) const CLIENTS: u64 = 3;
/// Results of one page of a listing. Source: EC2 API, DescribeInstances.
pub(super) const PAGE: usize = 1_000;
/// Milliseconds since 1970.
pub(super) const BEGAN_AT_MS: i64 = 1_795_000_000_000;
const VIOLATIONS_KEPT: usize = 20;

/// A world. Clones are the same one.
#[derive(Clone)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
}

/// A target in a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) since_ms: u64,
    pub(super) gone_ms: Option<u64>,
}

/// Everything there is.
pub(super) struct State {
    pub(super) now_ms: u64,
    pub(super) sizes: Sizes,
    pub(super) images: Vec<Image>,
    pub(super) servers: BTreeMap<InstanceId, Server>,
    made: u64,
    pub(super) groups: BTreeMap<GroupArn, BTreeMap<InstanceId, Target>>,
    pub(super) weights: Weights,
    /// The ownership table.
    pub(super) owners: HashMap<BoardId, (u64, InstanceId)>,
    pub(super) tokens: BTreeMap<EffectId, Vec<InstanceId>>,
    pub(super) buckets: Buckets,
    pub(super) calls: Calls,
    pub(super) longest_stall_ms: u64,
    pub(super) violations: Vec<String>,
}

/// Calls, counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    pub(super) by_name: BTreeMap<&'static str, u64>,
    pub(super) throttled: BTreeMap<&'static str, u64>,
    /// Looks of the engine: each begins with its list of instances.
    pub(super) looks: u64,
    /// Calls of all looks together.
    pub(super) of_looks: u64,
    this_look: u64,
    pub(super) most_in_a_look: u64,
}

impl Calls {
    /// One call; readings at AWS and at Prometheus belong to the look that is on.
    pub(super) fn count(&mut self, name: &'static str, is_of_look: bool) {
        *self.by_name.entry(name).or_default() += 1;
        self.of_looks += u64::from(is_of_look);
        self.this_look += u64::from(is_of_look);
        self.most_in_a_look = self.most_in_a_look.max(self.this_look);
    }

    pub(super) fn look_begins(&mut self) {
        self.looks += 1;
        self.this_look = 0;
    }
}

impl World {
    /// Blue serves, and its boards are spread evenly.
    pub(super) fn new(sizes: Sizes) -> Self {
        let mut state = State::empty(sizes);
        let old = state.images.last().cloned();
        for number in 0..sizes.instances {
            let Some(image) = &old else { break };
            state.seed_server(image, number);
        }
        state.seed_boards();
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now() }
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now_ms = self.now_ms();
        state
    }

    /// One call at AWS: it takes its time, and its tokens.
    pub(super) async fn aws(&self, api: Api, instances: usize) -> Result<(), CallError> {
        sleep(Duration::from_millis(AWS_MS)).await;
        let mut state = self.now();
        let now_ms = state.now_ms;
        state.calls.count(api.name(), api.reads());
        let taken = state.buckets.take(api, instances, now_ms);
        taken.map_err(|bucket| {
            *state.calls.throttled.entry(bucket).or_default() += 1;
            CallError::retry(format!("{}: RequestLimitExceeded", api.name()))
        })
    }

    /// One call at a server of the application, or at Prometheus.
    pub(super) async fn other(&self, name: &'static str, ms: u64, is_of_look: bool) {
        sleep(Duration::from_millis(ms)).await;
        self.now().calls.count(name, is_of_look);
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        at(self.now_ms())
    }
}

pub(super) fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(BEGAN_AT_MS.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
}

impl State {
    fn empty(sizes: Sizes) -> Self {
        let image = |(version, age): (&str, u64)| Image {
            id: ImageId::new(format!("ami-{version:0>17}")),
            version: Version::new(version),
            commit: None,
            created_at: at(age),
        };
        let groups: Vec<GroupArn> = service::groups(sizes.balancers).collect();
        Self {
            now_ms: 0,
            sizes,
            images: [(service::NEW, 2), (service::OLD, 1)].into_iter().map(image).collect(),
            servers: BTreeMap::new(),
            made: 0,
            groups: groups.iter().map(|group| (group.clone(), BTreeMap::new())).collect(),
            weights: groups.into_iter().map(|group| (group, 0)).collect(),
            owners: HashMap::new(),
            tokens: BTreeMap::new(),
            buckets: Buckets::default(),
            calls: Calls::default(),
            longest_stall_ms: 0,
            violations: Vec::new(),
        }
    }

    fn seed_server(&mut self, image: &Image, number: u32) {
        let subnet = service::subnet(number);
        let instance = self.instance(image, subnet, Origin::Adopted);
        let id = instance.id.clone();
        let boards = u64::from(self.sizes.boards) / u64::from(self.sizes.instances.max(1));
        self.servers.insert(id.clone(), Server::new(instance, 0, Server::caps(boards)));
        let group = service::group(number % self.sizes.balancers, Place::Blue);
        self.weights.insert(group.clone(), 999);
        self.groups.entry(group).or_default().insert(id, Target { since_ms: 0, gone_ms: None });
    }

    fn seed_boards(&mut self) {
        let ids: Vec<InstanceId> = self.servers.keys().cloned().collect();
        for (number, id) in (0..self.sizes.boards).zip(ids.iter().cycle()) {
            let board = BoardId::new(format!("board-{number:08}"));
            if let Some(server) = self.servers.get_mut(id) {
                server.boards.insert(board.clone(), Held::active(1, CLIENTS));
                server.owns(server.owned + 1, 0);
            }
            self.owners.insert(board, (1, id.clone()));
        }
    }

    /// A new instance's description.
    pub(super) fn instance(&mut self, image: &Image, subnet: SubnetId, origin: Origin) -> Instance {
        self.made += 1;
        let number = self.made;
        Instance {
            id: InstanceId::new(format!("i-{number:017x}")),
            image: image.id.clone(),
            version: image.version.clone(),
            pool: PoolName::new("main"),
            subnet,
            state: InstanceState::Pending,
            address: Some(format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255)),
            launched_at: at(self.now_ms),
            origin,
        }
    }

    pub(super) fn launch(&mut self, image: &Image, subnet: &SubnetId, origin: Origin) -> InstanceId {
        let instance = self.instance(image, subnet.clone(), origin);
        let id = instance.id.clone();
        let boards = u64::from(self.sizes.boards) / u64::from(self.sizes.instances.max(1));
        let server = Server::new(instance, self.now_ms.saturating_add(BOOT_MS), Server::caps(boards));
        self.servers.insert(id.clone(), server);
        id
    }

    pub(super) fn health(&self, id: &InstanceId, target: Target) -> Option<TargetHealth> {
        match target.gone_ms {
            Some(gone_ms) if self.now_ms >= gone_ms => return None,
            Some(_) => return Some(TargetHealth::Draining),
            None => {}
        }
        let server = self.servers.get(id)?;
        Some(match server.state(self.now_ms) {
            InstanceState::Running if server.answers(self.now_ms) => {
                let since_ms = target.since_ms.max(server.up_at_ms());
                let is_checked = target.since_ms == 0 || self.now_ms >= since_ms.saturating_add(CHECK_MS);
                if is_checked { TargetHealth::Healthy } else { TargetHealth::Initial }
            }
            InstanceState::Running => TargetHealth::Unhealthy,
            InstanceState::Pending
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown
            | InstanceState::Terminated => TargetHealth::Unused,
        })
    }

    pub(super) fn deregister(&mut self, group: &GroupArn, ids: &[InstanceId]) {
        let gone_ms = self.now_ms.saturating_add(DEREGISTRATION_DELAY_MS);
        for id in ids {
            let owned = self.servers.get(id).map_or(0, |server| server.owned);
            if owned > 0 {
                self.violation(Law::NoEndInTraffic, format!("{id} was deregistered with {owned} boards"));
            }
            if let Some(target) = self.groups.get_mut(group).and_then(|targets| targets.get_mut(id)) {
                target.gone_ms.get_or_insert(gone_ms);
            }
        }
        self.watch_capacity("somebody was taken out of a group");
    }

    /// Stops or terminates, and looks at what must not be.
    pub(super) fn end(&mut self, ids: &[InstanceId], end: InstanceState) -> Result<(), CallError> {
        for id in ids {
            let mut listed = self.groups.values().filter_map(|targets| targets.get(id));
            let is_listed = listed.any(|target| self.health(id, *target).is_some());
            let now_ms = self.now_ms;
            let server = self.servers.get_mut(id).ok_or_else(|| CallError::retry(format!("{id} is gone")))?;
            let (owned, is_open) = (server.owned, server.has_served && server.app == AppState::Serving);
            if server.ended.is_none_or(|(_, other)| other == InstanceState::Stopped) {
                server.ended = Some((now_ms, end));
            }
            if owned > 0 {
                self.violation(Law::NoEndWithBoards, format!("{id} was ended with {owned} boards"));
            }
            if is_listed {
                self.violation(Law::NoEndInTraffic, format!("{id} was ended while a target group lists it"));
            }
            if is_open {
                self.violation(Law::NoEndWhileOpen, format!("{id} was ended while it takes new boards"));
            }
        }
        Ok(())
    }

    /// As many take new clients as there were at the beginning, after whatever was just done.
    pub(super) fn watch_capacity(&mut self, after: &str) {
        let shared =
            self.groups.iter().filter(|(group, _)| self.weights.get(*group).is_some_and(|it| *it > 0));
        let able = shared.flat_map(|(_, targets)| targets).filter(|(id, target)| {
            self.health(id, **target) == Some(TargetHealth::Healthy)
                && self.servers.get(*id).is_some_and(|server| server.app == AppState::Serving)
        });
        let (able, floor) = (able.count(), self.sizes.instances);
        if u32::try_from(able).is_ok_and(|able| able < floor) {
            self.violation(Law::Capacity, format!("{after}: {able} serve, and the floor is {floor}"));
        }
    }

    pub(super) fn violation(&mut self, law: Law, what: impl AsRef<str>) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(format!("{law}: {} ms: {}", self.now_ms, what.as_ref()));
        }
    }

    /// A1: every board is on the one server that the ownership table names, and that one is new and runs.
    pub(super) fn look_at_the_end(&mut self) {
        let mut wrong = Vec::new();
        for (board, (epoch, owner)) in &self.owners {
            let server = self.servers.get(owner);
            let held = server.and_then(|server| server.boards.get(board));
            let is_there = held.is_some_and(|held| held.state.is_owned_here() && held.epoch == *epoch);
            let is_new = server.is_some_and(|it| {
                it.instance.version.as_str() == service::NEW
                    && it.state(self.now_ms) == InstanceState::Running
            });
            if !is_there || !is_new {
                wrong.push(format!("{board} is not where it should be: {owner} owns it under {epoch}"));
            }
        }
        let held: usize = self
            .servers
            .values()
            .map(|server| server.boards.values().filter(|held| held.state.is_owned_here()).count())
            .sum();
        if held != self.owners.len() {
            wrong.push(format!("{held} boards are held, and {} are owned", self.owners.len()));
        }
        for what in wrong {
            self.violation(Law::OneOwner, what);
        }
    }
}

impl Eyes for World {
    fn elapsed_ms(&self) -> u64 {
        self.now_ms()
    }

    fn deaths(&self) -> u64 {
        0
    }

    fn died_lately(&self) -> bool {
        false
    }

    fn has_served(&self, id: &InstanceId) -> bool {
        let state = self.now();
        state.servers.get(id).is_some_and(|it| it.answers(state.now_ms) && it.has_served)
    }

    fn serves(&self, id: &InstanceId) -> bool {
        let state = self.now();
        let serves = |it: &Server| it.answers(state.now_ms) && it.app == AppState::Serving;
        state.servers.get(id).is_some_and(serves)
    }

    /// Nobody joins here.
    fn stays_behind(
        &self,
        _leaving: &BTreeSet<InstanceId>,
        _to: &Version,
        _others: &BTreeSet<GroupArn>,
    ) -> Option<InstanceId> {
        None
    }
}
