//! At which load balancer a server stands, and that boards stay at theirs: their users come there.

use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::service::Balancer;
use segue_domain::target::TargetHealth;

use super::app::App;
use super::state::State;
use crate::ports::MoveItem;

impl State {
    /// Who could have had it where its users come to, by what was known when its wave was decided on.
    pub(super) fn nearer(&self, item: &MoveItem, from: &InstanceId, to: &InstanceId) -> Option<InstanceId> {
        let (home, elsewhere) = (self.home(from)?, self.home(to)?);
        if home == elsewhere {
            return None;
        }
        let decided = self.decided.get(&item.id);
        let decided_ms = decided.map_or_else(|| self.sent_at_ms(), |decided| decided.at_ms);
        let is_its = |id: &InstanceId| decided.is_none_or(|decided| decided.sides.contains(id));
        let version = |id: &InstanceId| self.machines.get(id).map(|it| &it.instance.version);
        let could = |id: &&InstanceId| {
            let since_ms = self.takes_boards_since(home, id);
            let is_of_it = is_its(id) && version(id) == version(to);
            is_of_it && since_ms.is_some_and(|since| self.was_known_by(since, decided_ms))
        };
        self.machines.keys().find(could).cloned()
    }

    /// The load balancer that has it in one of its groups.
    pub(super) fn home(&self, id: &InstanceId) -> Option<&Balancer> {
        self.balancers.iter().find(|balancer| {
            let mut groups = balancer.groups().filter_map(|group| self.groups.get(group));
            groups.any(|targets| targets.contains_key(id))
        })
    }

    /// Since when it has been open, healthy at this load balancer and in its slot there, known by its route and listed;
    /// none when it is not.
    fn takes_boards_since(&self, at: &Balancer, id: &InstanceId) -> Option<u64> {
        let machine = self.machines.get(id)?;
        let app = machine.app.as_ref().filter(|app| app.is_open())?;
        let tagged_ms = match machine.untagged {
            Some(untagged) => untagged.to_ms?,
            None => 0,
        };
        let since_ms = at.forwarded().filter_map(|group| self.healthy_since(group, id, app)).min()?;
        // Where there are routes, boards are carried to nobody who knows none, or, on the way back, whom his slot does not
        // lead to yet.
        let routed_ms = match at.slots.is_empty() {
            true => 0,
            false => app.route.as_ref().map(|_| app.routed_since_ms)?,
        };
        let its_slot = at.slots.iter().find(|slot| app.route.as_ref() == Some(&slot.route));
        let led_to_ms = match its_slot {
            Some(slot) => self.healthy_since(&slot.group, id, app)?,
            None => 0,
        };
        let seen_ms = machine.listed_at_ms.max(tagged_ms);
        [since_ms, app.open_since_ms, routed_ms, led_to_ms, seen_ms].into_iter().max()
    }

    /// None when this group does not have it, or does not find it healthy.
    fn healthy_since(&self, group: &GroupArn, id: &InstanceId, app: &App) -> Option<u64> {
        let target = self.groups.get(group)?.get(id)?;
        (self.health(id, *target) == TargetHealth::Healthy).then(|| target.checked_at_ms(app))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use segue_domain::app::AppState;
    use segue_domain::ids::{BoardId, MoveId};

    use super::*;
    use crate::fakes::FakeWorld;
    use crate::fakes::moves::Decided;
    use crate::ports::StandbyTerms;

    /// Longer than anybody is given to learn of what happened.
    const A_WHILE: Duration = Duration::from_secs(30);

    /// Two servers at each of two load balancers, known to everybody: 1 and 3, 2 and 4.
    async fn two_homes() -> FakeWorld {
        let world = FakeWorld::with_spread_fleet_at(2, 4, 4);
        world.calm_users();
        tokio::time::sleep(A_WHILE).await;
        world
    }

    fn server(number: u32) -> InstanceId {
        InstanceId::new(format!("i-{number:04}"))
    }

    fn item(board: &BoardId) -> MoveItem {
        MoveItem { id: MoveId::new(board.as_str()), board: board.clone(), from_epoch: 1 }
    }

    /// Carries the first board of one server over to another, by its doors.
    fn carry(world: &FakeWorld, from: u32, to: u32) {
        let board = world.some_board_on(&server(from)).expect("it has one");
        let (mut state, item) = (world.now(), item(&board));
        let terms = StandbyTerms { ttl: A_WHILE, attach_rate_per_s: 1 };
        let ttl_ms = u64::try_from(terms.ttl.as_millis()).expect("it is short");
        state.prepare(&server(to), &item, ttl_ms).expect("it takes it over");
        state.activate(&server(to), &item).expect("it has it");
    }

    fn close(world: &FakeWorld, number: u32) {
        world.now().app(&server(number)).expect("it runs").state = AppState::Closed;
    }

    /// The wave that carries this board over is decided on, of a release of these servers.
    fn decide_on(world: &FakeWorld, board: &BoardId, sides: &[u32]) {
        let sides = Arc::new(sides.iter().map(|number| server(*number)).collect());
        let decided = Decided { at_ms: world.now_ms(), attach_deadline_ms: 0, sides };
        world.now().decided.insert(item(board).id, decided);
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_may_go_to_any_server_of_its_own_load_balancer() {
        let world = two_homes().await;
        carry(&world, 1, 3);
        assert_eq!(world.violations(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_that_goes_elsewhere_while_its_own_load_balancer_has_a_server_breaks_a_law() {
        let world = two_homes().await;
        close(&world, 1);
        carry(&world, 1, 2);
        let told = world.violations().join("; ");
        assert!(told.starts_with("S9") && told.contains("i-0003 is at its load balancer"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_server_of_its_own_load_balancer_is_open_a_board_goes_elsewhere() {
        let world = two_homes().await;
        close(&world, 1);
        close(&world, 3);
        carry(&world, 1, 2);
        assert_eq!(world.violations(), Vec::<String>::new());
    }

    /// Whoever decided could not know of it.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_opened_after_the_wave_was_decided_on_is_held_against_nobody() {
        let world = two_homes().await;
        close(&world, 1);
        let board = world.some_board_on(&server(1)).expect("it has one");
        decide_on(&world, &board, &[1, 2, 3, 4]);
        let opened_ms = world.now_ms() + 1_000;
        world.now().app(&server(3)).expect("it runs").open_since_ms = opened_ms;
        tokio::time::sleep(A_WHILE * 2).await;
        carry(&world, 1, 2);
        assert_eq!(world.violations(), Vec::<String>::new());
    }

    /// Its users would be led to where nobody is found yet.
    #[tokio::test(start_paused = true)]
    async fn who_is_just_coming_into_its_slot_is_passed_over() {
        let world = two_homes().await;
        close(&world, 1);
        let now_ms = world.now_ms();
        let mut state = world.now();
        let route = state.app(&server(3)).expect("it runs").route.clone();
        let mut slots = state.balancers.iter().flat_map(|balancer| balancer.slots.clone());
        let group = slots.find(|slot| Some(&slot.route) == route.as_ref()).expect("it has a slot").group;
        let its = state.groups.get_mut(&group).and_then(|targets| targets.get_mut(&server(3)));
        its.expect("it is registered").since_ms = now_ms;
        drop(state);
        carry(&world, 1, 2);
        assert_eq!(world.violations(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_in_the_middle_and_is_none_of_the_releases_is_passed_over() {
        let world = two_homes().await;
        close(&world, 1);
        let board = world.some_board_on(&server(1)).expect("it has one");
        decide_on(&world, &board, &[1, 2, 4]);
        carry(&world, 1, 2);
        assert_eq!(world.violations(), Vec::<String>::new());
    }
}
