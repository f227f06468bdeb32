//! Seats are dealt as users come, and over the zones of each load balancer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::ids::{GroupArn, ImageId, PoolName, ServiceName, TemplateId, Version};
use crate::instance::{InstanceState, Origin};
use crate::service::{
    CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Workload,
};
use crate::service_state::{ReleaseSummary, ServiceState};
use crate::target::{Targets, Weights};
use crate::time::Timestamp;

fn balancer(name: &str, share: u32) -> Balancer {
    let group = |of: &str| GroupArn::new(format!("{name}-{of}"));
    Balancer {
        forward: ForwardArn::new(name),
        share,
        colours: [group("a"), group("b")],
        canaries: vec![group("canary")],
        slots: Vec::new(),
    }
}

fn service(balancers: Vec<Balancer>, subnets: &[&str]) -> Service {
    let mut balancers = balancers.into_iter();
    let first = balancers.next().expect("there is one");
    let second = Duration::from_secs(1);
    Service {
        name: ServiceName::new("boards"),
        environment: "test".into(),
        region: "eu-west-1".into(),
        workload: Workload::Boards,
        pool: PoolName::new("main"),
        launch: LaunchSpec {
            template: TemplateId::new("lt-1"),
            subnets: subnets.iter().map(|subnet| SubnetId::new(*subnet)).collect(),
            types: Vec::new(),
            size: None,
            configure: None,
            warm: None,
        },
        routing: Routing { first, others: balancers.collect() },
        canary: CanaryPolicy { count: 1, bake: second, min_boards: 1, max_error_ratio: 2 },
        full: FullPolicy { bake: second, needs_canary: NeedsCanary::No, keep_old: second },
        handover: HandoverPolicy {
            level_max: 2,
            seal_ttl: second,
            attach_deadline: second,
            attach_rate_per_s: 1,
            wave_boards: 1,
            switching_at_once: 1,
        },
        patience: Patience { step: second, settle: second, max_age: second, zeros_apart: second },
    }
}

/// Of each load balancer: how many serve there, and how many of them are canaries that are taken over.
fn all<'a>(service: &'a Service, fleets: &[(u32, u32)]) -> Vec<Seats<'a>> {
    let places = service.routing.balancers().zip(fleets);
    places
        .map(|(balancer, &(fleet, taken))| Seats {
            balancer,
            seats: 0,
            taken,
            fleet,
            leaving: fleet,
            floor: 0,
        })
        .collect()
}

fn stopped(id: &str, subnet: &str) -> Instance {
    Instance {
        id: InstanceId::new(id),
        image: ImageId::new("ami-1"),
        version: Version::new("1"),
        pool: PoolName::new("main"),
        subnet: SubnetId::new(subnet),
        state: InstanceState::Stopped,
        address: None,
        launched_at: Timestamp::from_ms(0),
        origin: Origin::Adopted,
    }
}

/// Where the one canary of each of so many releases serves, when these groups have somebody already.
fn canaries_in_turn(service: &Service, fleets: &[(u32, u32)], taken: &[&str], releases: u64) -> Vec<String> {
    let here = |group: &&str| {
        let health = crate::target::TargetHealth::Healthy;
        (GroupArn::new(*group), Targets::from([(InstanceId::new("i-1"), health)]))
    };
    let (instances, targets): (_, BTreeMap<_, _>) = (BTreeMap::new(), taken.iter().map(here).collect());
    let (weights, mut history) = (Weights::new(), ServiceState::new(service.name.clone()));
    let mut homes = Vec::new();
    for number in 1..=releases {
        let facts = Facts {
            service,
            images: &[],
            has_template: true,
            instances: &instances,
            targets: &targets,
            weights: &weights,
            history: &history,
        };
        let all = all(service, fleets);
        let seats = canaries(&facts, &all, 1).expect("there is a group");
        let here = all.iter().zip(&seats).find(|(_, seats)| **seats == 1).expect("somebody has it");
        homes.push(here.0.balancer.forward.to_string());
        assert_eq!(seats.iter().sum::<u32>(), 1);
        for kind in [Kind::Canary, Kind::Full] {
            history.releases.push(ReleaseSummary {
                release: crate::ids::ReleaseId { service: service.name.clone(), number },
                kind,
                version: Version::new("2"),
                from_version: Version::new("1"),
                began_at: Timestamp::from_ms(0),
                ended: None,
            });
        }
    }
    homes
}

#[test]
fn seats_go_by_the_shares_of_users_and_nobody_with_servers_is_left_without() {
    let service = service(vec![balancer("east", 3), balancer("west", 1), balancer("new", 1)], &["a"]);
    let places = all(&service, &[(3, 0), (1, 0), (0, 0)]);
    assert_eq!(deal(&places, 2, |it| Some(least(it))), [1, 1, 0]);
    assert_eq!(deal(&places, 5, |it| Some(least(it))), [3, 1, 1]);
    assert_eq!(deal(&places, 10, |it| Some(least(it))), [6, 2, 2]);
    for size in 2..50 {
        let (now, next) =
            (deal(&places, size, |it| Some(least(it))), deal(&places, size + 1, |it| Some(least(it))));
        assert!(now.iter().zip(&next).all(|(now, next)| now <= next), "one more takes none away: {size}");
    }
}

#[test]
fn the_canaries_of_one_release_after_another_come_to_each_load_balancer_as_often_as_users_do() {
    let even = service(vec![balancer("east", 1), balancer("west", 1)], &["a"]);
    assert_eq!(canaries_in_turn(&even, &[(2, 0), (2, 0)], &[], 4), ["east", "west", "east", "west"]);
    let uneven = service(vec![balancer("east", 3), balancer("west", 1)], &["a"]);
    let turns = canaries_in_turn(&uneven, &[(2, 0), (2, 0)], &[], 8);
    assert_eq!(turns.iter().filter(|it| *it == "west").count(), 2, "{turns:?}");
}

#[test]
fn a_canary_comes_where_users_are_and_a_group_is_free_for_it() {
    let mut service = service(vec![balancer("east", 1), balancer("west", 1)], &["a"]);
    assert_eq!(canaries_in_turn(&service, &[(2, 0), (0, 0)], &[], 2), ["east", "east"], "nobody is there");
    let both = [(2, 0), (2, 0)];
    assert_eq!(
        canaries_in_turn(&service, &both, &["east-canary"], 2),
        ["west", "west"],
        "its group is in use"
    );
    service.routing.first.canaries.clear();
    assert_eq!(canaries_in_turn(&service, &both, &[], 2), ["west", "west"], "it has no group");
}

#[test]
fn a_fleet_that_is_smaller_than_the_load_balancers_are_many_is_refused() {
    let service = service(vec![balancer("east", 1), balancer("west", 1)], &["a"]);
    let told = refuse_too_few(Kind::Full, &all(&service, &[(2, 0), (1, 0)]), 1);
    assert_eq!(told, Err(Refusal::NobodyForBalancer { forward: ForwardArn::new("west"), size: 1 }));
    assert_eq!(refuse_too_few(Kind::Canary, &all(&service, &[(2, 0), (1, 0)]), 1), Ok(()));
    assert_eq!(refuse_too_few(Kind::Full, &all(&service, &[(2, 0), (0, 0)]), 1), Ok(()), "it has no users");
}

#[test]
fn more_canaries_than_there_are_to_be_servers_keep_nobody_from_the_other_load_balancer() {
    let service = service(vec![balancer("east", 1), balancer("west", 1)], &["a"]);
    let places = all(&service, &[(2, 3), (2, 0)]);
    assert_eq!(refuse_too_few(Kind::Full, &places, 2), Ok(()));
    assert_eq!(deal(&places, 2, |it| Some(least(it))), [3, 1]);
}

#[test]
fn spares_are_chosen_and_seated_so_that_each_load_balancer_has_some_of_every_zone() {
    let (east, west) = (ForwardArn::new("east"), ForwardArn::new("west"));
    // In turn by their names all of one load balancer would be in one zone.
    let servers = [("i-1", "a"), ("i-2", "b"), ("i-3", "a"), ("i-4", "b"), ("i-5", "a")];
    let servers = servers.map(|(id, subnet)| stopped(id, subnet));
    let order = [&east, &west, &east, &west];
    let (seated, zones) = spares(&order, &servers.iter().collect::<Vec<_>>());
    let homes: Vec<_> = seated.iter().map(|(id, forward)| (id.as_str(), forward.as_str())).collect();
    assert_eq!(homes, [("i-1", "east"), ("i-2", "west"), ("i-4", "east"), ("i-3", "west")]);
    for zone in ["a", "b"].map(SubnetId::new) {
        assert_eq!((zones.crowd(&zone, &east), zones.crowd(&zone, &west)), ((1, 2), (1, 2)));
    }
    assert_eq!(spares(&order, &[]).0, [], "none is left over from anything");
}

/// `subnet: count for forward` of each batch.
fn told(batches: &[BatchPlan]) -> Vec<String> {
    batches.iter().map(|it| format!("{}: {} for {}", it.subnet, it.count, it.forward)).collect()
}

#[test]
fn what_is_launched_goes_to_the_zones_in_turn_and_the_next_load_balancer_goes_on_there() {
    let service = service(vec![balancer("east", 1), balancer("west", 1)], &["a", "b", "c"]);
    let order = in_turn_of(&service, 4, 3);
    let batches = spread(&service, &[], &order, Zones::default());
    assert_eq!(
        told(&batches),
        [
            "a: 2 for east",
            "a: 1 for west",
            "b: 1 for east",
            "b: 1 for west",
            "c: 1 for east",
            "c: 1 for west"
        ]
    );
    let many = spread(&service, &[], &in_turn_of(&service, 301, 0), Zones::default());
    assert_eq!(told(&many), ["a: 100 for east", "a: 1 for east", "b: 100 for east", "c: 100 for east"]);
}

#[test]
fn a_load_balancer_that_gets_only_servers_known_by_name_has_a_batch_for_their_successors() {
    let service = service(vec![balancer("east", 1), balancer("west", 1), balancer("north", 1)], &["a", "b"]);
    let mut places = all(&service, &[(2, 2), (2, 1), (0, 0)]);
    places.iter_mut().zip([2, 2, 0]).for_each(|(it, seats)| it.seats = seats);
    let batches = spread(&service, &places, &in_turn(&places), Zones::default());
    assert_eq!(told(&batches), ["a: 1 for west", "b: 0 for east"], "and where nobody comes there is none");
}

#[test]
fn what_is_launched_goes_where_the_spares_are_not() {
    let service = service(vec![balancer("east", 1)], &["a", "b"]);
    let forward = &service.routing.first.forward;
    let servers = [stopped("i-1", "b"), stopped("i-2", "b"), stopped("i-3", "elsewhere")];
    let mut order = vec![forward; 6];
    let (seated, zones) = spares(&order, &servers.iter().collect::<Vec<_>>());
    let launched = order.split_off(seated.len());
    assert_eq!(
        told(&spread(&service, &[], &launched, zones)),
        ["a: 3 for east"],
        "one more than in the other zone"
    );
}

fn in_turn_of(service: &Service, east: u32, west: u32) -> Vec<&ForwardArn> {
    let mut places = all(service, &[(1, 0), (1, 0)]);
    places.iter_mut().zip([east, west]).for_each(|(it, seats)| it.seats = seats);
    let order = in_turn(&places);
    assert_eq!(order.len(), usize::try_from(east + west).expect("few"));
    order
}
