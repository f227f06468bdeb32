//! What a commit costs, on each kind of database side by side: `cargo test -p segue-journal latency --
//! --nocapture` prints it. It asserts no more than what the engine needs: fewer than one append a second.

use std::time::Duration;

use segue_tests::postgres::{PASSWORD, Server};
use tokio::time::Instant;

use crate::address::Address;
use crate::append::{Append, StreamAppend};
use crate::lease::{Owner, Scope};
use crate::samples;
use crate::store::Store;

const APPENDS: u64 = 500;
const NEEDED: Duration = Duration::from_secs(1);

/// How long each append took, the shortest first.
async fn measured(store: &dyn Store) -> Vec<Duration> {
    let (scope, owner) = (Scope::new("boards"), Owner::new("a"));
    let lease = store.acquire(&scope, &owner, Duration::from_mins(1)).await.expect("it is free");
    let mut took = Vec::new();
    for expected_seq in 0..APPENDS {
        let record = samples::new_record(samples::release_events().remove(0).into());
        let part = StreamAppend { stream: samples::release_stream(), expected_seq, records: vec![record] };
        let append = Append { streams: vec![part], outbox: Vec::new() };
        let began = Instant::now();
        store.append(&lease, &append).await.expect("the lease is held");
        took.push(began.elapsed());
    }
    took.sort();
    took
}

#[tokio::test]
async fn the_latency_of_a_commit_is_far_below_what_the_engine_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Address::File(folder.path().join("journal.db"));
    let database = Address::parse(&Server::shared().database()).expect("an address");
    println!("| {APPENDS} appends of one record | p50 | p99 | longest |\n| --- | --- | --- | --- |");
    for (name, address) in
        [("SQLite", file), ("PostgreSQL on loopback", database.with_password(Some(PASSWORD.into())))]
    {
        let store = address.open().await.expect("it is new");
        let took = measured(&*store).await;
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
        println!("| {name} | {} | {} | {} |", ms(at(50)), ms(at(99)), ms(at(100)));
        assert!(at(99) < NEEDED, "{name}: {:?}", at(99));
        store.close().await;
    }
}
