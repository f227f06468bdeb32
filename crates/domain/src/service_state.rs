//! The state of a service: which release is active, and which came before.

use std::collections::BTreeMap;

use crate::decision::Verdict;
use crate::event::{RequestKey, ServiceEvent};
use crate::ids::{ReleaseId, ServiceName, Version};
use crate::plan::Kind;
use crate::time::Timestamp;

/// The fold of a service's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    pub service: ServiceName,
    /// Oldest first.
    pub releases: Vec<ReleaseSummary>,
    /// What each `Idempotency-Key` was used for.
    pub requests: BTreeMap<String, (String, ReleaseId)>,
}

/// One release as the service remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSummary {
    pub release: ReleaseId,
    pub kind: Kind,
    pub version: Version,
    pub from_version: Version,
    pub began_at: Timestamp,
    pub ended: Option<(Verdict, Timestamp)>,
}

impl ServiceState {
    pub fn new(service: ServiceName) -> Self {
        Self { service, releases: Vec::new(), requests: BTreeMap::new() }
    }

    pub fn fold<'a>(
        service: ServiceName,
        events: impl IntoIterator<Item = (Timestamp, &'a ServiceEvent)>,
    ) -> Self {
        let mut state = Self::new(service);
        for (at, event) in events {
            state.apply(at, event);
        }
        state
    }

    pub fn apply(&mut self, at: Timestamp, event: &ServiceEvent) {
        match event {
            ServiceEvent::Began { release, kind, version, from_version, request } => {
                if let Some(RequestKey { key, digest }) = request {
                    self.requests.insert(key.clone(), (digest.clone(), release.clone()));
                }
                self.releases.push(ReleaseSummary {
                    release: release.clone(),
                    kind: *kind,
                    version: version.clone(),
                    from_version: from_version.clone(),
                    began_at: at,
                    ended: None,
                });
            }
            ServiceEvent::Finished { release, verdict } => {
                if let Some(summary) = self.releases.iter_mut().find(|it| it.release == *release) {
                    summary.ended = Some((verdict.clone(), at));
                }
            }
        }
    }

    /// The release that is not over. There is at most one.
    pub fn active(&self) -> Option<&ReleaseSummary> {
        self.releases.iter().find(|summary| summary.ended.is_none())
    }

    pub fn next_id(&self) -> ReleaseId {
        let last = self.releases.iter().map(|summary| summary.release.number).max().unwrap_or(0);
        ReleaseId { service: self.service.clone(), number: last + 1 }
    }

    /// The last canary of this version that passed.
    pub fn passed_canary(&self, version: &Version) -> Option<&ReleaseSummary> {
        self.releases.iter().rev().find(|summary| {
            summary.kind == Kind::Canary
                && summary.version == *version
                && matches!(summary.ended, Some((Verdict::Passed, _)))
        })
    }

    /// The version that the last finished release left.
    pub fn version_before(&self, running: &Version) -> Option<&Version> {
        self.releases.iter().rev().find_map(|summary| {
            let released = matches!(summary.ended, Some((Verdict::Released, _)));
            (released && summary.version == *running && summary.from_version != *running)
                .then_some(&summary.from_version)
        })
    }
}
