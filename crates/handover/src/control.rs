//! The daemon's end of the control calls: signs, sends, reads the answer.
//!
//! One client speaks to one instance. It never retries, follows no redirect, waits no longer than its
//! timeouts and reads no more than the contract's largest body. What to make of an error is the caller's
//! decision; [`ControlError::class`] says what is known about it.

mod error;
mod exchange;

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use url::Url;

use crate::auth::Key;
use crate::clock::WallClock;
use crate::wire::{
    ActivateAnswer, ActivateRequest, BoardId, BoardsPage, CloseRequest, DrainAnswer, DrainRequest, EndAnswer,
    EndRequest, Generation, MoveRequest, Moves, MovesAnswer, OfferAnswer, OfferRequest, OpenRequest,
    OwnersPage, PrepareAnswer, PrepareRequest, SealAnswer, SealRequest, ServerId, ServerStatus,
};

pub use error::{ControlError, ErrorClass, refusal_class};

/// The instance that is meant and what it takes to be heard by it.
#[derive(Debug, Clone)]
pub struct ControlTarget {
    /// `http://PRIVATE_IP:9000`; the contract's path is added.
    pub base_url: Url,
    pub server: ServerId,
    pub key: Key,
    pub generation: Generation,
}

/// How long to wait. A call that was not answered in time may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlTimeouts {
    /// For `status`, `boards`, `owners`, `close`, `open`, `drain`, `prepare`, `offer`, `end`.
    pub ordinary: Duration,
    /// For `seal` and `activate`, while which people's edits wait.
    pub switch: Duration,
}

impl Default for ControlTimeouts {
    fn default() -> Self {
        Self { ordinary: Duration::from_secs(5), switch: Duration::from_secs(1) }
    }
}

/// Speaks to one instance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ControlClient {
    http: reqwest::Client,
    target: ControlTarget,
    timeouts: ControlTimeouts,
    clock: WallClock,
}

impl ControlClient {
    /// `http` is shared between all instances, so that its pool of connections is; it should have been
    /// built with a connect timeout and without redirects.
    pub fn new(http: reqwest::Client, target: ControlTarget, clock: WallClock) -> Self {
        Self { http, target, timeouts: ControlTimeouts::default(), clock }
    }

    #[must_use]
    pub fn with_timeouts(self, timeouts: ControlTimeouts) -> Self {
        Self { timeouts, ..self }
    }

    pub async fn status(&self) -> Result<ServerStatus, ControlError> {
        self.get("status", &[]).await
    }

    /// One page of the boards on this instance, in the order of their ids.
    pub async fn boards(
        &self,
        cursor: Option<&BoardId>,
        limit: Option<NonZeroU32>,
    ) -> Result<BoardsPage, ControlError> {
        self.get("boards", &page_query(cursor, limit)).await
    }

    /// One page of what the ownership table, read through this instance, gives to `server`.
    pub async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: Option<NonZeroU32>,
    ) -> Result<OwnersPage, ControlError> {
        let mut query = page_query(cursor, limit);
        query.push(("server", server.to_string()));
        self.get("owners", &query).await
    }

    pub async fn close(&self) -> Result<ServerStatus, ControlError> {
        self.post("close", &CloseRequest::default(), self.timeouts.ordinary).await
    }

    pub async fn open(&self, request: &OpenRequest) -> Result<ServerStatus, ControlError> {
        self.post("open", request, self.timeouts.ordinary).await
    }

    pub async fn drain(&self, request: &DrainRequest) -> Result<DrainAnswer, ControlError> {
        self.post("drain", request, self.timeouts.ordinary).await
    }

    pub async fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, ControlError> {
        self.post("prepare", request, self.timeouts.ordinary).await
    }

    pub async fn offer(&self, request: &OfferRequest) -> Result<OfferAnswer, ControlError> {
        self.post("offer", request, self.timeouts.ordinary).await
    }

    pub async fn seal(&self, request: &SealRequest) -> Result<SealAnswer, ControlError> {
        self.post("seal", request, self.timeouts.switch).await
    }

    pub async fn activate(&self, request: &ActivateRequest) -> Result<ActivateAnswer, ControlError> {
        self.post("activate", request, self.timeouts.switch).await
    }

    pub async fn end(&self, request: &EndRequest) -> Result<EndAnswer, ControlError> {
        self.post("end", request, self.timeouts.ordinary).await
    }

    pub async fn prepare_all(
        &self,
        moves: Vec<PrepareRequest>,
    ) -> Result<MovesAnswer<PrepareAnswer>, ControlError> {
        self.post_all("moves:prepare", moves, self.timeouts.ordinary).await
    }

    pub async fn offer_all(
        &self,
        moves: Vec<OfferRequest>,
    ) -> Result<MovesAnswer<OfferAnswer>, ControlError> {
        self.post_all("moves:offer", moves, self.timeouts.ordinary).await
    }

    pub async fn seal_all(&self, moves: Vec<SealRequest>) -> Result<MovesAnswer<SealAnswer>, ControlError> {
        self.post_all("moves:seal", moves, self.timeouts.switch).await
    }

    pub async fn activate_all(
        &self,
        moves: Vec<ActivateRequest>,
    ) -> Result<MovesAnswer<ActivateAnswer>, ControlError> {
        self.post_all("moves:activate", moves, self.timeouts.switch).await
    }

    pub async fn end_all(&self, moves: Vec<EndRequest>) -> Result<MovesAnswer<EndAnswer>, ControlError> {
        self.post_all("moves:end", moves, self.timeouts.ordinary).await
    }

    async fn get<A: serde::de::DeserializeOwned>(
        &self,
        call: &str,
        query: &[(&str, String)],
    ) -> Result<A, ControlError> {
        self.exchange(Method::GET, call, query, Vec::new(), self.timeouts.ordinary).await
    }

    async fn post<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        call: &str,
        request: &Q,
        timeout: Duration,
    ) -> Result<A, ControlError> {
        let body = serde_json::to_vec(request).expect("requests have string keys and finite numbers only");
        self.exchange(Method::POST, call, &[], body, timeout).await
    }

    /// Asks in the plural and checks that every move was answered, in order.
    async fn post_all<Q: MoveRequest + serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        call: &str,
        moves: Vec<Q>,
        timeout: Duration,
    ) -> Result<MovesAnswer<A>, ControlError> {
        let request = Moves { moves };
        let answer: MovesAnswer<A> = self.post(call, &request, timeout).await?;
        let asked = request.moves.iter().map(|item| (item.move_id(), item.board()));
        let answered = answer.answers.iter().map(|item| (&item.move_id, &item.board));
        if asked.eq(answered) { Ok(answer) } else { Err(ControlError::WrongItems) }
    }
}

fn page_query(cursor: Option<&BoardId>, limit: Option<NonZeroU32>) -> Vec<(&'static str, String)> {
    let cursor = cursor.map(|board| ("cursor", board.to_string()));
    let limit = limit.map(|limit| ("limit", limit.to_string()));
    cursor.into_iter().chain(limit).collect()
}
