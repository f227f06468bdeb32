//! The store's client: many requests in flight on one connection that is made again when it breaks.
//!
//! What was asked and not answered is asked again on the next connection, in the same order; the
//! store finds its own effect the second time. It deliberately caches nothing.

mod link;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use segue_handover::store::{Append, BoardStore, Claim, Liveness, Owner, Page, Release, Row, StoreError};
use segue_handover::wire::{BoardId, Connect, Entry, Epoch, OwnersPage, Seq, ServerId};
use tokio::sync::{mpsc, oneshot};

use super::wire::{ChangesPage, DumpPage, MAX_FRAME_BYTES, Ownership, Place, Refusal, Request, Response};

/// Requests that may wait for the connection; more make their callers wait.
const QUEUE: usize = 1024;

/// How long a request may take, with every reconnect in between.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A handle; clones share the connection, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct StoreClient {
    calls: mpsc::Sender<link::Call>,
}

impl StoreClient {
    /// Returns at once; the first request waits for the connection.
    pub fn connect(address: SocketAddr) -> Self {
        let (calls, asked) = mpsc::channel(QUEUE);
        tokio::spawn(link::run(address, asked));
        Self { calls }
    }

    /// A page of all logs; begin with `None` and go on with the page's `next`. Pages fit together
    /// when nobody writes meanwhile.
    pub async fn dump(&self, after: Option<Place>) -> Result<DumpPage, StoreError> {
        let answer = self.ask(Request::Dump { after }).await?;
        if let Response::Dumped(page) = answer { Ok(page) } else { Err(unexpected(&answer)) }
    }

    /// A page of the changes of owner; begin with 0 and go on with the page's `next`.
    pub async fn changes(&self, after: u64) -> Result<ChangesPage, StoreError> {
        let answer = self.ask(Request::Changes { after }).await?;
        if let Response::Changes(page) = answer { Ok(page) } else { Err(unexpected(&answer)) }
    }

    async fn ask(&self, request: Request) -> Result<Response, StoreError> {
        let (answer, answered) = oneshot::channel();
        let call = link::Call::new(&request, answer);
        if call.bytes() > MAX_FRAME_BYTES {
            return Err(StoreError::Refused(format!("{} bytes in one request", call.bytes())));
        }
        let asked = async {
            self.calls.send(call).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Some(response)) => {
                response.map_err(|refusal: Refusal| StoreError::Refused(refusal.to_string()))
            }
            Ok(None) => Err(StoreError::Unavailable("the client is closed".to_owned())),
            Err(_) => Err(StoreError::Unavailable(format!("nothing within {} s", TIMEOUT.as_secs()))),
        }
    }
}

#[async_trait]
impl BoardStore for StoreClient {
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError> {
        let answer = self.ask(Request::Row { board: board.clone() }).await?;
        if let Response::Row(row) = answer { Ok(row.into()) } else { Err(unexpected(&answer)) }
    }

    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError> {
        let request = Request::Claim { board: board.clone(), expect, server: server.clone() };
        let answer = self.ask(request).await?;
        if let Response::Claimed { epoch, last_seq } = answer {
            Ok(Claim::Claimed { epoch, last_seq })
        } else {
            Ok(Claim::Held(held(answer)?))
        }
    }

    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError> {
        let answer = self.ask(Request::Load { board: board.clone(), after }).await?;
        if let Response::Log(page) = answer {
            Ok(Page { entries: page.entries, last_seq: page.last_seq })
        } else {
            Err(unexpected(&answer))
        }
    }

    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError> {
        let entries = entries.to_vec();
        let answer = self.ask(Request::Append { board: board.clone(), epoch, entries }).await?;
        if let Response::Appended { last_seq } = answer {
            Ok(Append::Appended { last_seq })
        } else if let Response::OutOfPlace { last_seq } = answer {
            Ok(Append::OutOfPlace { last_seq })
        } else {
            Ok(Append::Fenced(held(answer)?))
        }
    }

    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError> {
        let request = Request::Release { board: board.clone(), epoch, server: server.clone() };
        let answer = self.ask(request).await?;
        if answer == Response::Released { Ok(Release::Released) } else { Ok(Release::Fenced(held(answer)?)) }
    }

    async fn release_dead(&self, limit: u32) -> Result<u32, StoreError> {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let answer = self.ask(Request::ReleaseDead { limit }).await?;
        if let Response::ReleasedDead { boards } = answer { Ok(boards) } else { Err(unexpected(&answer)) }
    }

    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError> {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let request = Request::Owners { server: server.clone(), cursor: cursor.cloned(), limit };
        let answer = self.ask(request).await?;
        if let Response::Owners(page) = answer { Ok(page) } else { Err(unexpected(&answer)) }
    }

    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError> {
        let request = Request::Heartbeat { server: server.clone(), connect: connect.cloned() };
        let answer = self.ask(request).await?;
        if answer == Response::Heard { Ok(()) } else { Err(unexpected(&answer)) }
    }
}

impl From<Ownership> for Row {
    fn from(row: Ownership) -> Self {
        let owner = row.owner.map(|owner| Owner {
            server: owner.server,
            liveness: if owner.alive { Liveness::Alive } else { Liveness::Dead },
            connect: owner.connect,
        });
        Self { epoch: row.epoch, owner, last_seq: row.last_seq }
    }
}

fn held(answer: Response) -> Result<Row, StoreError> {
    if let Response::Held(row) = answer { Ok(row.into()) } else { Err(unexpected(&answer)) }
}

/// The store and this client are of different versions.
fn unexpected(answer: &Response) -> StoreError {
    tracing::error!(?answer, "the store answered something else than was asked");
    StoreError::Refused("it answered something else than was asked".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use segue_handover::wire::{ClientId, Cseq, Payload};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::store::{Store, StoreArgs};

    async fn start(file: &Path, listen: SocketAddr, latency_ms: u64) -> (SocketAddr, JoinHandle<()>) {
        let file = file.to_owned();
        let (liveness_ms, abandoned_ms) = (3_000, 30_000);
        let args =
            StoreArgs { listen, file, latency_ms, liveness_ms, abandoned_ms, fsync: false, sabotage: None };
        let store = Store::open(&args).await.unwrap();
        let address = store.address();
        (address, tokio::spawn(async move { store.serve().await.unwrap() }))
    }

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    fn board(name: &str) -> BoardId {
        BoardId::parse(name).unwrap()
    }

    fn server() -> ServerId {
        ServerId::parse("s1").unwrap()
    }

    fn edit(seq: u64) -> Entry {
        let (client, payload) = (ClientId::parse("c").unwrap(), Payload::of(&seq).unwrap());
        Entry { seq: Seq(seq), client, cseq: Cseq(seq), payload }
    }

    /// The log, whole.
    async fn log(client: &StoreClient) -> Vec<u64> {
        let page = client.load(&board("b"), Seq(0)).await.unwrap();
        assert_eq!(page.entries.last().map(|entry| entry.seq), Some(page.last_seq), "one page is enough");
        page.entries.iter().map(|entry| entry.seq.get()).collect()
    }

    #[tokio::test]
    async fn requests_in_flight_together_share_groups() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _store) = start(&folder.path().join("log"), any(), 20).await;
        let client = StoreClient::connect(address);
        let began = tokio::time::Instant::now();
        let claims = (0..500).map(|n| {
            let client = client.clone();
            async move { client.claim(&board(&format!("b{n}")), Epoch(0), &server()).await }
        });
        for won in futures_util::future::join_all(claims).await {
            assert_eq!(won, Ok(Claim::Claimed { epoch: Epoch(1), last_seq: Seq(0) }));
        }
        assert!(began.elapsed() < Duration::from_secs(5), "500 groups would take 10 s");
        assert_eq!(client.owners(&server(), None, 1_000).await.unwrap().boards.len(), 500);
    }

    #[tokio::test]
    async fn killed_and_opened_again_it_has_everything_that_it_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let (address, store) = start(&file, any(), 1).await;
        let client = StoreClient::connect(address);
        client.claim(&board("b"), Epoch(0), &server()).await.unwrap();
        let (told, mut acknowledged) = tokio::sync::watch::channel(0_u64);
        let writer = tokio::spawn({
            let client = client.clone();
            async move {
                for seq in 1..=300 {
                    let written = client.append(&board("b"), Epoch(1), &[edit(seq)]).await.unwrap();
                    // The one whose answer was lost is written already.
                    let last_seq = Seq(seq);
                    let known = [Append::Appended { last_seq }, Append::OutOfPlace { last_seq }];
                    assert!(known.contains(&written), "{written:?}");
                    told.send_replace(seq);
                }
            }
        });
        acknowledged.wait_for(|seq| *seq >= 20).await.unwrap();
        store.abort();
        assert!(store.await.is_err(), "it was killed while it served");
        let kept = *acknowledged.borrow();
        let (_, _store) = start(&file, address, 1).await;
        assert!(log(&client).await.contains(&kept), "{kept} was acknowledged");
        writer.await.unwrap();
        assert!((1..=300).eq(log(&client).await), "none lost, none twice");
    }

    #[tokio::test]
    async fn a_refusal_is_not_a_broken_connection() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _store) = start(&folder.path().join("log"), any(), 0).await;
        let client = StoreClient::connect(address);
        client.claim(&board("b"), Epoch(0), &server()).await.unwrap();
        let skipping = Entry { cseq: Cseq(2), ..edit(1) };
        let refused = client.append(&board("b"), Epoch(1), &[skipping]).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let written = client.append(&board("b"), Epoch(1), &[edit(1)]).await;
        assert_eq!(written, Ok(Append::Appended { last_seq: Seq(1) }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_not_there_is_no_answer_and_not_for_ever() {
        let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let client = StoreClient::connect(address);
        let failed = client.row(&board("b")).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }
}
