//! What the API asks of the daemon, in the API's own words.
//!
//! The front reads requests into the domain's terms, hands them to the engine, and makes views of what the
//! engine and the journal say. It keeps no state of its own but caches that may be thrown away.

mod adoption;
mod ask;
mod changes;
mod look;
mod past;
mod plans;
mod tale;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;

use segue_api::{Component, ComponentState, IdempotencyKey, Readiness, ReleaseRequest, ReleaseView, Verb};
use segue_domain::ids::{Actor, ReleaseId};
use segue_domain::refusal::Refusal;
use segue_domain::service::Service;
use segue_domain::time::Timestamp;
use segue_engine::ports::Clock;
use segue_engine::{By, Call, CallStat, Engine, Watch};
use segue_journal::{Reader, Via};
use tokio::sync::watch;

use crate::problem::{Refused, said};
use crate::views::{self, Seen};

pub(crate) use changes::Changes;
pub(crate) use tale::Tale;

use look::Looks;
use past::Past;

/// Who asks, and by which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) actor: segue_api::Actor,
    pub(crate) via: Via,
}

/// The engine and the journal as the API sees them.
pub(crate) struct Front {
    /// In the order of the configuration.
    services: Vec<Service>,
    engine: Arc<Engine>,
    past: Past,
    looks: Looks,
    clock: Arc<dyn Clock>,
    aws: Arc<segue_aws::CallCounts>,
    /// The digest of the configuration.
    config_digest: Option<String>,
}

impl Front {
    pub(crate) fn new(
        services: Vec<Service>,
        engine: Arc<Engine>,
        journal: Arc<dyn Reader>,
        clock: Arc<dyn Clock>,
        aws: Arc<segue_aws::CallCounts>,
        config_digest: Option<String>,
    ) -> Self {
        Self {
            services,
            engine,
            past: Past::new(journal),
            looks: Looks::default(),
            clock,
            aws,
            config_digest,
        }
    }

    /// Asks for a release; the release once its plan is in the journal.
    pub(crate) async fn start(
        &self,
        request: &ReleaseRequest,
        key: Option<&IdempotencyKey>,
        who: &Who,
    ) -> Result<ReleaseView, Refused> {
        let refused = |refusal: Refusal| Refused::of_body(&refusal);
        let service = self.configured(&request.service).map_err(refused)?;
        let (asked, key) = ask::read(request, key).map_err(refused)?;
        let by = who.with(request.reason.as_deref());
        let basis = request.plan.as_ref().map(plans::basis_of_release).transpose().map_err(refused)?;
        let started = match basis {
            None => self.engine.start(&service.name, asked, key, by).await,
            Some(basis) => self.engine.start_as_planned(&service.name, asked, basis, key, by).await,
        };
        let id = started.map_err(|error| Refused::of_asked_in_body(&error))?;
        self.view(&id).await
    }

    /// Says a word to a release; the release after it.
    pub(crate) async fn say(
        &self,
        id: &segue_api::ReleaseId,
        verb: Verb,
        reason: Option<&str>,
        who: &Who,
    ) -> Result<ReleaseView, Refused> {
        let refused = |refusal: Refusal| Refused::of(&refusal);
        let id = named(id)?;
        ask::bounded("reason", reason).map_err(refused)?;
        let said = self.engine.say(&id, ask::word(verb), who.with(reason)).await;
        said.map_err(|error| Refused::of_asked(&error))?;
        self.view(&id).await
    }

    /// One release as it is now.
    pub(crate) async fn release(&self, id: &segue_api::ReleaseId) -> Result<ReleaseView, Refused> {
        self.view(&named(id)?).await
    }

    /// What may change a release from here on.
    pub(crate) async fn changes(&self, id: &segue_api::ReleaseId) -> Result<Changes, Refused> {
        let watch = self.watch(&named(id)?).await?;
        Ok(Changes::new(self.engine.events(), Some(watch)))
    }

    /// Releases, the newest first.
    pub(crate) async fn history(
        &self,
        service: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ReleaseView>, Refused> {
        let services = match service {
            Some(name) => vec![self.configured(name).map_err(|refusal| Refused::of(&refusal))?],
            None => self.services.iter().collect(),
        };
        let mut releases = Vec::new();
        for service in services {
            let history = self.engine.history(&service.name).await;
            releases.extend(history.map_err(|error| trouble::book(&error))?.releases);
        }
        releases.sort_by(|a, b| (b.began_at, &b.release).cmp(&(a.began_at, &a.release)));
        releases.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut views = Vec::new();
        for summary in releases {
            views.push(self.view(&summary.release).await?);
        }
        Ok(views)
    }

    /// Releases that are not over.
    pub(crate) fn active(&self) -> Vec<Watch> {
        self.engine.services().into_iter().filter_map(|service| service.active).collect()
    }

    pub(crate) fn calls(&self) -> BTreeMap<Call, CallStat> {
        self.engine.call_stats()
    }

    pub(crate) fn aws_calls(&self) -> BTreeMap<&'static str, segue_aws::Tally> {
        self.aws.totals()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Each service, and why it was not taken up if it was not.
    pub(crate) fn troubles(&self) -> Vec<(String, Option<String>)> {
        let services = self.engine.services().into_iter();
        services.map(|service| (service.service.name.to_string(), service.trouble)).collect()
    }

    /// Whether the daemon holds the lease. A service that could not be taken up is told and does not stop the
    /// others.
    pub(crate) fn readiness(&self) -> Readiness {
        let ready = self.engine.is_leading();
        let waits = || match (self.engine.trouble(), self.engine.waits_for()) {
            (Some(why), _) => format!("this daemon could not take over: {why}; its log says more"),
            (None, Some(owner)) => {
                format!("{owner} holds it; this daemon is ready to take over, and asks every second")
            }
            (None, None) => "nobody is known to hold it; this daemon asks for it every second".to_owned(),
        };
        let mut components = vec![component("lease", (!ready).then(waits))];
        for (service, trouble) in self.troubles() {
            components.push(component(&format!("service {service}"), trouble));
        }
        let config_digest = self.config_digest.clone();
        Readiness { ready, daemon: env!("CARGO_PKG_VERSION").to_owned(), config_digest, components }
    }

    fn configured(&self, name: &str) -> Result<&Service, Refusal> {
        let found = self.services.iter().find(|service| service.name.as_str() == name);
        found.ok_or_else(|| Refusal::ServiceUnknown {
            service: said(name),
            known: self.services.iter().map(|service| service.name.to_string()).collect(),
        })
    }

    async fn watch(&self, id: &ReleaseId) -> Result<watch::Receiver<Watch>, Refused> {
        self.engine.watch(id).await.map_err(|error| trouble::open(id, &error))
    }

    async fn view(&self, id: &ReleaseId) -> Result<ReleaseView, Refused> {
        if let Some(view) = self.past.remembered(id).await? {
            return Ok(view);
        }
        let watch = self.watch(id).await?.borrow().clone();
        let asked = self.past.asked(id).await?;
        let seen = Seen {
            state: &watch.state,
            asked: &asked,
            wait: watch.waiting.as_ref(),
            world: watch.world.as_deref(),
            now: self.now(),
        };
        let view = views::release(&seen).ok_or_else(|| unknown(id))?;
        if watch.state.verdict().is_some() {
            self.past.remember(id, watch.seq, &view);
        }
        Ok(view)
    }
}

impl Who {
    fn with(&self, reason: Option<&str>) -> By {
        By { actor: Actor::new(self.actor.as_str()), via: self.via, reason: reason.map(str::to_owned) }
    }
}

fn named(id: &segue_api::ReleaseId) -> Result<ReleaseId, Refused> {
    let unknown = || Refused::of(&Refusal::ReleaseUnknown { release: id.to_string() });
    ReleaseId::parse(id.as_str()).ok_or_else(unknown)
}

fn unknown(id: &ReleaseId) -> Refused {
    Refused::of(&Refusal::ReleaseUnknown { release: id.to_string() })
}

fn component(name: &str, trouble: Option<String>) -> Component {
    let state = if trouble.is_none() { ComponentState::Ready } else { ComponentState::NotReady };
    Component { name: name.to_owned(), state, sentence: trouble }
}
