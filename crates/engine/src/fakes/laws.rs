//! The laws of the small world, looked at in the moment of the deed: nobody ends an instance with boards,
//! nobody launches twice, nobody takes what belongs to others, nobody leaves the users with fewer servers than they
//! had.

use std::collections::BTreeMap;

use segue_domain::ids::{BoardId, GroupArn, InstanceId};
use segue_domain::instance::Origin;
use segue_domain::service::Balancer;

use super::FakeWorld;
use super::app::App;
use super::fixture::{SERVICE, is_slot};
use super::law::Law;
use super::state::{Registration, State};

/// From a look to what is done on it, with all tries of a call: nobody can know what came since.
pub(super) const JUST_NOW_MS: u64 = 10_000;

impl State {
    pub(super) fn violation(&mut self, law: Law, what: impl Into<String>) {
        let what = format!("{law}: {} ms: {}", self.now_ms, what.into());
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// Nobody is stopped or terminated with a board, or while clients are sent there.
    pub(super) fn watch_the_end(&mut self, how: &str, instances: &[InstanceId]) {
        for id in instances {
            let owned = self.settled_on(id);
            if owned > 0 {
                self.violation(Law::NoEndWithBoards, format!("{id} was {how} with {owned} boards"));
            }
            if self.is_a_last_resort(id, instances) {
                continue;
            }
            if self.is_in_a_group(id) {
                self.violation(Law::NoEndInTraffic, format!("{id} was {how} while a target group lists it"));
            }
            if self.process(id).is_some_and(|app| app.has_served && app.is_open()) {
                self.violation(Law::NoEndWhileOpen, format!("{id} was {how} while it takes new boards"));
            }
        }
        self.watch_the_untagged(how, instances);
        self.watch_capacity(&format!("before somebody was {how}"));
    }

    /// What ends these was on its way when it was taken in again, where the users of its load balancer have nobody else.
    /// Having it for a while is better for them than nobody until that can land no more.
    fn is_a_last_resort(&self, id: &InstanceId, ending: &[InstanceId]) -> bool {
        let Some(home) = self.home(id) else { return false };
        let sent_at_ms = self.sent_at_ms();
        let mut here = home.groups().filter_map(|group| self.groups.get(group)?.get(id));
        let has_others = self.led_to(Some(home)).any(|(other, _)| !ending.contains(other));
        here.all(|target| target.since_ms > sent_at_ms) && !has_others
    }

    /// Boards that are owned there, and did not come in the very moment between somebody's look and the deed, or
    /// while that was on its way.
    fn settled_on(&self, id: &InstanceId) -> usize {
        let just_now = self.sent_at_ms().saturating_sub(JUST_NOW_MS);
        let owned = self.rows.values().filter(|row| row.owner == *id && row.since_ms <= just_now);
        owned.count()
    }

    /// What others own is theirs, whatever its tags say.
    pub(super) fn watch_the_tags(&mut self, instances: &[InstanceId]) {
        for id in instances {
            let owner = self.machines.get(id).and_then(|machine| {
                let it = machine.stranger(None);
                let other = it.service().filter(|service| *service != SERVICE);
                it.scaling_group().or(other).map(str::to_owned)
            });
            if let Some(owner) = owner {
                self.violation(Law::TheirsIsTheirs, format!("{id} was taken from {owner}"));
            }
        }
    }

    /// No fewer serve than must stay, before or after what is done: in all, and at each load balancer.
    pub(super) fn watch_capacity(&mut self, when: &str) {
        self.watch_capacity_of_all(when);
        self.watch_capacity_of_each(when, |_| true);
    }

    /// No fewer serve than must stay, in all. Who died or fell ill a moment ago, and has a share, is counted: whoever did it
    /// could not know.
    pub(super) fn watch_capacity_of_all(&mut self, when: &str) {
        let floor = self.floors.in_all;
        if let Some((law, able)) = self.shortfall(None, floor) {
            self.violation(law, format!("{when}: {able} serve, and the floor is {floor}"));
        }
    }

    /// The same at each of several load balancers at which something was done: whoever comes to one is not sent to
    /// another.
    pub(super) fn watch_capacity_of_each(&mut self, when: &str, is_touched: impl Fn(&Balancer) -> bool) {
        let touched =
            self.balancers.iter().zip(&self.floors.at_each).filter(|(balancer, _)| is_touched(balancer));
        let short = touched.filter_map(|(balancer, floor)| {
            let (law, able) = self.shortfall(Some(balancer), *floor)?;
            Some((law, format!("{when}: {able} serve at {}, and its floor is {floor}", balancer.forward)))
        });
        for (law, what) in short.collect::<Vec<_>>() {
            self.violation(law, what);
        }
    }

    /// The law that is broken where fewer serve than must, and how many do; none while nobody wants a board.
    fn shortfall(&self, at: Option<&Balancer>, floor: usize) -> Option<(Law, usize)> {
        if self.users.boards_wanted == 0 {
            return None;
        }
        let able = self.able(at) + self.led_to_the_lost(at);
        let law = if able == 0 { Law::SomebodyServes } else { Law::Capacity };
        (able < floor).then_some((law, able))
    }

    /// Nobody serves the users of two load balancers.
    pub(super) fn watch_balancers(&mut self, instances: &[InstanceId]) {
        let stays = |group: &GroupArn, id: &InstanceId| {
            let target = self.groups.get(group).and_then(|targets| targets.get(id));
            target.is_some_and(|target| target.drained_at_ms.is_none())
        };
        let at = |balancer: &&Balancer, id: &InstanceId| balancer.groups().any(|group| stays(group, id));
        let torn = |id: &&InstanceId| self.balancers.iter().filter(|balancer| at(balancer, id)).count() > 1;
        let torn: Vec<InstanceId> = instances.iter().filter(torn).cloned().collect();
        for id in torn {
            self.violation(Law::OneBalancer, format!("{id} is registered at two load balancers"));
        }
    }

    /// A batch never has more live instances than were asked for at one time.
    pub(super) fn watch_launches(&mut self, release: &str, batch: u32) {
        let key = (release.to_owned(), batch);
        let live = self.launched().remove(&key).unwrap_or(0);
        let asked = self.asked.get(&key).copied().unwrap_or(0);
        // A batch brings more than it was planned with in the place of others that were to be there besides what is
        // launched, and died, and of others whose tags a person took away before any group had them: nobody can tell
        // those from what never came. Its own dead are not counted among the live.
        let instead = self.troubles.dead_of_those_there(release) + self.taken_away_at_once(&key);
        if u64::from(live) > u64::from(asked) + instead {
            let what = format!("{release} has {live} instances of batch {batch}, and asked for {asked}");
            self.violation(Law::NoDoubleLaunch, what);
        }
    }

    /// Live ones of a batch that have no tags and never were in any group.
    fn taken_away_at_once(&self, (release, batch): &(String, u32)) -> u64 {
        let is_of_batch = |origin: &Origin| matches!(origin, Origin::Release { release: by, batch: of, .. } if by == release && of == batch);
        let hidden = self.machines.values().filter(|machine| {
            let is_untagged = machine.untagged_since_ms().is_some();
            let lives = !machine.instance.state.is_gone();
            lives && is_untagged && !machine.was_registered && is_of_batch(&machine.instance.origin)
        });
        u64::try_from(hidden.count()).unwrap_or(u64::MAX)
    }

    /// A slot leads to one server. The load balancer leads nobody to a dead one.
    pub(super) fn watch_slots(&mut self) {
        let crowded: Vec<String> = self
            .groups
            .iter()
            .filter(|(group, targets)| {
                let leads = |(id, target): &(&InstanceId, &Registration)| {
                    target.drained_at_ms.is_none() && !self.is_dead(id)
                };
                let staying = targets.iter().filter(leads).count();
                is_slot(group) && staying > 1
            })
            .map(|(group, _)| format!("{group} leads to several servers"))
            .collect();
        for what in crowded {
            self.violation(Law::OneSlotOneServer, what);
        }
    }

    /// What lives, is in a group and has no tag of the service any more is nobody's to take away. Whoever took the tags
    /// away wants something with it; that it was ours yesterday gives nobody a right to it.
    fn watch_the_untagged(&mut self, how: &str, instances: &[InstanceId]) {
        for id in instances {
            let Some(machine) = self.machines.get(id).filter(|machine| machine.app.is_some()) else {
                continue;
            };
            let is_known = machine.untagged_since_ms().is_some_and(|since_ms| self.could_be_known(since_ms));
            if is_known && self.is_in_a_group(id) {
                self.violation(Law::OnlyOurs, format!("{id} was {how}, and has no tag of the service"));
            }
        }
    }

    /// Nobody is taken out of traffic while boards live on it and a process serves them.
    pub(super) fn watch_the_leave(&mut self, instances: &[InstanceId]) {
        self.watch_the_untagged("deregistered", instances);
        for id in instances {
            let serves = self.machines.get(id).is_some_and(|machine| machine.app.is_some());
            let owned = self.settled_on(id);
            if serves && owned > 0 {
                self.violation(Law::NoEndInTraffic, format!("{id} was deregistered with {owned} boards"));
            }
        }
    }

    /// Nobody is sent away in a fleet whose servers can all hand boards over.
    pub(super) fn watch_the_drain(&mut self, id: &InstanceId) {
        if self.all_hand_over {
            self.violation(
                Law::NobodyIsSentAway,
                format!("{id} was drained, and could hand its boards over"),
            );
        }
    }

    /// What a release launched is got ready before clients are sent to it.
    pub(super) fn watch_readiness(&mut self, group: &GroupArn, instances: &[InstanceId]) {
        if !self.gets_ready || is_slot(group) {
            return;
        }
        for id in instances {
            let launched = self
                .machines
                .get(id)
                .is_some_and(|machine| matches!(machine.instance.origin, Origin::Release { .. }));
            if launched && !(self.configured.contains(id) && self.warmed.contains(id)) {
                self.violation(Law::ReadyFirst, format!("{id} was registered before it was ready"));
            }
        }
    }

    /// Every board is on exactly one server, the one that the ownership table names.
    fn lost_or_double(&self) -> Vec<String> {
        let mut holders: BTreeMap<&BoardId, Vec<(&InstanceId, u64)>> = BTreeMap::new();
        for (id, machine) in &self.machines {
            for (board, held) in machine.app.iter().flat_map(App::owned) {
                holders.entry(board).or_default().push((id, held.epoch));
            }
        }
        let mut wrong = Vec::new();
        for (board, row) in &self.rows {
            let named = [(&row.owner, row.epoch)];
            let held = holders.remove(board).unwrap_or_default();
            let waits_for_a_server = held.is_empty() && self.floors.in_all == 0 && self.is_dead(&row.owner);
            if held != named && !waits_for_a_server {
                wrong.push(format!("{}: {board} is owned by {named:?} and held by {held:?}", Law::OneOwner));
            }
        }
        let unowned = |board| format!("{}: {board} is held, and owned by nobody", Law::OneOwner);
        wrong.extend(holders.into_keys().map(unowned));
        wrong
    }

    /// Some target group lists it.
    pub(super) fn is_in_a_group(&self, id: &InstanceId) -> bool {
        self.groups.values().any(|targets| targets.contains_key(id))
    }

    /// No process answers there.
    pub(super) fn is_dead(&self, id: &InstanceId) -> bool {
        self.machines.get(id).is_none_or(|machine| machine.app.is_none())
    }

    /// Instances that a release launched, live ones only, by release and batch.
    fn launched(&self) -> BTreeMap<(String, u32), u32> {
        let mut launched = BTreeMap::new();
        for machine in self.machines.values().filter(|machine| !machine.instance.state.is_gone()) {
            if let Origin::Release { release, batch, .. } = &machine.instance.origin {
                *launched.entry((release.clone(), *batch)).or_insert(0) += 1;
            }
        }
        launched
    }
}

impl FakeWorld {
    /// Everything that was done against the laws so far, and every board that is not where it should be.
    pub fn violations(&self) -> Vec<String> {
        let state = self.now();
        state.violations.iter().cloned().chain(state.lost_or_double()).collect()
    }

    /// Live instances by the release and batch that launched them.
    pub fn launched(&self) -> BTreeMap<(String, u32), u32> {
        self.now().launched()
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::app::AppState;
    use std::time::Duration;

    use segue_domain::effect::LaunchBatch;
    use segue_domain::ids::{EffectId, ReleaseId, ServiceName, SubnetId, Version};

    use super::*;
    use crate::fakes::FIRST;

    /// Longer than anybody is given to learn of a death.
    const A_WHILE: Duration = Duration::from_secs(30);

    /// So many servers in turn at two load balancers, in a release that promises to leave as many.
    async fn promised(servers: u32) -> FakeWorld {
        let world = FakeWorld::with_spread_fleet_at(2, servers, 4);
        tokio::time::sleep(A_WHILE).await;
        world.expect_floor(servers);
        world
    }

    fn server(number: u32) -> InstanceId {
        InstanceId::new(format!("i-{number:04}"))
    }

    fn release() -> ReleaseId {
        ReleaseId::parse("boards-2").expect("a release's name")
    }

    /// One instance of the release's first batch is launched, under a token of its own each time.
    async fn launch_one(world: &FakeWorld, token: &str) {
        let image = world.now().images.first().cloned().expect("there is an image");
        let batch = LaunchBatch {
            release: release(),
            service: ServiceName::new(SERVICE),
            version: image.version,
            image: image.id,
            template: world.service().launch.template,
            subnet: SubnetId::new("subnet-1"),
            instance_type: None,
            count: 1,
            batch: 0,
            attempt: 1,
        };
        let cloud = world.ports().cloud;
        cloud.launch(&EffectId::new(token), &batch).await.expect("there is room");
    }

    /// A server is closed by a request that was sent at this time.
    fn close_late(world: &FakeWorld, number: u32, sent_at_ms: u64) {
        world.now().landing(sent_at_ms, |state| {
            state.app(&server(number)).expect("it runs").state = AppState::Closed;
            state.watch_capacity("a server was closed");
        });
    }

    fn close(world: &FakeWorld, number: u32) {
        close_late(world, number, world.now_ms());
    }

    /// Nothing must stay at either load balancer by itself, only in both together.
    fn forget_floors_of_each(state: &mut State) {
        state.floors.at_each = vec![0, 0];
        state.promised.floors.at_each = vec![0, 0];
    }

    fn told(world: &FakeWorld) -> String {
        world.violations().join("; ")
    }

    #[tokio::test(start_paused = true)]
    async fn where_servers_do_not_divide_the_first_load_balancers_keep_one_more() {
        let world = promised(3).await;
        assert_eq!(world.now().floors.at_each, [2, 1]);
        close(&world, 3);
        assert!(told(&world).contains("1 serve at forward, and its floor is 2"), "{}", told(&world));
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_excuses_a_launch_more_only_of_one_that_the_release_was_to_bring_in() {
        let world = promised(4).await;
        world.expect_besides(&release(), [server(1)].into_iter());
        launch_one(&world, "first").await;
        world.die(&server(1));
        launch_one(&world, "in its place").await;
        assert_eq!(told(&world), "");
        world.die(&server(2));
        launch_one(&world, "in nobody's place").await;
        assert!(told(&world).contains("S1") && told(&world).contains("has 3 instances"), "{}", told(&world));
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_at_one_load_balancer_excuses_nothing_at_another() {
        let world = promised(4).await;
        let sent_at_ms = world.now_ms();
        world.die(&server(1));
        close_late(&world, 2, sent_at_ms);
        assert!(told(&world).contains("1 serve at forward-of-2, and its floor is 2"), "{}", told(&world));
        let other = promised(4).await;
        let sent_at_ms = other.now_ms();
        other.die(&server(2));
        close_late(&other, 4, sent_at_ms);
        assert_eq!(told(&other), "", "whoever sent it could not know");
    }

    /// A server is taken in again while a stop of it is on its way, which lands.
    async fn stopped_when_taken_in_again(world: &FakeWorld, number: u32) -> String {
        let sent_at_ms = world.now_ms();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut state = world.now();
        let now_ms = state.now_ms;
        let its = state.groups.values_mut().filter_map(|targets| targets.get_mut(&server(number)));
        its.for_each(|target| target.since_ms = now_ms);
        state.rows.retain(|_, row| row.owner != server(number));
        state.landing(sent_at_ms, |state| state.watch_the_end("stopped", &[server(number)]));
        state.violations.join("; ")
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_stop_of_whoever_was_taken_in_again_is_excused_where_there_is_nobody_else() {
        let world = promised(4).await;
        world.die(&server(3));
        let told = stopped_when_taken_in_again(&world, 1).await;
        assert!(!told.contains("S3") && !told.contains("S4"), "{told}");
        let other = promised(4).await;
        let told = stopped_when_taken_in_again(&other, 1).await;
        assert!(told.contains("S3: ") && told.contains("S4: "), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_in_the_place_of_the_dead_must_stay_as_those_before() {
        let world = promised(4).await;
        world.die(&server(1));
        world.die(&server(3));
        assert_eq!(world.now().floors.at_each, [0, 2]);
        world.join(FIRST);
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(world.now().floors.at_each, [1, 2]);
        assert_eq!(world.now().floors.in_all, 3);
        close(&world, 5);
        assert!(
            told(&world).contains("S7") && told(&world).contains("0 serve at forward"),
            "{}",
            told(&world)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_too_many_at_one_load_balancer_is_in_nobodys_place_at_another() {
        let world = promised(3).await;
        world.join(FIRST);
        tokio::time::sleep(A_WHILE).await;
        world.die(&server(2));
        assert_eq!(world.now().floors.in_all, 2, "three serve, one of them too many");
        tokio::time::sleep(A_WHILE).await;
        close(&world, 4);
        assert_eq!(told(&world), "");
    }

    /// Until then the one has old servers and the other new ones.
    #[tokio::test(start_paused = true)]
    async fn once_each_load_balancer_has_its_shares_all_of_them_together_are_looked_at() {
        let world = promised(4).await;
        let mut state = world.now();
        forget_floors_of_each(&mut state);
        let forwards: Vec<_> = state.balancers.iter().map(|it| it.forward.clone()).collect();
        let colours = |it: &Balancer| it.colours.clone();
        let [[first, mine], [second, other]] =
            <[_; 2]>::try_from(state.balancers.iter().map(colours).collect::<Vec<_>>()).expect("two");
        state.weights.extend([(first, 0), (mine, 1)]);
        state.watch_capacity_of_shares(&forwards[0]);
        assert_eq!(state.violations, Vec::<String>::new(), "they may be under way");
        state.weights.extend([(second, 0), (other, 1)]);
        state.watch_capacity_of_shares(&forwards[1]);
        let told = state.violations.join("; ");
        assert!(told.contains("0 serve, and the floor is 4"), "{told}");
    }

    /// Which colour the old servers have differs from one load balancer to the next; which version they are of does not.
    #[tokio::test(start_paused = true)]
    async fn servers_of_one_version_are_looked_at_together_whatever_their_colours_are() {
        let world = promised(4).await;
        let mut state = world.now();
        forget_floors_of_each(&mut state);
        let second = state.balancers.last().cloned().expect("there are two");
        let [first, other] = second.colours;
        let here = state.groups.remove(&first).expect("it is there");
        state.groups.insert(other.clone(), here);
        state.weights.extend([(first, 0), (other, 1)]);
        state.watch_capacity_of_shares(&second.forward);
        assert_eq!(state.violations, Vec::<String>::new(), "four serve");
        (state.floors.in_all, state.promised.floors.in_all) = (5, 5);
        state.machines.get_mut(&server(2)).expect("it runs").instance.version = Version::new("another");
        state.watch_capacity_of_shares(&second.forward);
        assert_eq!(state.violations, Vec::<String>::new(), "their versions differ");
        let same = state.machines[&server(1)].instance.version.clone();
        state.machines.get_mut(&server(2)).expect("it runs").instance.version = same;
        state.watch_capacity_of_shares(&second.forward);
        let told = state.violations.join("; ");
        assert!(told.contains("4 serve, and the floor is 5"), "{told}");
    }
}
