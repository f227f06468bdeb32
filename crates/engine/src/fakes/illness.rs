//! Servers that fail the load balancer's checks for a while, though their process is there and keeps what it has.

use std::time::Duration;

use segue_domain::ids::InstanceId;

use super::FakeWorld;
use super::balancer::CHECKS_MS;
use super::state::State;

/// One time of failing the checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Illness {
    from_ms: u64,
    /// It is over then, and the next check may pass.
    pub(super) until_ms: u64,
}

impl Illness {
    fn is_seen_at(self, now_ms: u64) -> bool {
        now_ms < self.until_ms.saturating_add(CHECKS_MS)
    }
}

impl FakeWorld {
    /// From now on it fails the checks, for so long. Who has no process has nothing that could.
    pub fn fall_ill(&self, id: &InstanceId, time: Duration) {
        let mut state = self.now();
        let (now_ms, until_ms) = (state.now_ms, state.until(time));
        let Ok(app) = state.app(id) else { return };
        app.illness = match app.illness.filter(|illness| illness.is_seen_at(now_ms)) {
            Some(illness) => Some(Illness { until_ms: illness.until_ms.max(until_ms), ..illness }),
            None => Some(Illness { from_ms: now_ms, until_ms }),
        };
        state.lower_the_floors();
    }
}

impl State {
    /// It is open, and ill, and whoever does something now could not know: it is counted as before.
    pub(super) fn fell_ill_unseen(&self, id: &InstanceId) -> bool {
        let open = self.process(id).filter(|app| app.is_open());
        let illness = open.and_then(|app| app.illness).filter(|illness| illness.is_seen_at(self.now_ms));
        illness.is_some_and(|illness| !self.could_be_known(illness.from_ms))
    }

    /// It is well again, and whoever looked a moment ago does not know it.
    pub(super) fn is_well_unseen(&self, id: &InstanceId) -> bool {
        let illness = self.process(id).and_then(|app| app.illness);
        let over = illness.filter(|illness| !illness.is_seen_at(self.now_ms));
        over.is_some_and(|illness| !self.could_be_known(illness.until_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use segue_domain::app::AppState;
    use segue_domain::ids::GroupArn;
    use segue_domain::instance::InstanceState;
    use segue_domain::target::TargetHealth;

    use super::*;
    use crate::fakes::fixture::FIRST;

    /// Longer than anybody is given to learn of what happened.
    const A_WHILE: Duration = Duration::from_secs(30);
    const MINUTE: Duration = Duration::from_mins(1);

    async fn fleet() -> (FakeWorld, Vec<InstanceId>) {
        let world = FakeWorld::with_fleet(2, 4);
        tokio::time::sleep(A_WHILE).await;
        world.expect_floor(2);
        let servers = world.fleet(FIRST, InstanceState::Running);
        (world, servers)
    }

    /// Its health in the first colour.
    fn health(world: &FakeWorld, id: &InstanceId) -> TargetHealth {
        let colour = world.service().routing.first.colours[0].clone();
        world.targets(colour.as_str())[id]
    }

    /// Who serves, and who is taken for one that does.
    fn counted(world: &FakeWorld) -> usize {
        let state = world.now();
        state.able(None) + state.led_to_the_lost(None)
    }

    fn close(world: &FakeWorld, id: &InstanceId) {
        let mut state = world.now();
        state.app(id).expect("it runs").state = AppState::Closed;
        state.watch_capacity("a server was closed");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_ill_need_not_stay_until_it_is_well_and_that_can_be_known() {
        let (world, servers) = fleet().await;
        world.fall_ill(&servers[0], MINUTE);
        assert_eq!(health(&world, &servers[0]), TargetHealth::Unhealthy);
        assert_eq!(world.now().floors.in_all, 1);
        tokio::time::sleep(MINUTE + Duration::from_secs(5)).await;
        assert_eq!(health(&world, &servers[0]), TargetHealth::Healthy);
        assert_eq!(world.now().floors.in_all, 1, "nobody could know yet");
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(world.now().floors.in_all, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fell_ill_a_moment_ago_is_counted_once_and_not_when_it_was_closed() {
        let (world, servers) = fleet().await;
        world.fall_ill(&servers[0], Duration::from_secs(2));
        assert_eq!(counted(&world), 2);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(counted(&world), 2);
        world.fall_ill(&servers[1], MINUTE);
        tokio::time::sleep(A_WHILE).await;
        close(&world, &servers[0]);
        let told = world.violations().join("; ");
        assert!(told.contains("S7") && told.contains("0 serve"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_of_a_group_are_ill_users_find_them_all_the_same() {
        let (world, servers) = fleet().await;
        for id in &servers {
            world.fall_ill(id, MINUTE);
        }
        let made = world.now().users.boards_made;
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(world.now().able(None), 0);
        assert_eq!(world.now().reached(None), BTreeSet::from_iter(servers));
        assert!(world.now().users.boards_made > made, "boards are opened");
    }

    /// A load balancer fails open for each group: none is taken in another's place.
    #[tokio::test(start_paused = true)]
    async fn a_healthy_canary_keeps_nobody_from_an_ill_group_and_who_is_new_there_is_not_reached() {
        let (world, servers) = fleet().await;
        let first = world.service().routing.first.clone();
        let canary: GroupArn = first.canaries[0].clone();
        let ports = world.ports();
        ports.balancer.deregister(&first.colours[0], &servers[..1]).await.expect("it is there");
        tokio::time::sleep(A_WHILE).await;
        ports.balancer.register(&canary, &servers[..1]).await.expect("there is room");
        world.now().weights.insert(canary, 1);
        assert_eq!(world.now().reached(None), BTreeSet::from_iter(servers[1..].to_vec()), "it is initial");
        tokio::time::sleep(A_WHILE).await;
        world.fall_ill(&servers[1], MINUTE);
        assert_eq!(world.now().reached(None), BTreeSet::from_iter(servers));
    }
}
