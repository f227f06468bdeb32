//! What the small world is seeded with, and the hands that tests have in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::{
    BoardId, Commit, Environment, ForwardArn, GroupArn, ImageId, InstanceId, PoolName, Region, Route,
    ServiceName, SubnetId, TemplateId, Version,
};
use segue_domain::instance::{Image, Instance, InstanceState, Origin};
use segue_domain::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Slot, Workload,
};
use segue_domain::target::{Targets, Weights};
use segue_journal::{MemoryStore, Owner, Scope, Store};

use super::floors::{Floors, Promised};
use super::machine::{Fate, Machine};
use super::shares::Readings;
use super::state::{Registration, Sight, State};
use super::trouble::Troubles;
use super::users::Users;
use super::{FakeWorld, SeededEntropy, at};
use crate::outside::{CallStats, Limits, Outside, Term};
use crate::ports::{Clock, ImageQuery};

pub(super) const SERVICE: &str = "boards";
const FORWARD: &str = "forward";
const TEMPLATE: &str = "lt-1";
/// The colour in which the first servers are.
pub(super) const COLOUR: &str = "a";
const CANARIES: u32 = 3;
pub(super) const SUBNETS: [&str; 3] = ["subnet-1", "subnet-2", "subnet-3"];
/// As many of them are in a service of the usual size.
const SUBNETS_USED: usize = 2;
const SLOTS: u32 = 12;

/// The version that runs when a story begins.
pub const FIRST: &str = "1";
/// The version that is brought in.
pub const SECOND: &str = "2";

impl State {
    pub(super) fn seeded() -> Self {
        let image = |(version, age): (&str, u64)| Image {
            id: ImageId::new(format!("ami-{version}")),
            version: Version::new(version),
            commit: Some(Commit::new(format!("c{version}"))),
            created_at: at(age),
        };
        let balancers = vec![balancer(1)];
        let groups = balancers.iter().flat_map(Balancer::groups).cloned();
        Self {
            now_ms: 0,
            images: [("3", 3), (SECOND, 2), (FIRST, 1)].into_iter().map(image).collect(),
            templates: BTreeSet::from([TemplateId::new(TEMPLATE)]),
            subnets: SUBNETS.iter().map(|subnet| (SubnetId::new(*subnet), 200)).collect(),
            full: BTreeSet::new(),
            machines: BTreeMap::new(),
            machines_made: 0,
            tokens: BTreeMap::new(),
            asked: BTreeMap::new(),
            fates: Vec::new(),
            groups: groups.map(|group| (group, BTreeMap::new())).collect(),
            weights: balancers.iter().flat_map(Balancer::forwarded).map(|group| (group.clone(), 0)).collect(),
            balancers,
            rows: BTreeMap::new(),
            users: Users::default(),
            floors: Floors::default(),
            promised: Promised::default(),
            decided: BTreeMap::new(),
            sight: Sight::Clear,
            errors_per_s: BTreeMap::new(),
            new_formats: BTreeSet::new(),
            stubborn: BTreeMap::new(),
            plain: BTreeMap::new(),
            announced: Vec::new(),
            configured: BTreeSet::new(),
            warmed: BTreeSet::new(),
            gets_ready: false,
            all_hand_over: false,
            readings: Readings::default(),
            obeys_anybody: false,
            counted: BTreeMap::new(),
            troubles: Troubles::default(),
            violations: Vec::new(),
            denied: BTreeSet::new(),
            undried: BTreeSet::new(),
            questions: Vec::new(),
        }
    }
}

/// The group is a slot's, of whichever load balancer.
pub(super) fn is_slot(group: &GroupArn) -> bool {
    group.as_str().starts_with("slot-")
}

/// The first load balancer has the plain names; those of the others say which one it is.
fn balancer(place: u32) -> Balancer {
    let name = |plain: &str| match place {
        1 => plain.to_owned(),
        _ => format!("{plain}-of-{place}"),
    };
    let group = |plain: &str| GroupArn::new(name(plain));
    let slot = |number: u32| Slot {
        route: Route::new(name(&format!("s{number:02}"))),
        group: group(&format!("slot-{number:02}")),
    };
    Balancer {
        forward: ForwardArn::new(name(FORWARD)),
        share: 1,
        colours: [group(COLOUR), group("b")],
        canaries: (1..=CANARIES).map(|number| group(&format!("canary-{number}"))).collect(),
        slots: (1..=SLOTS).map(slot).collect(),
    }
}

impl FakeWorld {
    /// A world in which `servers` of the first version serve `boards` boards, and users go on opening and
    /// leaving them.
    pub fn with_fleet(servers: u32, boards: usize) -> Self {
        let world = Self::new();
        world.seed_fleet(servers, boards, 1);
        world
    }

    /// The servers stand in the first `subnets` subnets, and at the load balancers, in turn.
    pub(super) fn seed_fleet(&self, servers: u32, boards: usize, subnets: usize) {
        let mut state = self.now();
        let image = state.images.iter().find(|image| image.version.as_str() == FIRST).cloned();
        let Some(image) = image else { return };
        let balancers = state.balancers.clone();
        let mut slots: Vec<_> = balancers.iter().map(|balancer| balancer.slots.iter()).collect();
        let places = (0..balancers.len()).cycle();
        for ((_, subnet), place) in (1..=servers).zip(SUBNETS.iter().take(subnets).cycle()).zip(places) {
            let subnet = SubnetId::new(*subnet);
            let instance = state.instance(&image, subnet, Origin::Adopted);
            let id = instance.id.clone();
            let mut machine = Machine::launched(instance, 0, Fate::Well).already_up(0);
            let slot = slots.get_mut(place).and_then(Iterator::next);
            if let Some(app) = &mut machine.app {
                app.route = slot.map(|slot| slot.route.clone());
            }
            state.machines.insert(id.clone(), machine);
            let colour = balancers.get(place).map(|balancer| &balancer.colours[0]);
            for group in colour.into_iter().chain(slot.map(|slot| &slot.group)) {
                let fresh = Registration { since_ms: 0, drained_at_ms: None };
                state.groups.entry(group.clone()).or_default().insert(id.clone(), fresh);
            }
            if let Some(weight) = colour.and_then(|colour| state.weights.get_mut(colour)) {
                *weight = weight.saturating_add(1);
            }
        }
        let ids: Vec<InstanceId> = state.machines.keys().cloned().collect();
        for id in ids.iter().cycle().take(boards) {
            state.open_board(id);
        }
        state.users.begin(boards);
        // Nobody is healthy by the load balancer's word yet: what must stay is known when a release begins.
        state.floors = Floors::default();
        state.promised = Promised::default();
    }

    /// So many load balancers, before anybody stands at one.
    pub(super) fn build_balancers(&self, count: u32) {
        let mut state = self.now();
        state.balancers = (1..=count).map(balancer).collect();
        let groups: Vec<GroupArn> = state.balancers.iter().flat_map(Balancer::groups).cloned().collect();
        state.groups = groups.into_iter().map(|group| (group, BTreeMap::new())).collect();
        let forwarded: Vec<GroupArn> =
            state.balancers.iter().flat_map(Balancer::forwarded).cloned().collect();
        state.weights = forwarded.into_iter().map(|group| (group, 0)).collect();
    }

    /// The service that lives in this world, with policies that are over in a minute.
    pub fn service(&self) -> Service {
        Service {
            name: ServiceName::new(SERVICE),
            environment: Environment::new("test"),
            region: Region::new("eu-west-1"),
            workload: Workload::Boards,
            pool: PoolName::new("main"),
            launch: LaunchSpec {
                template: TemplateId::new(TEMPLATE),
                subnets: SUBNETS.iter().take(SUBNETS_USED).map(|subnet| SubnetId::new(*subnet)).collect(),
                types: Vec::new(),
                size: None,
                configure: None,
                warm: None,
            },
            routing: self.routing(),
            canary: CanaryPolicy {
                count: 1,
                bake: Duration::from_secs(10),
                min_boards: 1,
                max_error_ratio: 2,
            },
            full: FullPolicy {
                bake: Duration::from_secs(3),
                needs_canary: NeedsCanary::No,
                keep_old: Duration::from_mins(10),
            },
            handover: HandoverPolicy {
                level_max: 2,
                seal_ttl: Duration::from_secs(1),
                attach_deadline: Duration::from_secs(4),
                attach_rate_per_s: 100,
                wave_boards: 20,
                switching_at_once: 4,
            },
            patience: Patience {
                step: Duration::from_mins(1),
                settle: Duration::from_secs(5),
                max_age: Duration::from_secs(10),
                zeros_apart: Duration::from_secs(1),
            },
        }
    }

    fn routing(&self) -> Routing {
        let mut balancers = self.now().balancers.clone().into_iter();
        let first = balancers.next().unwrap_or_else(|| balancer(1));
        Routing { first, others: balancers.collect() }
    }

    pub fn images(&self) -> ImageQuery {
        let tags = BTreeMap::from([("service".to_owned(), SERVICE.to_owned())]);
        ImageQuery { owner: "self".to_owned(), tags }
    }

    /// An empty journal that goes by this world's clock.
    pub fn store(&self) -> MemoryStore {
        let clock = self.clock();
        MemoryStore::new(Arc::new(move || clock.now()))
    }

    /// A term of a lease of its own.
    pub async fn term(&self, ttl: Duration) -> Arc<Term> {
        let store = self.store();
        let lease = store.acquire(&Scope::new(SERVICE), &Owner::new("test"), ttl).await;
        Arc::new(Term::new(lease.expect("a new store gives its lease")))
    }

    /// The way out into this world, under a term of its own.
    pub async fn outside(&self, limits: Limits, ttl: Duration) -> Outside {
        let entropy = Arc::new(SeededEntropy::new(1));
        Outside::new(self.ports(), limits, self.term(ttl).await, entropy, Arc::new(CallStats::default()))
    }
}

/// What happens to the world.
impl FakeWorld {
    /// What becomes of the next launched instances, in order.
    pub fn next_fates(&self, fates: &[Fate]) {
        self.now().fates.extend_from_slice(fates);
    }

    /// From now on there is no room in this subnet, or for this type of instance.
    pub fn fill(&self, subnet_or_type: &str) {
        self.now().full.insert(subnet_or_type.to_owned());
    }

    /// The hardware of an instance is gone. Its boards are claimed by whoever their users reach.
    pub fn die(&self, id: &InstanceId) {
        let mut state = self.now();
        if let Some(machine) = state.machines.get_mut(id) {
            machine.die();
        }
        state.claim_orphans(id);
        state.note_a_death(id);
    }

    /// The metrics system answers, and its samples are no longer new.
    pub fn stop_scraping(&self) {
        let mut state = self.now();
        if state.sight == Sight::Clear {
            state.counted = state.counts();
            state.sight = Sight::Stale { since_ms: state.now_ms };
        }
    }

    /// The metrics system answers success, and nobody is in it.
    pub fn forget_series(&self) {
        self.now().sight = Sight::Empty;
    }

    /// The metrics system has no number for every other server, or two.
    pub fn spoil_series(&self) {
        self.now().sight = Sight::Partial;
    }

    /// The metrics system takes each server for another.
    pub fn mix_series_up(&self) {
        self.now().sight = Sight::Mixed;
    }

    pub fn scrape_again(&self) {
        self.now().sight = Sight::Clear;
    }

    pub fn errors_per_s(&self, version: &str, errors: u64) {
        self.now().errors_per_s.insert(Version::new(version), errors);
    }

    /// The clients of this board never attach to a new server.
    pub fn make_stubborn(&self, board: &BoardId) {
        let mut state = self.now();
        let now_ms = state.now_ms;
        state.stubborn.entry(board.clone()).or_insert(now_ms);
    }

    /// So many clients of this board do not speak the contract.
    pub fn make_plain(&self, board: &BoardId, clients: u64) {
        self.now().plain.insert(board.clone(), clients);
    }

    /// A board more on this server.
    pub fn open_board_on(&self, id: &InstanceId) -> BoardId {
        self.now().open_board(id)
    }

    /// One board is opened and one is left this often.
    pub fn users_act_every(&self, time: Duration) {
        self.now().users.every_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// No board is opened or left by itself any more.
    pub fn calm_users(&self) {
        self.now().users.boards_wanted = 0;
    }

    /// Every server has obeyed a daemon of this generation, which is gone.
    pub fn have_obeyed(&self, generation: u64) {
        let mut state = self.now();
        for app in state.machines.values_mut().filter_map(|machine| machine.app.as_mut()) {
            app.generation = generation;
        }
    }

    /// What every server's application can do from now on.
    pub fn set_level(&self, level: u8) {
        let mut state = self.now();
        for app in state.machines.values_mut().filter_map(|machine| machine.app.as_mut()) {
            app.level = level;
        }
    }
}

/// What a test looks at.
impl FakeWorld {
    pub fn instances(&self) -> BTreeMap<InstanceId, Instance> {
        let state = self.now();
        state.machines.iter().map(|(id, machine)| (id.clone(), machine.instance.clone())).collect()
    }

    /// Instances of a version in a state.
    pub fn fleet(&self, version: &str, state: InstanceState) -> Vec<InstanceId> {
        let instances = self.instances().into_values();
        let fleet = instances.filter(|it| it.version.as_str() == version && it.state == state);
        fleet.map(|it| it.id).collect()
    }

    pub fn boards_on(&self, id: &InstanceId) -> usize {
        self.now().list(id).iter().filter(|row| row.state.is_owned_here()).count()
    }

    /// Boards on all servers of a version.
    pub fn boards_of(&self, version: &str) -> usize {
        self.fleet(version, InstanceState::Running).iter().map(|id| self.boards_on(id)).sum()
    }

    /// Boards that somebody owns.
    pub fn boards_alive(&self) -> usize {
        self.now().rows.len()
    }

    pub fn weights(&self) -> Weights {
        self.now().weights.clone()
    }

    pub fn targets(&self, group: &str) -> Targets {
        let state = self.now();
        let targets = state.groups.get(&GroupArn::new(group));
        let health = |(id, target): (&InstanceId, &Registration)| (id.clone(), state.health(id, *target));
        targets.into_iter().flatten().map(health).collect()
    }

    /// Who takes new boards.
    pub fn open_servers(&self) -> BTreeSet<InstanceId> {
        let state = self.now();
        state.processes().filter(|(_, app)| app.is_open()).map(|(id, _)| id.clone()).collect()
    }

    pub fn announced(&self) -> Vec<String> {
        self.now().announced.clone()
    }
}
