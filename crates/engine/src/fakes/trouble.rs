//! What befalls the small world by somebody else's hand, and what a simulation sees of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use segue_domain::app::AppState;
use segue_domain::ids::{BoardId, ForwardArn, InstanceId, ReleaseId, SubnetId};
use segue_domain::instance::InstanceState;
use segue_domain::service::Balancer;

use super::FakeWorld;
use super::machine::{Machine, Untagged};
use super::mute::Mutes;
use super::state::State;

/// A look, a registration and its health check.
const HEALTHY_AGAIN_MS: u64 = 30_000;
/// For so long after a death, or a person's deed, nobody can be expected to know of it.
const LATELY_MS: u64 = 20_000;
/// From the return of its tags to the end of a server that waited for nothing else.
const SEEN_AGAIN_MS: u64 = 180_000;
/// The deregistration delay of a server that an autoscaler takes away.
const LEAVES_MS: u64 = 30_000;

/// Troubles that last for a while, and deaths.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The subnet that has no room, and until when.
    pub(super) full: Option<(SubnetId, u64)>,
    /// Until then servers take no board over.
    pub(super) moves_refused_until_ms: u64,
    /// How long the next launched instances are not listed, in order.
    pub(super) unlisted_for_ms: Vec<u64>,
    deaths: u64,
    dead: BTreeMap<InstanceId, Death>,
    /// Whom a release brings in besides what it launches: who was stopped, or is a canary already.
    there: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Who waited for the journal, and when.
    pub(super) mutes: Mutes,
    /// When a request that lands late was sent, as long as it has its effect.
    sent_at_ms: Option<u64>,
}

/// Somebody's last death.
#[derive(Debug)]
struct Death {
    at_ms: u64,
    /// The load balancers that had it, then or when it died before.
    homes: BTreeSet<ForwardArn>,
}

impl Troubles {
    /// How many died of those whom a release brings in besides what it launches.
    pub(super) fn dead_of_those_there(&self, release: &str) -> u64 {
        let there = self.there.get(release).into_iter().flatten();
        let dead = there.filter(|id| self.dead.contains_key(*id)).count();
        u64::try_from(dead).unwrap_or(u64::MAX)
    }
}

impl State {
    pub(super) fn until(&self, time: Duration) -> u64 {
        self.now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// A request has its effect that was sent long ago.
    pub(super) fn landing<T>(&mut self, sent_at_ms: u64, effect: impl FnOnce(&mut Self) -> T) -> T {
        self.troubles.sent_at_ms = Some(sent_at_ms);
        let done = effect(self);
        self.troubles.sent_at_ms = None;
        // What was on its way when others died undoes what was done about it meanwhile, and it has to be done again.
        if self.balancers.iter().any(|balancer| self.led_to(Some(balancer)).next().is_none()) {
            self.troubles.mutes.note(sent_at_ms, self.now_ms.saturating_add(HEALTHY_AGAIN_MS));
        }
        done
    }

    /// Somebody died of whom the sender of what is just done could not know yet.
    pub(super) fn somebody_died_unseen(&self) -> bool {
        self.troubles.dead.keys().any(|id| self.died_unseen(id))
    }

    /// This one did.
    pub(super) fn died_unseen(&self, id: &InstanceId) -> bool {
        self.troubles.dead.get(id).is_some_and(|death| !self.could_be_known(death.at_ms))
    }

    /// What is just done was sent long ago.
    pub(super) fn lands_late(&self) -> bool {
        self.troubles.sent_at_ms.is_some()
    }

    /// How many died at this load balancer, or at any, and nobody could know of it and act.
    pub(super) fn died_unseen_at(&self, at: Option<&Balancer>) -> usize {
        let was_here = |death: &Death| match at {
            Some(balancer) => death.homes.contains(&balancer.forward),
            None => !death.homes.is_empty(),
        };
        let dead = self.troubles.dead.iter().filter(|(_, death)| was_here(death));
        dead.filter(|(id, _)| self.died_unseen(id)).count()
    }

    /// The sender of what is just done could know what happened then, and act on it.
    pub(super) fn could_be_known(&self, at_ms: u64) -> bool {
        self.was_known_by(at_ms, self.sent_at_ms())
    }

    /// Whoever decided something then could know of it.
    pub(super) fn was_known_by(&self, at_ms: u64, decided_ms: u64) -> bool {
        let waited_ms = self.troubles.mutes.between(at_ms, decided_ms);
        decided_ms >= at_ms.saturating_add(LATELY_MS).saturating_add(waited_ms)
    }

    /// When what is just done was sent: now, unless it lands late.
    pub(super) fn sent_at_ms(&self) -> u64 {
        self.troubles.sent_at_ms.unwrap_or(self.now_ms)
    }

    pub(super) fn note_a_death(&mut self, id: &InstanceId) {
        self.troubles.deaths += 1;
        let has_it = |balancer: &&Balancer| {
            let mut groups = balancer.forwarded().filter_map(|group| self.groups.get(group));
            groups.any(|targets| targets.contains_key(id))
        };
        let homes = self.balancers.iter().filter(has_it).map(|balancer| balancer.forward.clone());
        let homes: Vec<ForwardArn> = homes.collect();
        let fresh = Death { at_ms: self.now_ms, homes: BTreeSet::new() };
        let death = self.troubles.dead.entry(id.clone()).or_insert(fresh);
        death.at_ms = self.now_ms;
        death.homes.extend(homes);
        // Nobody took it away.
        self.lower_the_floors();
    }
}

impl FakeWorld {
    /// A person terminates it in the console.
    pub fn terminate_by_hand(&self, id: &InstanceId) {
        let mut state = self.now();
        let now_ms = state.now_ms;
        if let Some(machine) = state.machines.get_mut(id) {
            machine.terminate(now_ms);
        }
        state.claim_orphans(id);
        state.note_a_death(id);
    }

    /// An autoscaler of somebody else's takes it away: out of its groups, and terminated, whatever it has.
    pub fn leave(&self, id: &InstanceId) {
        {
            let mut state = self.now();
            let gone_at = state.now_ms.saturating_add(LEAVES_MS);
            for target in state.groups.values_mut().filter_map(|targets| targets.get_mut(id)) {
                target.drained_at_ms.get_or_insert(gone_at);
            }
        }
        self.terminate_by_hand(id);
    }

    /// A person starts it in the console.
    pub fn start_by_hand(&self, id: &InstanceId) {
        let mut state = self.now();
        let now_ms = state.now_ms;
        if let Some(machine) = state.machines.get_mut(id) {
            machine.start(now_ms);
        }
    }

    /// A person takes its tags away: the service does not list it any more. Those that it had.
    pub fn untag(&self, id: &InstanceId) -> BTreeMap<String, String> {
        let mut state = self.now();
        let now_ms = state.now_ms;
        let tagged = state.machines.get_mut(id).filter(|machine| !machine.tags.is_empty());
        let Some(machine) = tagged else { return BTreeMap::new() };
        machine.untagged = Some(Untagged { from_ms: now_ms, to_ms: None });
        std::mem::take(&mut machine.tags)
    }

    /// Whoever took its tags away gives them back.
    pub fn tag_again(&self, id: &InstanceId, tags: BTreeMap<String, String>) {
        let mut state = self.now();
        let now_ms = state.now_ms;
        if let Some(machine) = state.machines.get_mut(id) {
            machine.untagged = machine.untagged.map(|it| Untagged { to_ms: Some(now_ms), ..it });
            machine.tags.extend(tags);
        }
    }

    /// It had no tags then, by a person's hand, and no group has it: nobody could see it, who looked a moment before.
    pub fn was_out_of_sight_at(&self, id: &InstanceId, when_ms: u64) -> bool {
        let state = self.now();
        let untagged = state.machines.get(id).and_then(|machine| machine.untagged);
        let is_out = |it: Untagged| {
            let ends = it.to_ms.map(|to_ms| to_ms.saturating_add(LATELY_MS));
            it.from_ms <= when_ms && ends.is_none_or(|to_ms| when_ms <= to_ms)
        };
        !state.is_in_a_group(id) && untagged.is_some_and(is_out)
    }

    /// It is stopped, and in no group.
    pub fn is_put_by(&self, id: &InstanceId) -> bool {
        let state = self.now();
        let is_stopped = |it: &Machine| it.instance.state == InstanceState::Stopped;
        !state.is_in_a_group(id) && state.machines.get(id).is_some_and(is_stopped)
    }

    /// It has its tags, and has had them for long enough to be seen again.
    pub fn has_long_been_in_sight(&self, id: &InstanceId) -> bool {
        let state = self.now();
        let is_seen =
            |it: Untagged| it.to_ms.is_some_and(|to| state.now_ms >= to.saturating_add(SEEN_AGAIN_MS));
        state.machines.get(id).is_some_and(|machine| machine.untagged.is_none_or(is_seen))
    }

    /// Everything in one zone is gone at once.
    pub fn lose_zone(&self, subnet: &SubnetId) {
        let ids: Vec<InstanceId> = {
            let state = self.now();
            let here = state.machines.iter().filter(|(_, it)| it.instance.subnet == *subnet);
            here.filter(|(_, it)| !it.instance.state.is_down()).map(|(id, _)| id.clone()).collect()
        };
        for id in &ids {
            self.die(id);
        }
    }

    /// There is no room in a zone for so long.
    pub fn fill_for(&self, subnet: &SubnetId, time: Duration) {
        let mut state = self.now();
        state.troubles.full = Some((subnet.clone(), state.until(time)));
    }

    /// Servers take no board over for so long.
    pub fn refuse_moves(&self, time: Duration) {
        let mut state = self.now();
        state.troubles.moves_refused_until_ms = state.until(time);
    }

    /// The next launched instance is not listed for so long.
    pub fn list_late(&self, time: Duration) {
        let late_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.now().troubles.unlisted_for_ms.push(late_ms);
    }

    /// From here on servers obey whoever calls, whatever generation it is of.
    pub fn obey_anybody(&self) {
        self.now().obeys_anybody = true;
    }

    /// This release brings these in besides what it launches.
    pub fn expect_besides(&self, release: &ReleaseId, instances: impl Iterator<Item = InstanceId>) {
        self.now().troubles.there.insert(release.to_string(), instances.collect());
    }

    /// Every server can hand its boards over, and the service wants it so: nobody is sent away.
    pub fn expect_handovers(&self) {
        self.now().all_hand_over = true;
    }

    /// Servers that died, or were ended by somebody else.
    pub fn deaths(&self) -> u64 {
        self.now().troubles.deaths
    }

    /// A moment ago somebody died: whoever looked before may not know it.
    pub fn died_lately(&self) -> bool {
        self.now().somebody_died_unseen()
    }

    /// A process answers there, and had a board once.
    pub fn has_served(&self, id: &InstanceId) -> bool {
        let state = self.now();
        state.process(id).is_some_and(|app| app.has_served)
    }

    /// Its process answers, and takes new clients.
    pub fn serves(&self, id: &InstanceId) -> bool {
        self.now().takes_clients(id)
    }

    /// New clients are led to it, and it takes them, as soon as it is well.
    pub fn has_users(&self, id: &InstanceId) -> bool {
        self.now().led_to(None).any(|(led, _)| led == id)
    }

    /// What a server says of itself; none while no process answers.
    pub fn app_state(&self, id: &InstanceId) -> Option<AppState> {
        let state = self.now();
        state.process(id).map(|app| app.state)
    }

    /// The first board that it holds.
    pub fn some_board_on(&self, id: &InstanceId) -> Option<BoardId> {
        let rows = self.now().list(id);
        rows.into_iter().find(|row| row.state.is_owned_here()).map(|row| row.board)
    }

    /// Milliseconds since the world began.
    pub fn elapsed_ms(&self) -> u64 {
        self.now_ms()
    }
}
