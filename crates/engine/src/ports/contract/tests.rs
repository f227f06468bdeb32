//! The fakes keep the contracts.

use std::collections::BTreeMap;

use segue_domain::ids::{GroupArn, InstanceId, Version};
use segue_domain::instance::Instance;

use super::*;
use crate::fakes::{FIRST, FakeWorld, SECOND};
use crate::ports::Target;

const PATIENCE: Duration = Duration::from_secs(30);

fn target(instances: &BTreeMap<InstanceId, Instance>, id: &str) -> Target {
    let id = InstanceId::new(id);
    let address = instances[&id].address.clone().expect("it has booted");
    Target { instance: id, address, generation: 4 }
}

#[tokio::test(start_paused = true)]
async fn the_fake_cloud_keeps_the_contract() {
    let world = FakeWorld::with_strangers(1, 1);
    let service = world.service();
    let fixture = CloudFixture {
        service: service.name,
        images: world.images(),
        version: Version::new(SECOND),
        template: service.launch.template,
        subnet: service.launch.subnets[0].clone(),
        stranger: InstanceId::new("i-0001"),
        stranger_version: Version::new(FIRST),
        run: 1,
        patience: PATIENCE,
    };
    cloud(world.ports().cloud, fixture).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_load_balancer_keeps_the_contract() {
    let world = FakeWorld::with_fleet(1, 1);
    let fixture = LoadBalancerFixture {
        forward: world.service().routing.first.forward,
        group: GroupArn::new("b"),
        no_group: GroupArn::new("nowhere"),
        instance: InstanceId::new("i-0001"),
        patience: PATIENCE,
    };
    load_balancer(world.ports().balancer, fixture).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_metrics_keep_the_contract() {
    let world = FakeWorld::with_fleet(1, 3);
    world.calm_users();
    let fixture = MetricsFixture {
        known: InstanceId::new("i-0001"),
        boards: 3,
        unknown: InstanceId::new("i-9"),
        patience: PATIENCE,
    };
    metrics(world.ports().metrics, fixture).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_servers_keep_the_contract() {
    let world = FakeWorld::with_fleet(2, 10);
    world.calm_users();
    let instances = world.instances();
    let old = target(&instances, "i-0001");
    let rows = world.ports().boards.boards(&old).await.unwrap();
    let fixture = BoardsFixture {
        old,
        new: target(&instances, "i-0002"),
        boards: rows.into_iter().map(|row| row.board).collect(),
        run: 1,
        patience: PATIENCE,
    };
    boards(world.ports().boards, fixture).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_permissions_keep_the_contract() {
    let world = FakeWorld::with_fleet(1, 1);
    world.deny("TerminateInstances");
    let service = world.service();
    let image = world.ports().cloud.images(&world.images()).await.unwrap().remove(0);
    let fixture = PermissionsFixture {
        service: service.name.clone(),
        denied: "TerminateInstances",
        instance: InstanceId::new("i-0001"),
        template: service.launch.template,
        image: image.id,
        subnet: service.launch.subnets[0].clone(),
        forward: service.routing.first.forward,
        group: GroupArn::new("b"),
    };
    permissions(world.permissions(), world.ports().cloud, fixture).await;
}
