//! The state of a service: which release is active, which came before, and which servers were taken in.

use std::collections::BTreeMap;

use crate::decision::{Cause, Verdict};
use crate::effect::Outcome;
use crate::event::{RequestKey, ServiceEvent, Taken};
use crate::ids::{InstanceId, ReleaseId, ServiceName, Version};
use crate::instance::{Instance, Origin};
use crate::plan::Kind;
use crate::time::Timestamp;

/// No release is numbered so high. A tag that says so was written by hand, and would use the numbers up.
const BEYOND_BELIEF: u64 = 1_000_000_000;

/// The fold of a service's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    pub service: ServiceName,
    /// Oldest first.
    pub releases: Vec<ReleaseSummary>,
    /// Servers that were taken in, the oldest first.
    pub adoptions: Vec<Adoption>,
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

/// Servers that Segue did not launch, on their way into a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    pub number: u64,
    pub servers: BTreeMap<InstanceId, Taken>,
    /// Of the plan that was confirmed.
    pub digest: String,
    pub began_at: Timestamp,
    pub ended: Option<(Outcome, Timestamp)>,
}

impl ServiceState {
    pub fn new(service: ServiceName) -> Self {
        Self { service, releases: Vec::new(), adoptions: Vec::new(), requests: BTreeMap::new() }
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
            ServiceEvent::AdoptionBegan { number, servers, digest } => self.adoptions.push(Adoption {
                number: *number,
                servers: servers.clone(),
                digest: digest.clone(),
                began_at: at,
                ended: None,
            }),
            ServiceEvent::AdoptionEnded { number, outcome } => {
                if let Some(adoption) = self.adoptions.iter_mut().find(|it| it.number == *number) {
                    adoption.ended = Some((outcome.clone(), at));
                }
            }
        }
    }

    /// The release that is not over. There is at most one.
    pub fn active(&self) -> Option<&ReleaseSummary> {
        self.releases.iter().find(|summary| summary.ended.is_none())
    }

    /// The adoption of which nobody has seen the end. There is at most one.
    pub fn open_adoption(&self) -> Option<&Adoption> {
        self.adoptions.iter().find(|adoption| adoption.ended.is_none())
    }

    /// The last adoption, if it was of this very plan and everything of it was done.
    pub fn adopted_as(&self, digest: &str) -> Option<&Adoption> {
        self.adoptions.last().filter(|adoption| adoption.digest == digest && adoption.is_done())
    }

    pub fn next_adoption(&self) -> u64 {
        self.adoptions.last().map_or(1, |last| last.number.saturating_add(1))
    }

    /// One above every release that is remembered here or by the servers' tags. A journal that was lost is begun
    /// anew while servers of its releases run: under the same number their launches would be taken for the
    /// new release's own.
    pub fn next_id<'a>(&self, servers: impl IntoIterator<Item = &'a Instance>) -> ReleaseId {
        let launched = servers.into_iter().filter_map(|server| match &server.origin {
            Origin::Release { release, .. } => ReleaseId::parse(release),
            Origin::Adopted => None,
        });
        let launched = launched.filter(|it| it.number < BEYOND_BELIEF);
        let known = self.releases.iter().map(|summary| summary.release.clone()).chain(launched);
        let last = known.filter(|it| it.service == self.service).map(|it| it.number).max().unwrap_or(0);
        ReleaseId { service: self.service.clone(), number: last.saturating_add(1) }
    }

    /// The last canary of this version that was judged, if it passed, unless the version was taken back since.
    pub fn passed_canary(&self, version: &Version) -> Option<&ReleaseSummary> {
        let since = self.releases.iter().rev().take_while(|it| !it.took_back(version));
        let mut judged =
            since.filter(|it| it.kind == Kind::Canary && it.version == *version && it.was_judged());
        judged.next().filter(|it| it.ended_as(&Verdict::Passed))
    }

    /// The version that was left for the one that runs, when that was released. Rollbacks do not count: the way
    /// from one leads further back, never forth again.
    pub fn version_before(&self, running: &Version) -> Option<&Version> {
        self.releases.iter().rev().find_map(|it| {
            let released = it.kind == Kind::Full && it.replaced_the_fleet();
            (released && it.version == *running && it.from_version != *running).then_some(&it.from_version)
        })
    }

    /// The rollback that left this version, if no release brought it since.
    pub fn taken_back_by(&self, version: &Version) -> Option<&ReleaseSummary> {
        let replaced = self.releases.iter().rev().filter(|it| it.replaced_the_fleet());
        let mut of_version = replaced.filter(|it| it.version == *version || it.from_version == *version);
        of_version.next().filter(|it| it.took_back(version))
    }

    /// Versions that the whole fleet was of at some time, the newest release's first.
    pub fn served(&self) -> Vec<Version> {
        let mut served: Vec<Version> = Vec::new();
        for it in self.releases.iter().rev() {
            let brought = Some(&it.version).filter(|_| it.replaced_the_fleet());
            for version in brought.into_iter().chain([&it.from_version]) {
                if !served.contains(version) {
                    served.push(version.clone());
                }
            }
        }
        served
    }

    /// The whole fleet was of this version at some time.
    pub fn has_served(&self, version: &Version) -> bool {
        self.releases
            .iter()
            .any(|it| it.from_version == *version || (it.version == *version && it.replaced_the_fleet()))
    }
}

impl Adoption {
    /// All the tags were written.
    pub fn is_done(&self) -> bool {
        matches!(self.ended, Some((Outcome::Done(_), _)))
    }
}

impl ReleaseSummary {
    /// It brought its version to the whole fleet.
    pub fn replaced_the_fleet(&self) -> bool {
        self.ended_as(&Verdict::Released)
    }

    /// It passed or failed by what was seen of it; one that was aborted, or never came up, says nothing.
    fn was_judged(&self) -> bool {
        self.ended.as_ref().is_some_and(|(verdict, _)| {
            matches!(verdict, Verdict::Passed | Verdict::RolledBack { cause: Cause::CanaryFailed { .. } })
        })
    }

    fn took_back(&self, version: &Version) -> bool {
        self.kind == Kind::Rollback && self.from_version == *version && self.replaced_the_fleet()
    }

    fn ended_as(&self, verdict: &Verdict) -> bool {
        self.ended.as_ref().is_some_and(|(ended, _)| ended == verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ImageId, InstanceId, PoolName, SubnetId};
    use crate::instance::InstanceState;

    fn server(origin: Origin) -> Instance {
        Instance {
            id: InstanceId::new("i-1"),
            image: ImageId::new("ami-1"),
            version: Version::new("1"),
            pool: PoolName::new("main"),
            subnet: SubnetId::new("subnet-1"),
            state: InstanceState::Running,
            address: None,
            launched_at: Timestamp::from_ms(0),
            origin,
        }
    }

    #[test]
    fn the_first_release_of_a_new_journal_is_above_what_the_servers_remember() {
        let launched =
            |release: &str| server(Origin::Release { release: release.to_owned(), batch: 0, attempt: 1 });
        let servers =
            [launched("boards-7"), launched("other-9"), launched("nonsense"), server(Origin::Adopted)];
        let state = ServiceState::new(ServiceName::new("boards"));
        assert_eq!(state.next_id(&[]).to_string(), "boards-1");
        assert_eq!(state.next_id(&servers).to_string(), "boards-8");
    }

    #[test]
    fn a_tag_cannot_use_the_numbers_up() {
        let launched = |number: u64| {
            server(Origin::Release { release: format!("boards-{number}"), batch: 0, attempt: 1 })
        };
        let state = ServiceState::new(ServiceName::new("boards"));
        assert_eq!(state.next_id(&[launched(7), launched(u64::MAX)]).to_string(), "boards-8");
        assert_eq!(state.next_id(&[launched(BEYOND_BELIEF - 1)]).to_string(), "boards-1000000000");
    }
}
