//! The contract on a real server, and what only a database can show: what it refuses to be opened as, and that
//! nothing of a daemon that stands still or died stays in the way of the next one.

mod faults;
mod opening;
mod proxy;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use segue_tests::postgres::{PASSWORD, Server};
use tokio::time::Instant;

use super::*;
use crate::address::{Address, Database};
use crate::contract::{Subject, Tamper, forged, lease_of, one_record};
use crate::samples;

/// An empty database of a server that all tests share.
struct Base {
    server: &'static Server,
    name: String,
    database: Database,
}

fn database(address: &str) -> Database {
    let address = Address::parse(address).expect("an address").with_password(Some(PASSWORD.into()));
    let Address::Database(database) = address else { panic!("{address} is a file") };
    database
}

impl Base {
    fn new() -> Self {
        let server = Server::shared();
        let address = server.database();
        let name = address.rsplit_once('/').expect("it names a database").1.to_owned();
        Self { server, name, database: database(&address) }
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.database).await.expect("the database is a journal or new")
    }

    /// Runs a statement behind the journal's back.
    fn run(&self, statement: &str) -> String {
        self.server.run(&self.name, statement)
    }
}

#[async_trait]
impl Subject for Base {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.open().await)
    }

    async fn tamper(&self, stream: &Stream, seq: u64, how: Tamper) {
        let place = format!("stream = '{stream}' AND seq = {seq}");
        match how {
            Tamper::Removed => self.run(&format!("DELETE FROM segue.record WHERE {place}")),
            Tamper::Text | Tamper::TextAndHash | Tamper::Schema(_) => {
                let (text, hash) = forged(&self.open().await, stream, seq, how).await;
                self.run(&format!("UPDATE segue.record SET text = '{text}', hash = '{hash}' WHERE {place}"))
            }
        };
    }
}

crate::store_contract!(Base::new());

#[tokio::test]
async fn a_holder_that_falls_silent_in_the_middle_of_an_append_does_not_keep_its_successor_waiting() {
    let base = Base::new();
    let (first, second) = (base.open().await, base.open().await);
    let (scope, ttl) = (Scope::new("boards"), Duration::from_secs(1));
    let lease = first.acquire(&scope, &Owner::new("a"), ttl).await.expect("it is free");
    // As a process that was stopped by a signal holds it: the row is locked, and nothing more is said.
    let mut silent = Transaction::begin(&first.writer).await.expect("the server is there");
    let records = write(&mut silent, &lease, &one_record(0)).await.expect("the lease is held");
    assert_eq!(records.len(), 1);
    let began = Instant::now();
    let taken = loop {
        match second.acquire(&scope, &Owner::new("b"), Duration::from_secs(30)).await {
            Ok(lease) => break lease,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(15), "{error:?}"),
        }
    };
    assert_eq!(taken.epoch(), lease.epoch() + 1);
    // It wakes up: what it wrote was taken back, and nothing more is taken from it.
    assert!(silent.commit().await.is_err(), "a transaction that had ended was committed");
    let late = first.append(&lease, &one_record(0)).await;
    assert!(matches!(late, Err(AppendError::Fenced { current: Some(2), .. })), "{late:?}");
    assert_eq!(second.read(&samples::release_stream(), 0).await.expect("the stream is whole"), []);
}

#[tokio::test]
async fn a_connection_that_the_server_cut_while_nothing_was_asked_is_made_anew() {
    let base = Base::new();
    let store = base.open().await;
    let lease = lease_of(&store, "a").await;
    store.append(&lease, &one_record(0)).await.expect("it is held");
    store.read(&samples::release_stream(), 0).await.expect("it reads");
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'segue' AND datname = current_database()";
    assert_eq!(base.run(cut), "3", "three connections: one appends, one keeps the lease, one reads");
    store.append(&lease, &one_record(1)).await.expect("another connection is made");
    store.renew(&lease).await.expect("another connection is made");
    let read = store.read(&samples::release_stream(), 0).await.expect("another connection is made");
    assert_eq!(read.len(), 2);
}

#[tokio::test]
async fn whoever_takes_over_does_not_wait_behind_those_who_look() {
    let base = Base::new();
    let store = base.open().await;
    let lease = lease_of(&store, "a").await;
    store.append(&lease, &one_record(0)).await.expect("it is held");
    // Somebody reads a long page, and more of them stand behind.
    let looking = store.visitors.line.take().await.expect("the server is there");
    let (visitors, stream) = (store.reader(), samples::release_stream());
    let mut waiting = std::pin::pin!(visitors.read(&stream, 0));
    assert!(in_a_moment(&mut waiting).await.is_none(), "nobody stood in a row");
    assert_eq!(store.read(&stream, 0).await.expect("it reads").len(), 1);
    looking.put_back();
    assert_eq!(waiting.await.expect("its turn has come").len(), 1);
}

/// What it comes to in a moment, if it does.
async fn in_a_moment<F: Future + Unpin>(work: &mut F) -> Option<F::Output> {
    tokio::time::timeout(Duration::from_millis(100), work).await.ok()
}

#[tokio::test]
async fn every_commit_waits_for_the_disk_whatever_the_server_would_do() {
    let base = Base::new();
    base.run(&format!("ALTER DATABASE {} SET synchronous_commit = off", base.name));
    base.run(&format!("ALTER DATABASE {} SET default_transaction_isolation = serializable", base.name));
    let store = base.open().await;
    let mut held = store.writer.begin().await.expect("the server is there");
    for (setting, wanted) in [("synchronous_commit", "on"), ("transaction_isolation", "read committed")] {
        let asked = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let found: String = held.ask(|connection| asked.fetch_one(connection)).await.expect("it answers");
        assert_eq!(found, wanted, "{setting}");
    }
}
