//! A typed client for the daemon.
//!
//! Each method is one request and one answer, with limits on time and size. It keeps no state, decides
//! nothing and repeats nothing by itself, except `follow`, whose patience the caller states.

pub(crate) mod error;

mod answer;
mod follow;
mod sse;
mod stream;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use self::follow::Patience;
pub use self::stream::EventReader;

use self::error::Error;
use crate::{
    ACTOR, Actor, Adoption, AdoptionPlan, AdoptionQuery, AdoptionRequest, History, HistoryQuery,
    IDEMPOTENCY_KEY, IdempotencyKey, PlanView, Readiness, ReleaseId, ReleaseQuery, ReleaseRequest,
    ReleaseView, Scope, ServiceList, ServiceView, Verb, VerbRequest, Wait,
};

/// What an answer may cost at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the whole answer is there; a long poll gets its waiting time on top.
    pub answer: Duration,
    /// The longest silence in a stream of events; the daemon says something at least every 15 s.
    pub silence: Duration,
    pub answer_bytes_max: usize,
}

impl Limits {
    /// For a person or a CI job that waits for the answer.
    pub const INTERACTIVE: Self = Self {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(15),
        silence: Duration::from_secs(45),
        answer_bytes_max: 16 * 1024 * 1024,
    };
}

/// A value with the tag that asks for its next state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh<T> {
    pub value: T,
    /// As the daemon sent it, quotes included.
    pub etag: String,
}

/// One daemon's API. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    limits: Limits,
    actor: Option<Actor>,
}

impl Client {
    /// `base` is the daemon's address, such as `http://127.0.0.1:7788`; a path in front of `/v1` is kept.
    /// Nothing is sent yet.
    pub fn new(base: &Url, limits: Limits) -> Result<Self, Error> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Somebody else may have been faster, which is as good.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("segue/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| Error::unreachable(base, source))?;
        Ok(Self { http, base: base.clone(), limits, actor: None })
    }

    /// The same daemon, asked in somebody's name.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Asks for a release. The same key and body again give the same release.
    pub async fn create(&self, request: &ReleaseRequest, key: &IdempotencyKey) -> Result<ReleaseView, Error> {
        let sent = self
            .request(Method::POST, &["v1", "releases"])?
            .header(IDEMPOTENCY_KEY, key.as_str())
            .json(request);
        self.json(sent).await
    }

    /// What such a request would do; nothing is done.
    pub async fn plan(&self, request: &ReleaseRequest) -> Result<PlanView, Error> {
        self.json(self.request(Method::POST, &["v1", "plans"])?.json(request)).await
    }

    /// The release as it is now.
    pub async fn release(&self, id: &ReleaseId) -> Result<Fresh<ReleaseView>, Error> {
        let sent = self.request(Method::GET, &["v1", "releases", id.as_str()])?;
        let received = self.receive(sent, self.limits.answer).await?;
        fresh(&received)
    }

    /// The release once it differs from `etag`; `None` if it did not within `wait`.
    pub async fn release_after(
        &self,
        id: &ReleaseId,
        etag: &str,
        wait: Wait,
    ) -> Result<Option<Fresh<ReleaseView>>, Error> {
        let sent = self
            .request(Method::GET, &["v1", "releases", id.as_str()])?
            .query(&ReleaseQuery { wait: Some(wait) })
            .header(header::IF_NONE_MATCH, etag);
        let held = Duration::from_secs(wait.seconds());
        let received = self.receive(sent, self.limits.answer.saturating_add(held)).await?;
        match received.status {
            StatusCode::NOT_MODIFIED => Ok(None),
            _ => fresh(&received).map(Some),
        }
    }

    /// Releases, the newest first.
    pub async fn history(&self, query: &HistoryQuery) -> Result<History, Error> {
        self.json(self.request(Method::GET, &["v1", "releases"])?.query(query)).await
    }

    /// Promote, pause, resume, abort or retry.
    pub async fn say(&self, id: &ReleaseId, verb: Verb, said: &VerbRequest) -> Result<ReleaseView, Error> {
        let path = ["v1", "releases", id.as_str(), verb.word()];
        self.json(self.request(Method::POST, &path)?.json(said)).await
    }

    pub async fn services(&self) -> Result<ServiceList, Error> {
        self.json(self.request(Method::GET, &["v1", "services"])?).await
    }

    pub async fn service(&self, name: &str) -> Result<ServiceView, Error> {
        self.json(self.request(Method::GET, &["v1", "services", name])?).await
    }

    /// Which running servers would be taken into a service; nothing is done.
    pub async fn plan_adoption(&self, service: &str, query: &AdoptionQuery) -> Result<AdoptionPlan, Error> {
        let path = ["v1", "services", service, "adoption"];
        self.json(self.request(Method::GET, &path)?.query(query)).await
    }

    /// Takes them in, if the plan is still the one that was shown. Asked again, it finds it done.
    pub async fn adopt(&self, service: &str, request: &AdoptionRequest) -> Result<Adoption, Error> {
        let path = ["v1", "services", service, "adoption"];
        self.json(self.request(Method::POST, &path)?.json(request)).await
    }

    /// Whether the daemon can work, and if not, why: a daemon that is not ready is an answer, not an error.
    pub async fn readiness(&self) -> Result<Readiness, Error> {
        let received = self.receive(self.request(Method::GET, &["readyz"])?, self.limits.answer).await?;
        match received.status {
            StatusCode::SERVICE_UNAVAILABLE if !received.is_problem() => received.parse(),
            _ => received.success()?.parse(),
        }
    }

    /// What happens, from now on or from after `last_id` on.
    pub async fn events(&self, scope: &Scope, last_id: Option<&str>) -> Result<EventReader, Error> {
        let path = match scope {
            Scope::All => vec!["v1", "events"],
            Scope::Release(id) => vec!["v1", "releases", id.as_str(), "events"],
        };
        let mut sent = self.request(Method::GET, &path)?.header(header::ACCEPT, stream::MEDIA_TYPE);
        if let Some(id) = last_id {
            sent = sent.header("last-event-id", id);
        }
        EventReader::open(sent, &self.base, &self.limits).await
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Error> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Error::bad_address(&self.base))?.pop_if_empty().extend(path);
        let sent = self.http.request(method, url);
        Ok(match &self.actor {
            Some(actor) => sent.header(ACTOR, actor.as_str()),
            None => sent,
        })
    }

    async fn receive(&self, sent: RequestBuilder, within: Duration) -> Result<answer::Answer, Error> {
        answer::Answer::receive(sent.timeout(within), &self.base, self.limits.answer_bytes_max).await
    }

    async fn json<T: DeserializeOwned>(&self, sent: RequestBuilder) -> Result<T, Error> {
        self.receive(sent, self.limits.answer).await?.success()?.parse()
    }
}

fn fresh<T: DeserializeOwned + Serialize>(received: &answer::Answer) -> Result<Fresh<T>, Error> {
    let value = received.success()?.parse()?;
    let etag = received.etag.clone().ok_or_else(|| received.bad("it carries no ETag"))?;
    Ok(Fresh { value, etag })
}
