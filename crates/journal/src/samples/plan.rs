//! A plan with every field set.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use segue_domain::ids::{ReleaseId, ServiceName};
use segue_domain::instance::Image;
use segue_domain::plan::{BatchPlan, Front, Kind, Plan};
use segue_domain::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Slot, WarmSpec, Workload,
};
use segue_domain::time::Timestamp;

pub(crate) fn plan() -> Plan {
    let release = |service: &str, number| ReleaseId { service: ServiceName::new(service), number };
    Plan {
        release: release("boards", 12),
        kind: Kind::Full,
        parent: Some(release("product", 3)),
        service: service(),
        image: Image {
            id: "ami-2".into(),
            version: "2026.11.21-3".into(),
            commit: Some("4f2a9c1".into()),
            created_at: Timestamp::from_ms(1_795_200_000_000),
        },
        from_version: "2026.11.20-1".into(),
        blue: BTreeSet::from(["i-1".into(), "i-2".into()]),
        spares: BTreeSet::from(["i-3".into()]),
        takeover: BTreeSet::from(["i-4".into()]),
        batches: vec![BatchPlan { subnet: "subnet-a".into(), count: 2, forward: "arn:listener".into() }],
        homes: BTreeMap::new(),
        fronts: vec![Front {
            forward: "arn:listener".into(),
            green_group: Some("arn:green".into()),
            weights_before: BTreeMap::from([("arn:blue".into(), 100), ("arn:green".into(), 0)]),
            weights_shared: BTreeMap::from([("arn:blue".into(), 50), ("arn:green".into(), 50)]),
            weights_after: BTreeMap::from([("arn:blue".into(), 0), ("arn:green".into(), 999)]),
            floor: 2,
        }],
        blue_groups: BTreeMap::from([("i-1".into(), BTreeSet::from(["arn:blue".into()]))]),
        routes: BTreeMap::from([("i-1".into(), "s01".into())]),
        floor: 2,
        passed_canary: Some(release("boards", 11)),
        overrides: BTreeMap::from([("pages".into(), "this release mends it".to_owned())]),
    }
}

fn service() -> Service {
    Service {
        name: "boards".into(),
        environment: "production".into(),
        region: "eu-west-1".into(),
        workload: Workload::Boards,
        pool: "main".into(),
        launch: LaunchSpec {
            template: "lt-1".into(),
            subnets: vec!["subnet-a".into(), "subnet-b".into()],
            types: Vec::new(),
            size: Some(4),
            configure: Some(vec!["configure".to_owned(), "{instance}".to_owned()]),
            warm: Some(WarmSpec { path: "/warm".to_owned(), requests: 200, median_ms: 50 }),
        },
        routing: Routing::of(Balancer {
            forward: "arn:listener".into(),
            share: 1,
            colours: ["arn:blue".into(), "arn:green".into()],
            canaries: vec!["arn:canary-1".into()],
            slots: vec![Slot { route: "s01".into(), group: "arn:s01".into() }],
        }),
        canary: CanaryPolicy { count: 1, bake: Duration::from_hours(4), min_boards: 20, max_error_ratio: 2 },
        full: FullPolicy {
            bake: Duration::from_mins(10),
            needs_canary: NeedsCanary::Yes,
            keep_old: Duration::from_hours(24),
        },
        handover: HandoverPolicy {
            level_max: 2,
            seal_ttl: Duration::from_secs(5),
            attach_deadline: Duration::from_secs(20),
            attach_rate_per_s: 400,
            wave_boards: 200,
            switching_at_once: 8,
        },
        patience: Patience {
            step: Duration::from_mins(15),
            settle: Duration::from_mins(1),
            max_age: Duration::from_secs(45),
            zeros_apart: Duration::from_secs(15),
        },
    }
}
