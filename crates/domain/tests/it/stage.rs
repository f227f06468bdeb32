//! A small world for decisions: every effect works at once, unless the script says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::app::AppState;
use segue_domain::effect::{Done, Effect, Intent, Lack, LaunchBatch, Outcome};
use segue_domain::ids::{
    BoardId, GroupArn, ImageId, InstanceId, InstanceType, PoolName, Route, SubnetId, Version,
};
use segue_domain::instance::{Instance, InstanceState, Origin};
use segue_domain::moves::WaveResult;
use segue_domain::service::{Balancer, Service};
use segue_domain::target::{TargetHealth, Weights};
use segue_domain::time::Timestamp;

/// One server as it really is.
pub(crate) struct Server {
    pub(crate) instance: Instance,
    pub(crate) open: AppState,
    pub(crate) route: Option<Route>,
    pub(crate) boards: BTreeMap<BoardId, u64>,
    pub(crate) errors: u64,
    pub(crate) started_at_ms: u64,
    pub(crate) health: TargetHealth,
    /// Its process runs, and its control port does not answer.
    pub(crate) silent: bool,
    /// How many boards it says it has, when that is not how many it has.
    pub(crate) counts: Option<u64>,
    /// What it says of its version, when that is not its image's.
    pub(crate) claims: Option<Version>,
}

/// How large each board is.
pub(crate) const BOARD_BYTES: u64 = 1_000;

/// Everything outside of the engine.
pub(crate) struct Stage {
    pub(crate) now: Timestamp,
    /// Since when the daemon has been there that looks now.
    pub(crate) watched_since: Timestamp,
    pub(crate) service: Service,
    pub(crate) servers: BTreeMap<InstanceId, Server>,
    pub(crate) groups: BTreeMap<GroupArn, BTreeSet<InstanceId>>,
    pub(crate) weights: Weights,
    pub(crate) prometheus_up: bool,
    /// How many instances the next launch brings at the most.
    pub(crate) room: Option<u32>,
    /// Subnets and instance types that there is no room in, or of.
    pub(crate) full: BTreeSet<String>,
    /// Boards that refuse to move.
    pub(crate) stubborn: BTreeSet<BoardId>,
    /// Images and templates that do not exist any more.
    pub(crate) gone: BTreeSet<String>,
    /// What version 2 writes and version 1 cannot read.
    pub(crate) new_format: bool,
    /// The level of the contract that every server knows.
    pub(crate) level: u8,
    /// How many bytes one server can hold.
    pub(crate) bytes: u64,
    /// EC2's list does not show yet what was launched.
    pub(crate) hides_new: bool,
    /// Ended so long ago that EC2 does not list them any more, or without the service's tags.
    pub(crate) forgotten: BTreeSet<InstanceId>,
    /// Groups that nobody can read.
    pub(crate) unread: BTreeSet<GroupArn>,
    /// Groups in which nobody's first checks are over.
    pub(crate) checking: BTreeSet<GroupArn>,
    /// Groups that do not exist any more.
    pub(crate) abandoned: BTreeSet<GroupArn>,
    pub(crate) fates: crate::fate::Fates,
    launched: u32,
}

pub(crate) fn group(name: &str) -> GroupArn {
    GroupArn::new(name)
}

impl Stage {
    pub(crate) fn new() -> Self {
        let service = crate::setup::service();
        let routing = &service.routing;
        let names = routing.forwarded();
        let groups = names.clone().chain(routing.slot_groups());
        let mut weights: Weights = names.map(|name| (name.clone(), 0)).collect();
        weights.insert(group("a"), 100);
        Self {
            now: Timestamp::from_ms(0),
            watched_since: Timestamp::from_ms(0),
            groups: groups.map(|name| (name.clone(), BTreeSet::new())).collect(),
            weights,
            servers: BTreeMap::new(),
            prometheus_up: true,
            room: None,
            full: BTreeSet::new(),
            stubborn: BTreeSet::new(),
            gone: BTreeSet::new(),
            new_format: false,
            level: 2,
            hides_new: false,
            forgotten: BTreeSet::new(),
            unread: BTreeSet::new(),
            checking: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            bytes: 1 << 30,
            fates: crate::fate::Fates::default(),
            launched: 0,
            service,
        }
    }

    /// So many load balancers, before anybody stands at one.
    pub(crate) fn build_balancers(&mut self, count: u32) {
        self.service.routing.others = (2..=count).map(crate::setup::balancer).collect();
        for balancer in self.service.routing.balancers() {
            self.groups.extend(balancer.groups().map(|name| (name.clone(), BTreeSet::new())));
            self.weights.extend(balancer.forwarded().map(|name| (name.clone(), 0)));
            self.weights.insert(balancer.colours[0].clone(), 100);
        }
    }

    /// Servers of version 1 that serve in colour `a` of each load balancer in turn, in its slots as far as they go,
    /// with boards of four clients each.
    pub(crate) fn seed(&mut self, servers: u32, boards: u64) {
        let ids: Vec<_> = (0..servers).map(|_| self.bring("1", "subnet-a", Origin::Adopted)).collect();
        let balancers: Vec<Balancer> = self.service.routing.balancers().cloned().collect();
        for (n, id) in ids.iter().enumerate() {
            let balancer = &balancers[n % balancers.len()];
            let slot = balancer.slots.get(n / balancers.len());
            for name in [Some(&balancer.colours[0]), slot.map(|slot| &slot.group)].into_iter().flatten() {
                self.groups.entry(name.clone()).or_default().insert(id.clone());
            }
            self.servers.get_mut(id).unwrap().route = slot.map(|slot| slot.route.clone());
        }
        for (n, id) in (0..boards).zip(ids.iter().cycle()) {
            let board = BoardId::new(format!("board-{n:02}"));
            self.servers.get_mut(id).unwrap().boards.insert(board, 4);
        }
    }

    /// An autoscaler of somebody else's brings one, without a slot.
    pub(crate) fn join(&mut self, version: &str) {
        let id = self.bring(version, "subnet-a", Origin::Adopted);
        self.groups.entry(group("a")).or_default().insert(id);
    }

    /// New boards are opened where new clients are sent.
    pub(crate) fn open_boards_on(&mut self, id: &InstanceId, count: u64) {
        for n in 0..count {
            let board = BoardId::new(format!("new-{id}-{n:02}"));
            self.servers.get_mut(id).unwrap().boards.insert(board, 2);
        }
    }

    fn bring(&mut self, version: &str, subnet: &str, origin: Origin) -> InstanceId {
        self.launched += 1;
        let id = InstanceId::new(format!("i-{}", self.launched));
        let instance = Instance {
            id: id.clone(),
            image: ImageId::new(format!("ami-{version}")),
            version: Version::new(version),
            pool: PoolName::new("main"),
            subnet: SubnetId::new(subnet),
            state: InstanceState::Running,
            address: Some(format!("10.0.0.{}", self.launched)),
            launched_at: self.now,
            origin,
        };
        let server = Server {
            instance,
            open: AppState::Serving,
            route: None,
            boards: BTreeMap::new(),
            errors: 0,
            started_at_ms: 1_000,
            health: TargetHealth::Healthy,
            silent: false,
            counts: None,
            claims: None,
        };
        self.servers.insert(id.clone(), server);
        id
    }

    pub(crate) fn apply(&mut self, intent: &Intent) -> Outcome {
        match &intent.effect {
            Effect::Launch(batch) => return self.launch(batch),
            Effect::Start { instances } => self.set_state(instances, InstanceState::Running),
            Effect::Stop { instances } => self.end(instances, InstanceState::Stopped),
            Effect::Terminate { instances } => self.end(instances, InstanceState::Terminated),
            Effect::Register { group, instances } => {
                self.groups.get_mut(group).unwrap().extend(instances.iter().cloned());
            }
            Effect::Deregister { group, instances } => {
                for id in instances {
                    let server = &self.servers[id];
                    let runs = server.instance.state == InstanceState::Running;
                    assert!(!runs || server.boards.is_empty(), "{id} is deregistered with boards");
                }
                self.groups.get_mut(group).unwrap().retain(|id| !instances.contains(id));
            }
            Effect::SetWeights { weights, .. } => self.weights.extend(weights.clone()),
            Effect::Open { instance, route } => {
                let server = self.servers.get_mut(instance).unwrap();
                server.open = AppState::Serving;
                server.route = route.clone().or_else(|| server.route.clone());
            }
            Effect::CloseToNew { instance } => {
                self.servers.get_mut(instance).unwrap().open = AppState::Closed;
            }
            Effect::Move(wave) => return self.carry(wave),
            Effect::Drain { instance, .. } => self.drain(instance),
            Effect::Configure { .. } | Effect::WarmUp { .. } | Effect::Announce { .. } => {}
        }
        Outcome::Done(Done::Nothing)
    }

    fn launch(&mut self, batch: &LaunchBatch) -> Outcome {
        let kind = batch.instance_type.as_ref().map_or("the template's type", InstanceType::as_str);
        if self.full.contains(batch.subnet.as_str()) || self.full.contains(kind) {
            let why = format!("no capacity for {kind} in {}", batch.subnet);
            return Outcome::Refused { why, lack: Some(Lack::Room) };
        }
        let count = self.room.take().map_or(batch.count, |room| room.min(batch.count));
        let origin = Origin::Release {
            release: batch.release.to_string(),
            batch: batch.batch,
            attempt: batch.attempt,
        };
        let ids = (0..count)
            .map(|_| self.bring(batch.version.as_str(), batch.subnet.as_str(), origin.clone()))
            .collect();
        Outcome::Done(Done::Launched(ids))
    }

    fn carry(&mut self, effect: &segue_domain::effect::MoveWave) -> Outcome {
        let mut result = WaveResult::default();
        for it in &effect.wave.moves {
            if self.stubborn.contains(&it.board) {
                let why = "its clients did not answer".to_owned();
                let exception = segue_domain::moves::MoveException { board: it.board.clone(), why };
                result.exceptions.push(exception);
                continue;
            }
            let clients = self.servers.get_mut(&it.from).unwrap().boards.remove(&it.board);
            let Some(clients) = clients else {
                result.boards_gone += 1;
                continue;
            };
            self.servers.get_mut(&it.to).unwrap().boards.insert(it.board.clone(), clients);
            let bytes = u64::try_from(self.servers[&it.to].boards.len()).unwrap() * BOARD_BYTES;
            assert!(bytes * 100 <= self.bytes * 85, "{} is filled over 85 % of its bytes", it.to);
            result.boards_moved += 1;
            result.clients_moved += u32::try_from(clients).unwrap();
        }
        Outcome::Done(Done::Moved(result))
    }

    /// Its clients come back on the first server that is open, all but those of stubborn boards.
    fn drain(&mut self, from: &InstanceId) {
        let is_open =
            |it: &Server| it.open == AppState::Serving && it.instance.state == InstanceState::Running;
        let to = self.servers.iter().find(|(id, it)| *id != from && is_open(it)).map(|(id, _)| id.clone());
        let boards = std::mem::take(&mut self.servers.get_mut(from).unwrap().boards);
        let (staying, going) = boards.into_iter().partition(|(board, _)| self.stubborn.contains(board));
        self.servers.get_mut(from).unwrap().boards = staying;
        self.servers.get_mut(&to.unwrap()).unwrap().boards.append(&mut { going });
    }

    fn set_state(&mut self, ids: &[InstanceId], state: InstanceState) {
        for id in ids {
            let server = self.servers.get_mut(id).unwrap();
            server.instance.state = state;
            server.open = AppState::Serving;
        }
    }

    /// Stops or terminates, and checks what must never happen.
    fn end(&mut self, ids: &[InstanceId], state: InstanceState) {
        for id in ids {
            assert!(self.servers[id].boards.is_empty(), "{id} is ended with boards");
            assert!(!self.groups.values().any(|targets| targets.contains(id)), "{id} is ended in traffic");
        }
        self.set_state(ids, state);
    }
}
