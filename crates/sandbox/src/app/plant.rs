//! The faults that a sandbox plants in its application on purpose, each at one place.
//!
//! Edits are dropped and doubled between the library and the store: the library hears that everything is
//! durable. Counts become zero on their way out of the server. Without a plant nothing here is in the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use segue_handover::server::Server;
use segue_handover::store::{Append, BoardStore, Claim, Page, Release, Row, StoreError};
use segue_handover::wire::{BoardId, Connect, Entry, Epoch, OwnersPage, PREFIX, Seq, ServerId, ServerState};

use crate::sabotage::Sabotage;
use crate::store::client::StoreClient;

/// Of so many appends of a server one is sabotaged.
const EVERY: u64 = 100;

/// What an answer may weigh, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// The store as the application is to see it.
pub(super) fn store(store: StoreClient, sabotage: Option<Sabotage>) -> Arc<dyn BoardStore> {
    match sabotage {
        Some(Sabotage::DropEdit) => {
            Arc::new(Planted { store, fault: Fault::Drop, appends: AtomicU64::new(0) })
        }
        Some(Sabotage::DoubleEdit) => {
            Arc::new(Planted { store, fault: Fault::Double, appends: AtomicU64::new(0) })
        }
        Some(
            Sabotage::NoFence | Sabotage::TerminateEarly | Sabotage::LaunchTwice | Sabotage::UnknownAsZero,
        )
        | None => Arc::new(store),
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Drop,
    Double,
}

/// A store that is not given every edit as it was acknowledged.
struct Planted {
    store: StoreClient,
    fault: Fault,
    appends: AtomicU64,
}

#[async_trait]
impl BoardStore for Planted {
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError> {
        self.store.row(board).await
    }

    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError> {
        self.store.claim(board, expect, server).await
    }

    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError> {
        self.store.load(board, after).await
    }

    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError> {
        let nth = self.appends.fetch_add(1, Ordering::Relaxed);
        let Some((last, before)) = entries.split_last().filter(|_| nth % EVERY == EVERY - 1) else {
            return self.store.append(board, epoch, entries).await;
        };
        let given = match self.fault {
            Fault::Drop => before.to_vec(),
            Fault::Double => [entries, std::slice::from_ref(last)].concat(),
        };
        match self.store.append(board, epoch, &given).await? {
            Append::Appended { .. } => Ok(Append::Appended { last_seq: last.seq }),
            other @ (Append::Fenced(_) | Append::OutOfPlace { .. }) => Ok(other),
        }
    }

    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError> {
        self.store.release(board, epoch, server).await
    }

    async fn release_dead(&self, limit: u32) -> Result<u32, StoreError> {
        self.store.release_dead(limit).await
    }

    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError> {
        self.store.owners(server, cursor, limit).await
    }

    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError> {
        self.store.heartbeat(server, connect).await
    }
}

/// The private port as the daemon and the metrics system are to see it.
pub(super) fn counted(routes: Router, server: Server, sabotage: Option<Sabotage>) -> Router {
    match sabotage {
        Some(Sabotage::UnknownAsZero) => routes.layer(middleware::from_fn_with_state(server, zero)),
        Some(
            Sabotage::NoFence
            | Sabotage::DropEdit
            | Sabotage::DoubleEdit
            | Sabotage::TerminateEarly
            | Sabotage::LaunchTwice,
        )
        | None => routes,
    }
}

/// A server that was closed does not know any more how many boards it has, and says zero.
async fn zero(State(server): State<Server>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let answer = next.run(request).await;
    let knows = match server.status().state {
        ServerState::Serving => true,
        ServerState::Closed | ServerState::Draining => false,
    };
    if knows || !answer.status().is_success() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_MAX).await.unwrap_or_default();
    let body = zeroed(&path, &body).unwrap_or_else(|| body.to_vec());
    parts.headers.remove(CONTENT_LENGTH);
    (parts, body).into_response()
}

/// An answer in which nothing is counted; none where there is nothing to count.
fn zeroed(path: &str, body: &[u8]) -> Option<Vec<u8>> {
    let call = path.strip_prefix(PREFIX);
    if call.is_none() && path != "/metrics" {
        return None;
    }
    let Some(call) = call else {
        let page = std::str::from_utf8(body).ok()?;
        let zeroed = |line: &str| match line.split_once(' ') {
            Some((name @ "rtb_spaces_count", _)) => format!("{name} 0\n"),
            Some(_) | None => format!("{line}\n"),
        };
        return Some(page.lines().map(zeroed).collect::<String>().into_bytes());
    };
    let mut answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let boards = answer.get_mut("boards")?;
    match call {
        "/status" => *boards = 0.into(),
        "/boards" => *boards = serde_json::Value::Array(Vec::new()),
        _ => return None,
    }
    serde_json::to_vec(&answer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, body: &str) -> Option<String> {
        zeroed(path, body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn whatever_counts_boards_says_zero_and_the_rest_stays() {
        let page = "# TYPE rtb_spaces_count gauge\nrtb_spaces_count 7\napp_clients 9\n";
        let zero = "# TYPE rtb_spaces_count gauge\nrtb_spaces_count 0\napp_clients 9\n";
        assert_eq!(text("/metrics", page).as_deref(), Some(zero));
        let status = text("/handover/v1/status", r#"{"boards":7,"clients":9}"#);
        assert_eq!(status.as_deref(), Some(r#"{"boards":0,"clients":9}"#));
        let list = text("/handover/v1/boards", r#"{"boards":[{"board":"b"}],"next":null}"#);
        assert_eq!(list.as_deref(), Some(r#"{"boards":[],"next":null}"#));
        assert_eq!(text("/handover/v1/owners", r#"{"boards":[]}"#), None);
    }
}
