//! The service as it was configured, inside a plan.

use segue_domain::service;

use super::mirror::{mirror_struct, mirror_words};
use super::scalars::SpanMs;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 2] =
    [("workload", Workload::WORDS), ("needs_canary", NeedsCanary::WORDS)];

mirror_struct! {
    Service mirrors service::Service {
        name: String,
        environment: String,
        region: String,
        workload: Workload,
        pool: String,
        launch: LaunchSpec,
        routing: Routing,
        canary: CanaryPolicy,
        full: FullPolicy,
        handover: HandoverPolicy,
        patience: Patience,
    }
}

mirror_words! {
    Workload mirrors service::Workload {
        "boards" Boards,
        "requests" Requests,
        "none" None,
    }
}

mirror_struct! {
    LaunchSpec mirrors service::LaunchSpec {
        template: String,
        subnets: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
        size: Option<u32>,
        configure: Option<Vec<String>>,
        warm: Option<WarmSpec>,
    }
}

mirror_struct! {
    WarmSpec mirrors service::WarmSpec {
        path: String,
        requests: u32,
        median_ms: u32,
    }
}

mirror_struct! {
    /// With one load balancer there is no more than that one, in the place where it always was.
    Routing mirrors service::Routing {
        #[serde(flatten)]
        first: Balancer,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<Balancer>,
    }
}

mirror_struct! {
    Balancer mirrors service::Balancer {
        forward: String,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        share: u32,
        colours: [String; 2],
        canaries: Vec<String>,
        slots: Vec<Slot>,
    }
}

/// The share of who has no other beside it.
fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(share: &u32) -> bool {
    *share == one()
}

mirror_struct! {
    Slot mirrors service::Slot {
        route: String,
        group: String,
    }
}

mirror_struct! {
    CanaryPolicy mirrors service::CanaryPolicy {
        count: u32,
        #[serde(rename = "bake_ms")]
        bake: SpanMs,
        min_boards: u64,
        max_error_ratio: u64,
    }
}

mirror_struct! {
    FullPolicy mirrors service::FullPolicy {
        #[serde(rename = "bake_ms")]
        bake: SpanMs,
        needs_canary: NeedsCanary,
        #[serde(rename = "keep_old_ms")]
        keep_old: SpanMs,
    }
}

mirror_words! {
    NeedsCanary mirrors service::NeedsCanary {
        "yes" Yes,
        "no" No,
    }
}

mirror_struct! {
    HandoverPolicy mirrors service::HandoverPolicy {
        level_max: u8,
        #[serde(rename = "seal_ttl_ms")]
        seal_ttl: SpanMs,
        #[serde(rename = "attach_deadline_ms")]
        attach_deadline: SpanMs,
        attach_rate_per_s: u32,
        wave_boards: u32,
        switching_at_once: u32,
    }
}

mirror_struct! {
    Patience mirrors service::Patience {
        #[serde(rename = "step_ms")]
        step: SpanMs,
        #[serde(rename = "settle_ms")]
        settle: SpanMs,
        #[serde(rename = "max_age_ms")]
        max_age: SpanMs,
        #[serde(rename = "zeros_apart_ms")]
        zeros_apart: SpanMs,
    }
}
