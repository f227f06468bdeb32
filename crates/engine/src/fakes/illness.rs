//! Servers that fail the load balancer's checks for a while, though their process is there and keeps what it has.

use std::time::Duration;

use segue_domain::ids::InstanceId;

use super::FakeWorld;
use super::state::State;

impl FakeWorld {
    /// From now on it fails the checks, for so long. Who has no process has nothing that could.
    pub fn fall_ill(&self, id: &InstanceId, time: Duration) {
        let mut state = self.now();
        let until_ms = state.until(time);
        let Ok(app) = state.app(id) else { return };
        app.ill_until_ms = app.ill_until_ms.max(until_ms);
        state.note_a_loss(id, false);
    }
}

impl State {
    /// Somebody is well again, and whoever looked a moment ago does not know it.
    pub(super) fn somebody_is_well_unseen(&self) -> bool {
        let apps = self.machines.values().filter_map(|machine| machine.app.as_ref());
        let mut well = apps.map(|app| app.ill_until_ms).filter(|at_ms| (1..=self.now_ms).contains(at_ms));
        well.any(|at_ms| !self.could_be_known(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::instance::InstanceState;
    use segue_domain::service::Balancer;
    use segue_domain::target::{TargetHealth, Targets};

    use super::*;
    use crate::fakes::fixture::FIRST;

    /// Longer than anybody is given to learn of what happened.
    const A_WHILE: Duration = Duration::from_secs(30);
    const MINUTE: Duration = Duration::from_mins(1);

    fn health(world: &FakeWorld, id: &InstanceId) -> Option<TargetHealth> {
        let groups =
            world.service().routing.balancers().flat_map(Balancer::forwarded).cloned().collect::<Vec<_>>();
        let all: Targets = groups.iter().flat_map(|group| world.targets(group.as_str())).collect();
        all.get(id).copied()
    }

    async fn fleet() -> (FakeWorld, Vec<InstanceId>) {
        let world = FakeWorld::with_fleet(2, 4);
        tokio::time::sleep(A_WHILE).await;
        world.expect_floor(2);
        let servers = world.fleet(FIRST, InstanceState::Running);
        (world, servers)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_ill_is_not_asked_for_until_it_is_well_and_that_can_be_known() {
        let (world, servers) = fleet().await;
        world.fall_ill(&servers[0], MINUTE);
        assert_eq!(health(&world, &servers[0]), Some(TargetHealth::Unhealthy));
        assert_eq!(world.now().floor, 1);
        tokio::time::sleep(MINUTE + Duration::from_secs(5)).await;
        assert_eq!(health(&world, &servers[0]), Some(TargetHealth::Healthy));
        assert_eq!(world.now().floor, 1, "nobody could know yet");
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(world.now().floor, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_ill_users_find_them_all_the_same() {
        let (world, servers) = fleet().await;
        for id in &servers {
            world.fall_ill(id, MINUTE);
        }
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(world.now().able(None), 0);
        let led_to = world.now().led_to(None).map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(led_to, servers);
        assert_eq!(world.violations(), Vec::<String>::new());
    }
}
