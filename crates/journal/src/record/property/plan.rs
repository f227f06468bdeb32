//! Any plan.

use proptest::prelude::*;
use segue_domain::instance::Image;
use segue_domain::plan::{BatchPlan, Front, Kind, Plan};
use segue_domain::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Slot, WarmSpec, Workload,
};

use super::{instant, list, map, name, names, release, set, span, text};

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Canary, Kind::Full, Kind::Rollback])
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let head = (release(), kind(), prop::option::of(release()), service(), image(), name());
    let fleet = (set(), set(), set(), list(batch()), map(name()), map(set()), map(name()));
    // Never none: such a plan cannot be read.
    let fronts = prop_oneof![front().prop_map(|it| vec![it]), prop::collection::vec(front(), 1..4)];
    let rest = (any::<u32>(), prop::option::of(release()), map(text()));
    (head, fleet, fronts, any::<bool>(), rest).prop_map(|(head, fleet, fronts, is_alone, rest)| {
        let (release, kind, parent, service, image, from_version) = head;
        let (blue, spares, takeover, batches, homes, blue_groups, routes) = fleet;
        let (floor, passed_canary, overrides) = rest;
        let mut plan = Plan {
            release,
            kind,
            parent,
            service,
            image,
            from_version,
            blue,
            spares,
            takeover,
            batches,
            homes,
            fronts,
            blue_groups,
            routes,
            floor,
            passed_canary,
            overrides,
        };
        let first = plan.service.routing.first.forward.clone();
        // As plans for one load balancer are.
        if let ([front], true) = (plan.fronts.as_mut_slice(), is_alone) {
            front.forward = first.clone();
            front.floor = floor;
            plan.batches.iter_mut().for_each(|batch| batch.forward = first.clone());
            plan.homes.clear();
        }
        plan
    })
}

fn front() -> impl Strategy<Value = Front> {
    let shares = (map(any::<u16>()), map(any::<u16>()), map(any::<u16>()));
    (name(), prop::option::of(name()), shares, any::<u32>()).prop_map(
        |(forward, green_group, shares, floor)| {
            let (weights_before, weights_shared, weights_after) = shares;
            Front { forward, green_group, weights_before, weights_shared, weights_after, floor }
        },
    )
}

fn batch() -> impl Strategy<Value = BatchPlan> {
    (name(), any::<u32>(), name()).prop_map(|(subnet, count, forward)| BatchPlan { subnet, count, forward })
}

fn image() -> impl Strategy<Value = Image> {
    (name(), name(), prop::option::of(name()), instant())
        .prop_map(|(id, version, commit, created_at)| Image { id, version, commit, created_at })
}

fn service() -> impl Strategy<Value = Service> {
    let workload = prop::sample::select(vec![Workload::Boards, Workload::Requests, Workload::None]);
    let head = (name(), name(), name(), workload, name());
    (head, launch(), routing(), canary(), full(), handover(), patience()).prop_map(
        |(head, launch, routing, canary, full, handover, patience)| {
            let (name, environment, region, workload, pool) = head;
            Service {
                name,
                environment,
                region,
                workload,
                pool,
                launch,
                routing,
                canary,
                full,
                handover,
                patience,
            }
        },
    )
}

fn launch() -> impl Strategy<Value = LaunchSpec> {
    let configure = prop::option::of(list(text()));
    (name(), names(), names(), any::<Option<u32>>(), configure, prop::option::of(warm())).prop_map(
        |(template, subnets, types, size, configure, warm)| LaunchSpec {
            template,
            subnets,
            types,
            size,
            configure,
            warm,
        },
    )
}

pub(super) fn warm() -> impl Strategy<Value = WarmSpec> {
    (text(), any::<u32>(), any::<u32>()).prop_map(|(path, requests, median_ms)| WarmSpec {
        path,
        requests,
        median_ms,
    })
}

fn routing() -> impl Strategy<Value = Routing> {
    (balancer(), list(balancer())).prop_map(|(first, others)| Routing { first, others })
}

fn balancer() -> impl Strategy<Value = Balancer> {
    let slot = (name(), name()).prop_map(|(route, group)| Slot { route, group });
    (name(), any::<u32>(), [name(), name()], names(), list(slot)).prop_map(
        |(forward, share, colours, canaries, slots)| Balancer { forward, share, colours, canaries, slots },
    )
}

fn canary() -> impl Strategy<Value = CanaryPolicy> {
    (any::<u32>(), span(), any::<(u64, u64)>()).prop_map(|(count, bake, (min_boards, max_error_ratio))| {
        CanaryPolicy { count, bake, min_boards, max_error_ratio }
    })
}

fn full() -> impl Strategy<Value = FullPolicy> {
    let needs_canary = prop::sample::select(vec![NeedsCanary::Yes, NeedsCanary::No]);
    (span(), needs_canary, span()).prop_map(|(bake, needs_canary, keep_old)| FullPolicy {
        bake,
        needs_canary,
        keep_old,
    })
}

fn handover() -> impl Strategy<Value = HandoverPolicy> {
    (any::<u8>(), span(), span(), any::<(u32, u32, u32)>()).prop_map(
        |(level_max, seal_ttl, attach_deadline, (attach_rate_per_s, wave_boards, switching_at_once))| {
            HandoverPolicy {
                level_max,
                seal_ttl,
                attach_deadline,
                attach_rate_per_s,
                wave_boards,
                switching_at_once,
            }
        },
    )
}

fn patience() -> impl Strategy<Value = Patience> {
    (span(), span(), span(), span()).prop_map(|(step, settle, max_age, zeros_apart)| Patience {
        step,
        settle,
        max_age,
        zeros_apart,
    })
}
