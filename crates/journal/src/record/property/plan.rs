//! Any plan.

use proptest::prelude::*;
use segue_domain::instance::Image;
use segue_domain::plan::{BatchPlan, Kind, Plan};
use segue_domain::service::{
    CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service, Slot,
    WarmSpec, Workload,
};

use super::{instant, list, map, name, names, release, set, span, text};

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Canary, Kind::Full, Kind::Rollback])
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let head = (release(), kind(), prop::option::of(release()), service(), image(), name());
    let fleet = (set(), set(), set(), list(batch()), name(), map(set()), map(name()));
    let shares = (map(any::<u16>()), map(any::<u16>()), map(any::<u16>()));
    let rest = (any::<u32>(), prop::option::of(release()), map(text()));
    (head, fleet, shares, rest).prop_map(|(head, fleet, shares, rest)| {
        let (release, kind, parent, service, image, from_version) = head;
        let (blue, spares, takeover, batches, green_group, blue_groups, routes) = fleet;
        let (weights_before, weights_shared, weights_after) = shares;
        let (floor, passed_canary, overrides) = rest;
        Plan {
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
            green_group,
            blue_groups,
            routes,
            weights_before,
            weights_shared,
            weights_after,
            floor,
            passed_canary,
            overrides,
        }
    })
}

fn batch() -> impl Strategy<Value = BatchPlan> {
    (name(), any::<u32>()).prop_map(|(subnet, count)| BatchPlan { subnet, count })
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
    let slot = (name(), name()).prop_map(|(route, group)| Slot { route, group });
    (name(), [name(), name()], names(), list(slot)).prop_map(|(forward, colours, canaries, slots)| Routing {
        forward,
        colours,
        canaries,
        slots,
    })
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
