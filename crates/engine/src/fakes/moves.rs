//! What is asked of each board that is moved: where it goes, and when.

use std::collections::BTreeSet;
use std::sync::Arc;

use segue_domain::effect::MoveWave;
use segue_domain::ids::InstanceId;

use super::FakeWorld;
use super::balancer::CHECKS_MS;
use super::boards::ms;
use super::law::Law;
use super::state::State;
use crate::ports::MoveItem;

/// A wave was decided on.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) at_ms: u64,
    /// So long clients are waited for, at the least: from here on, though whoever carries it out begins to wait later.
    pub(super) attach_deadline_ms: u64,
    /// Old and new ones of its release. Somebody else's who came in the middle, and was not taken in, is none of them.
    pub(super) sides: Arc<BTreeSet<InstanceId>>,
}

impl State {
    /// A board goes to an open server only, to one that its slot leads to, and to none of another load balancer while one
    /// of its own could have it.
    pub(super) fn watch_the_move(&mut self, item: &MoveItem, from: &InstanceId, to: &InstanceId) {
        let board = &item.board;
        if self.process(to).is_some_and(|app| !app.is_open()) {
            self.violation(Law::MovesHaveAPlace, format!("{board} was moved to {to}, which is closed"));
        }
        if self.is_out_of_its_slot(item, to) {
            let what = format!("{board} was moved to {to}, and its slot does not lead there");
            self.violation(Law::MovesHaveAPlace, what);
        }
        if self.have_given_up(board, from) {
            let what = format!("{board} of {from} was moved to {to} when its clients had given the move up");
            self.violation(Law::MovesHaveAPlace, what);
        }
        if let Some(nearer) = self.nearer(item, from, to) {
            let what = format!("{board} of {from} was moved to {to}, and {nearer} is at its load balancer");
            self.violation(Law::MovesHaveAPlace, what);
        }
    }

    /// No board is sealed before all its clients that can attach have, or had as long as the policy gives them.
    pub(super) fn watch_the_seal(&mut self, item: &MoveItem, from: &InstanceId) {
        let Some(decided) = self.decided.get(&item.id) else { return };
        let had_their_time = self.sent_at_ms() >= decided.at_ms.saturating_add(decided.attach_deadline_ms);
        if had_their_time {
            return;
        }
        if let Some(missing) = self.still_attaching(&item.board, from) {
            let what = format!("{} of {from} was sealed while {missing} were on their way", item.board);
            self.violation(Law::MovesHaveAPlace, what);
        }
    }

    /// The load balancer has slots, and when the wave was decided on the one of its route had not had it for as long as
    /// the checks take. Whoever fails them later is not out of its slot.
    fn is_out_of_its_slot(&self, item: &MoveItem, id: &InstanceId) -> bool {
        let Some((home, app)) = self.home(id).zip(self.process(id)) else { return false };
        let decided_ms = self.decided.get(&item.id).map_or_else(|| self.sent_at_ms(), |it| it.at_ms);
        let its_slot = home.slots.iter().find(|slot| app.route.as_ref() == Some(&slot.route));
        let target = its_slot.and_then(|slot| self.groups.get(&slot.group)?.get(id));
        let was_found = target.is_some_and(|target| target.since_ms.saturating_add(CHECKS_MS) <= decided_ms);
        !home.slots.is_empty() && !was_found
    }
}

impl FakeWorld {
    /// A wave was decided on, of a release of these servers: what comes later could not be known.
    pub fn expect_moves(&self, effect: &MoveWave, sides: BTreeSet<InstanceId>) {
        let mut state = self.now();
        let attach_deadline_ms = ms(effect.attach_deadline);
        let decided = Decided { at_ms: state.now_ms, attach_deadline_ms, sides: Arc::new(sides) };
        state.decided.extend(effect.wave.moves.iter().map(|one| (one.id.clone(), decided.clone())));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use segue_domain::ids::{MoveId, ReleaseId};
    use segue_domain::moves::{Direction, Move, Wave};

    use super::*;
    use crate::fakes::fixture::is_slot;
    use crate::ports::AttachPlan;

    /// Longer than anybody is given to learn of what happened.
    const A_WHILE: Duration = Duration::from_secs(30);
    const ATTACH_DEADLINE: Duration = Duration::from_secs(10);

    async fn world() -> FakeWorld {
        let world = FakeWorld::with_spread_fleet_at(1, 2, 4);
        world.calm_users();
        tokio::time::sleep(A_WHILE).await;
        world
    }

    fn server(number: u32) -> InstanceId {
        InstanceId::new(format!("i-{number:04}"))
    }

    /// The wave that carries the first board of one server over to the other is decided on.
    fn decide(world: &FakeWorld) -> MoveItem {
        let board = world.some_board_on(&server(1)).expect("it has one");
        let id = MoveId::new(board.as_str());
        let one = Move { id: id.clone(), board: board.clone(), epoch: 1, from: server(1), to: server(2) };
        let effect = MoveWave {
            release: ReleaseId::parse("boards-2").expect("a release's name"),
            wave: Wave { number: 1, direction: Direction::Out, moves: vec![one] },
            level: 2,
            seal_ttl: Duration::from_secs(2),
            attach_deadline: ATTACH_DEADLINE,
            attach_rate_per_s: 1,
            switching_at_once: 1,
        };
        world.expect_moves(&effect, [server(1), server(2)].into());
        MoveItem { id, board, from_epoch: 1 }
    }

    /// The new server is ready, and the clients are told to attach, one in a second.
    fn offer(world: &FakeWorld, item: &MoveItem) {
        let mut state = world.now();
        state.prepare(&server(2), item, 60_000).expect("it takes it over");
        let connect = String::new();
        let plan = AttachPlan { item: item.clone(), connect, rate_per_s: 1, deadline: A_WHILE * 2 };
        state.offer(&server(1), &plan).expect("it has it");
    }

    fn switch(world: &FakeWorld, item: &MoveItem) {
        let mut state = world.now();
        state.seal(&server(1), item, 2_000).expect("it has it");
        state.activate(&server(2), item).expect("it takes it");
    }

    fn told(world: &FakeWorld) -> String {
        world.violations().join("; ")
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_that_is_sealed_before_its_clients_have_attached_breaks_a_law() {
        let world = world().await;
        let item = decide(&world);
        offer(&world, &item);
        tokio::time::sleep(Duration::from_secs(1)).await;
        switch(&world, &item);
        assert!(told(&world).contains("was sealed while 2 were on their way"), "{}", told(&world));
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_whose_clients_are_there_is_switched_and_one_whose_clients_never_were_told_is_not() {
        let world = world().await;
        let item = decide(&world);
        offer(&world, &item);
        tokio::time::sleep(Duration::from_secs(3)).await;
        switch(&world, &item);
        assert_eq!(told(&world), "");
        let item = decide(&world);
        world.now().prepare(&server(2), &item, 60_000).expect("it takes it over");
        switch(&world, &item);
        assert!(told(&world).contains("was sealed while 3 were on their way"), "{}", told(&world));
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_cannot_attach_are_not_waited_for_and_the_others_until_the_deadline() {
        let world = world().await;
        let item = decide(&world);
        offer(&world, &item);
        world.make_plain(&item.board, 2);
        tokio::time::sleep(Duration::from_secs(1)).await;
        switch(&world, &item);
        let item = decide(&world);
        offer(&world, &item);
        world.make_stubborn(&item.board);
        tokio::time::sleep(ATTACH_DEADLINE).await;
        switch(&world, &item);
        assert_eq!(told(&world), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_goes_to_nobody_whose_slot_leads_elsewhere() {
        let world = world().await;
        let item = decide(&world);
        offer(&world, &item);
        tokio::time::sleep(Duration::from_secs(3)).await;
        for (_, targets) in world.now().groups.iter_mut().filter(|(group, _)| is_slot(group)) {
            targets.remove(&server(2));
        }
        switch(&world, &item);
        assert!(told(&world).contains("its slot does not lead there"), "{}", told(&world));
    }
}
