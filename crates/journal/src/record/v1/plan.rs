//! The plan: the immutable snapshot in the first record of a release.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::{instance, plan, step};

use super::mirror::{mirror_struct, mirror_words};
use super::scalars::InstantMs;
use super::service::Service;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 3] =
    [("kind", Kind::WORDS), ("step", Step::WORDS), ("how", How::WORDS)];

mirror_struct! {
    Plan mirrors plan::Plan {
        release: String,
        kind: Kind,
        parent: Option<String>,
        service: Service,
        image: Image,
        from_version: String,
        blue: BTreeSet<String>,
        spares: BTreeSet<String>,
        takeover: BTreeSet<String>,
        batches: Vec<BatchPlan>,
        green_group: String,
        blue_groups: BTreeMap<String, BTreeSet<String>>,
        routes: BTreeMap<String, String>,
        weights_before: BTreeMap<String, u16>,
        weights_shared: BTreeMap<String, u16>,
        weights_after: BTreeMap<String, u16>,
        floor: u32,
        passed_canary: Option<String>,
        overrides: BTreeMap<String, String>,
    }
}

mirror_struct! {
    BatchPlan mirrors plan::BatchPlan {
        subnet: String,
        count: u32,
    }
}

mirror_struct! {
    Image mirrors instance::Image {
        id: String,
        version: String,
        commit: Option<String>,
        #[serde(rename = "created_at_ms")]
        created_at: InstantMs,
    }
}

mirror_words! {
    Kind mirrors plan::Kind {
        "canary" Canary,
        "full" Full,
        "rollback" Rollback,
    }
}

mirror_words! {
    Step mirrors step::Step {
        "resolve" Resolve,
        "preflight" Preflight,
        "launch" Launch,
        "configure" Configure,
        "warm" Warm,
        "admit" Admit,
        "observe" Observe,
        "close" Close,
        "handover" Handover,
        "retire" Retire,
        "announce" Announce,
        "reopen" Reopen,
        "shut" Shut,
        "return" Return,
        "discard" Discard,
    }
}

mirror_words! {
    How mirrors step::How {
        "found_done" FoundDone,
        "did" Did,
        "took_over" TookOver,
    }
}
