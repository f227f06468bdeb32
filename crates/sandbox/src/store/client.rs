//! The store's client: many requests in flight on one connection that is made again when it breaks.
//!
//! What was asked and not answered is asked again on the next connection, in the same order; the
//! store finds its own effect the second time. It deliberately caches nothing.

mod link;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::wire::{
    BoardsPage, DumpPage, Entry, LogPage, MAX_FRAME_BYTES, Over, Ownership, Refusal, Request, Response,
};

/// Requests that may wait for the connection; more make their callers wait.
const QUEUE: usize = 1024;

/// How long a request may take, with every reconnect in between.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store said no; nothing was changed.
    #[error("the store refused")]
    Refused(#[from] Refusal),
    /// No answer in time. Whether it was done is not known; asking again is safe.
    #[error("the store did not answer within {} ms", TIMEOUT.as_millis())]
    NoAnswer,
    /// Larger than a frame may be; nothing was sent.
    #[error("the request has {bytes} bytes, more than a frame may have")]
    TooLarge { bytes: usize },
    /// The store answered something else than was asked: one of the two is newer.
    #[error("the store answered something else than was asked")]
    Unexpected,
}

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

    /// Tells the store that `server` lives and where clients reach it.
    pub async fn heartbeat(&self, server: &str, connect: &str) -> Result<(), StoreError> {
        let (server, connect) = (server.to_owned(), connect.to_owned());
        done(&self.ask(Request::Heartbeat { server, connect }).await?)
    }

    /// The ownership row of a board.
    pub async fn ownership(&self, board: &str) -> Result<Ownership, StoreError> {
        let Response::Ownership(row) = self.ask(Request::Ownership { board: board.to_owned() }).await? else {
            return Err(StoreError::Unexpected);
        };
        Ok(row)
    }

    /// Compare-and-set of the row; says the epoch that was won.
    pub async fn claim(
        &self,
        board: &str,
        server: &str,
        from_epoch: u64,
        over: Over,
    ) -> Result<u64, StoreError> {
        let (board, server) = (board.to_owned(), server.to_owned());
        let Response::Claimed { epoch } =
            self.ask(Request::Claim { board, server, from_epoch, over }).await?
        else {
            return Err(StoreError::Unexpected);
        };
        Ok(epoch)
    }

    /// Fenced append; says the log's last number.
    pub async fn append(
        &self,
        board: &str,
        server: &str,
        epoch: u64,
        entries: Vec<Entry>,
    ) -> Result<u64, StoreError> {
        let (board, server) = (board.to_owned(), server.to_owned());
        let Response::Appended { last_seq } =
            self.ask(Request::Append { board, server, epoch, entries }).await?
        else {
            return Err(StoreError::Unexpected);
        };
        Ok(last_seq)
    }

    /// Gives the board to nobody.
    pub async fn release(&self, board: &str, server: &str, epoch: u64) -> Result<(), StoreError> {
        let (board, server) = (board.to_owned(), server.to_owned());
        done(&self.ask(Request::Release { board, server, epoch }).await?)
    }

    /// A page of a board's log behind `after_seq`.
    pub async fn log_page(&self, board: &str, after_seq: u64) -> Result<LogPage, StoreError> {
        let Response::Log(page) = self.ask(Request::Load { board: board.to_owned(), after_seq }).await?
        else {
            return Err(StoreError::Unexpected);
        };
        Ok(page)
    }

    /// A page of the boards that the table gives to `server`.
    pub async fn owners_page(&self, server: &str, after: Option<&str>) -> Result<BoardsPage, StoreError> {
        let (server, after) = (server.to_owned(), after.map(str::to_owned));
        let Response::Boards(page) = self.ask(Request::Owners { server, after }).await? else {
            return Err(StoreError::Unexpected);
        };
        Ok(page)
    }

    /// A page of all logs; begin with `None` and go on with the page's `next`.
    pub async fn dump_page(&self, after: Option<(String, u64)>) -> Result<DumpPage, StoreError> {
        let Response::Dumped(page) = self.ask(Request::Dump { after }).await? else {
            return Err(StoreError::Unexpected);
        };
        Ok(page)
    }

    async fn ask(&self, request: Request) -> Result<Response, StoreError> {
        let (answer, answered) = oneshot::channel();
        let call = link::Call::new(&request, answer);
        if call.bytes() > MAX_FRAME_BYTES {
            return Err(StoreError::TooLarge { bytes: call.bytes() });
        }
        let asked = async {
            self.calls.send(call).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Some(response)) => Ok(response?),
            Ok(None) | Err(_) => Err(StoreError::NoAnswer),
        }
    }
}

fn done(response: &Response) -> Result<(), StoreError> {
    if *response == Response::Done { Ok(()) } else { Err(StoreError::Unexpected) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::task::JoinHandle;

    use super::*;
    use crate::store::{Store, StoreArgs};

    async fn start(file: &Path, listen: SocketAddr, latency_ms: u64) -> (SocketAddr, JoinHandle<()>) {
        let file = file.to_owned();
        let args = StoreArgs { listen, file, latency_ms, liveness_ms: 3_000, fsync: false };
        let store = Store::open(&args).await.unwrap();
        let address = store.address();
        (address, tokio::spawn(async move { store.serve().await.unwrap() }))
    }

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    fn edit(seq: u64, epoch: u64) -> Entry {
        let payload = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap().into();
        Entry { seq, client: "c".into(), cseq: seq, epoch, payload }
    }

    #[tokio::test]
    async fn requests_in_flight_together_share_groups() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _store) = start(&folder.path().join("log"), any(), 20).await;
        let client = StoreClient::connect(address);
        client.heartbeat("s1", "ws://s1").await.unwrap();
        let began = tokio::time::Instant::now();
        let claims = (0..500).map(|n| {
            let client = client.clone();
            async move { client.claim(&format!("b{n}"), "s1", 0, Over::NobodyAlive).await }
        });
        for won in futures_util::future::join_all(claims).await {
            assert_eq!(won.unwrap(), 1);
        }
        assert!(began.elapsed() < Duration::from_secs(5), "500 groups would take 10 s");
        assert_eq!(client.owners_page("s1", None).await.unwrap().boards.len(), 500);
    }

    #[tokio::test]
    async fn killed_and_opened_again_it_has_everything_that_it_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let (address, store) = start(&file, any(), 1).await;
        let client = StoreClient::connect(address);
        client.claim("b", "s1", 0, Over::NobodyAlive).await.unwrap();
        let (told, mut acknowledged) = tokio::sync::watch::channel(0_u64);
        let writer = tokio::spawn({
            let client = client.clone();
            async move {
                for seq in 1..=300 {
                    client.append("b", "s1", 1, vec![edit(seq, 1)]).await.unwrap();
                    told.send_replace(seq);
                }
            }
        });
        acknowledged.wait_for(|seq| *seq >= 20).await.unwrap();
        store.abort();
        assert!(store.await.is_err(), "it was killed while it served");
        let kept = *acknowledged.borrow();
        let (_, _store) = start(&file, address, 1).await;
        let log = client.log_page("b", 0).await.unwrap();
        let last = log.entries.last().map_or(0, |entry| entry.seq);
        assert!(last >= kept, "{last} of {kept}");
        writer.await.unwrap();
        let log = client.log_page("b", 0).await.unwrap();
        assert!((1..=300).eq(log.entries.iter().map(|entry| entry.seq)), "none lost, none twice");
    }

    #[tokio::test]
    async fn a_refusal_is_not_a_broken_connection() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _store) = start(&folder.path().join("log"), any(), 1).await;
        let client = StoreClient::connect(address);
        let refused = client.append("b", "s1", 1, vec![edit(1, 1)]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(Refusal::Fenced { epoch: 0 })));
        client.claim("b", "s1", 0, Over::Anybody).await.unwrap();
        assert_eq!(client.append("b", "s1", 1, vec![edit(1, 1)]).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_not_there_is_no_answer_and_not_for_ever() {
        let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let client = StoreClient::connect(address);
        let failed = client.ownership("b").await.unwrap_err();
        assert!(matches!(failed, StoreError::NoAnswer), "{failed:?}");
    }
}
