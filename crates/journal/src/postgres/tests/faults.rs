//! The database at its worst: connections that are cut around a commit, and a server that is killed.

use super::proxy::{Cut, Proxy};
use super::*;
use crate::fate::{Fate, fate};

/// A store whose server is behind a network that can be cut.
async fn behind(base: &Base, proxy: &Proxy) -> PostgresStore {
    let direct = base.server.address(&base.name);
    let address = direct.replace(&format!(":{}", base.server.port()), &format!(":{}", proxy.address.port()));
    PostgresStore::open(&database(&address)).await.expect("the database is new")
}

/// An append whose commit is cut so, and what became of it.
async fn cut(cut: Cut) -> (Base, PostgresStore, Lease, Fate) {
    let base = Base::new();
    let proxy = Proxy::before(base.server.port()).await;
    let store = behind(&base, &proxy).await;
    let lease = lease_of(&store, "a").await;
    store.append(&lease, &one_record(0)).await.expect("the network is whole");
    proxy.cut(cut);
    let answer = store.append(&lease, &one_record(1)).await;
    assert!(matches!(answer, Err(AppendError::OutcomeUnknown(_))), "{cut:?}: {answer:?}");
    if cut == Cut::Late {
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, proxy.arrived.notified()).await.expect("the commit arrives at last");
    }
    let found = fate(&store, &lease, &one_record(1)).await.expect("the stream is whole");
    (base, store, lease, found)
}

async fn count(store: &PostgresStore) -> usize {
    store.read(&samples::release_stream(), 0).await.expect("the stream is whole").len()
}

#[tokio::test]
async fn a_connection_that_is_cut_after_the_commit_is_found_to_have_committed() {
    let (_base, store, lease, found) = cut(Cut::After).await;
    assert!(matches!(&found, Fate::Written(appended) if appended.records.len() == 1), "{found:?}");
    let again = store.append(&lease, &one_record(1)).await;
    assert!(matches!(again, Err(AppendError::Conflict { expected: 1, found: 2, .. })), "{again:?}");
    store.append(&lease, &one_record(2)).await.expect("it goes on behind what was written");
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_commit_is_found_to_have_written_nothing() {
    let (_base, store, lease, found) = cut(Cut::Before).await;
    assert_eq!(found, Fate::NotWritten);
    store.append(&lease, &one_record(1)).await.expect("it is safe to write it again");
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn a_commit_that_arrives_after_its_writer_gave_up_is_not_doubled() {
    let (_base, store, lease, found) = cut(Cut::Late).await;
    assert!(matches!(found, Fate::Written(_)), "{found:?}");
    let again = store.append(&lease, &one_record(1)).await;
    assert!(matches!(again, Err(AppendError::Conflict { found: 2, .. })), "{again:?}");
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn a_kept_connection_that_has_fallen_silent_is_replaced_within_the_call() {
    let base = Base::new();
    let proxy = Proxy::before(base.server.port()).await;
    let store = behind(&base, &proxy).await;
    let lease = lease_of(&store, "a").await;
    store.append(&lease, &one_record(0)).await.expect("the network is whole");
    assert_eq!(count(&store).await, 1);
    proxy.fall_silent();
    let began = Instant::now();
    store.renew(&lease).await.expect("the lease is kept over another connection");
    store.append(&lease, &one_record(1)).await.expect("it is written over another connection");
    assert_eq!(count(&store).await, 2);
    assert!(began.elapsed() > Duration::from_secs(3), "nothing was silent: {:?}", began.elapsed());
}

/// Appends one record after the other, as the engine does: what is not known is looked up, what did not happen is
/// tried again. Tells what it counted after each try, until nobody listens.
async fn writer(store: PostgresStore, lease: Lease, tell: tokio::sync::watch::Sender<Tally>) -> Tally {
    let mut tally = Tally::default();
    while tell.send(tally).is_ok() {
        let append = one_record(tally.acknowledged);
        match store.append(&lease, &append).await {
            Ok(_) => tally.acknowledged += 1,
            Err(AppendError::Unavailable(_)) => {
                tally.refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(AppendError::OutcomeUnknown(_) | AppendError::Conflict { .. }) => {
                tally.unknown += 1;
                if let Ok(Fate::Written(_)) = fate(&store, &lease, &append).await {
                    tally.acknowledged += 1;
                }
            }
            Err(error) => panic!("{error:?}"),
        }
        tokio::task::yield_now().await;
    }
    tally
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    acknowledged: u64,
    refused: u64,
    unknown: u64,
}

/// Deaths of the server: so many at least, and not more than this.
const ROUNDS_MIN: u32 = 5;
const ROUNDS_MAX: u32 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_during_commits_loses_none_that_it_acknowledged_and_doubles_none() {
    let server = tokio::task::spawn_blocking(Server::start).await.expect("a server");
    let server = Arc::new(server);
    let address = server.database();
    // So that a commit is what most deaths meet: it waits before it goes to the disk.
    for setting in ["commit_siblings = 0", "commit_delay = 50000"] {
        server.run("postgres", &format!("ALTER SYSTEM SET {setting}"));
    }
    server.run("postgres", "SELECT pg_reload_conf()");
    let store = PostgresStore::open(&database(&address)).await.expect("the database is new");
    let lease = lease_of(&store, "a").await;
    let (tell, told) = tokio::sync::watch::channel(Tally::default());
    let writing = tokio::spawn(writer(store.clone(), lease.clone(), tell));
    // Until a death met a commit, which most do.
    for round in 1..=ROUNDS_MAX {
        if round > ROUNDS_MIN && told.borrow().unknown > 0 {
            break;
        }
        let before = count_when_there(&store).await;
        // Kills while it writes, not before.
        while count_when_there(&store).await < before + 8 {
            tokio::task::yield_now().await;
        }
        let victim = Arc::clone(&server);
        let again = tokio::task::spawn_blocking(move || {
            if round == 3 {
                victim.stop();
            } else {
                victim.kill();
            }
            victim.start_again();
        });
        again.await.expect("it starts again");
    }
    let before = count_when_there(&store).await;
    while count_when_there(&store).await < before + 8 {
        tokio::task::yield_now().await;
    }
    drop(told);
    let tally = writing.await.expect("the writer ends");
    let read = store.read(&samples::release_stream(), 0).await.expect("the stream is whole");
    assert_eq!(u64::try_from(read.len()).ok(), Some(tally.acknowledged), "{tally:?}");
    assert!(tally.unknown > 0, "no death met a commit: {tally:?}");
    println!("{tally:?}");
}

/// Waits for a server that is away, for a while.
async fn count_when_there(store: &PostgresStore) -> usize {
    let began = Instant::now();
    loop {
        match store.read(&samples::release_stream(), 0).await {
            Ok(read) => return read.len(),
            Err(error) => assert!(began.elapsed() < Duration::from_mins(1), "{error:?}"),
        }
        tokio::task::yield_now().await;
    }
}
