//! What a database must be before anything is written to it.

use super::*;
use crate::open::{Looked, OpenError};

#[tokio::test]
async fn a_look_makes_nothing_and_tells_who_holds_the_lease() {
    let base = Base::new();
    let look = || PostgresStore::look(&base.database);
    assert_eq!(look().await.expect("a look"), Looked::Absent);
    assert_eq!(base.run("SELECT to_regnamespace('segue') IS NULL"), "t", "a look made a schema");
    base.run("CREATE SCHEMA segue");
    assert_eq!(look().await.expect("a look"), Looked::Empty);

    let store = base.open().await;
    assert_eq!(look().await.expect("a look"), Looked::Journal);
    let reader = PostgresStore::open_to_read(&base.database).await.expect("it reads");
    let scope = Scope::new("boards");
    assert_eq!(reader.holder(&scope).await.expect("it reads"), None);
    let lease = lease_of(&store, "a").await;
    let holder = reader.holder(&scope).await.expect("it reads").expect("somebody holds it");
    assert!(holder.owner == Owner::new("a") && holder.left <= Duration::from_mins(1), "{holder:?}");
    store.release(&lease).await.expect("it is given back");
    assert_eq!(reader.holder(&scope).await.expect("it reads"), None);
}

#[tokio::test]
async fn a_journal_of_a_newer_daemon_is_refused() {
    let base = Base::new();
    lease_of(&base.open().await, "a").await;
    base.run("UPDATE segue.meta SET value = 7 WHERE name = 'layout'");
    for answer in [
        PostgresStore::open(&base.database).await.map(drop),
        PostgresStore::open_to_read(&base.database).await.map(drop),
        PostgresStore::look(&base.database).await.map(drop),
    ] {
        assert!(matches!(answer, Err(OpenError::Newer { found: 7, understood: LAYOUT, .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_schema_of_somebody_else_is_refused_and_not_touched() {
    let base = Base::new();
    base.run("CREATE SCHEMA segue; CREATE TABLE segue.meta (name text, value bigint)");
    for answer in [
        PostgresStore::open(&base.database).await.map(drop),
        PostgresStore::open_to_read(&base.database).await.map(drop),
    ] {
        assert!(matches!(answer, Err(OpenError::NotAJournal { .. })), "{answer:?}");
    }
    assert_eq!(base.run("SELECT count(*) FROM pg_class WHERE relnamespace = 'segue'::regnamespace"), "1");
}

#[tokio::test]
async fn a_journal_that_is_not_there_is_not_made_by_reading() {
    let base = Base::new();
    let answer = PostgresStore::open_to_read(&base.database).await;
    assert!(matches!(answer, Err(OpenError::Missing { .. })), "{answer:?}");
    assert_eq!(base.run("SELECT to_regnamespace('segue') IS NULL"), "t");
}

#[tokio::test]
async fn two_daemons_may_make_one_journal_at_the_same_time() {
    let base = Base::new();
    let (one, two) = tokio::join!(PostgresStore::open(&base.database), PostgresStore::open(&base.database));
    let (one, two) = (one.expect("it opens"), two.expect("it opens"));
    assert_eq!(one.journal_id(), two.journal_id());
    assert_eq!((lease_of(&one, "a").await.epoch(), lease_of(&two, "a").await.epoch()), (1, 2));
}

#[tokio::test]
async fn a_journal_keeps_its_id_and_a_new_one_has_another() {
    let (base, other) = (Base::new(), Base::new());
    let id = base.open().await.journal_id();
    assert_eq!(base.open().await.journal_id(), id);
    assert_ne!(other.open().await.journal_id(), id);
}

#[tokio::test]
async fn a_database_that_cannot_keep_what_is_written_is_refused() {
    let base = Base::new();
    let latin = format!("{}_latin", base.name);
    base.server.run("postgres", &format!("CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0"));
    let answer = PostgresStore::open(&database(&base.server.address(&latin))).await;
    assert!(matches!(&answer, Err(OpenError::Unfit { why, .. }) if why.contains("LATIN1")), "{answer:?}");

    // A user who may make nothing, in a database that has no journal yet; told how to mend it, it works.
    let guest = format!("guest_{}", base.name);
    base.run(&format!("CREATE ROLE {guest} LOGIN PASSWORD '{PASSWORD}'"));
    let address = base.server.address(&base.name).replace("segue@", &format!("{guest}@"));
    let answer = PostgresStore::open(&database(&address)).await;
    let Err(OpenError::Unfit { why, .. }) = answer else { panic!("{answer:?}") };
    base.run(why.split_once("; run ").expect("it says what to run").1.trim_end_matches(" there"));
    let store = PostgresStore::open(&database(&address)).await.expect("it has a schema of its own");
    lease_of(&store, "a").await;
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_named_with_its_own_words_and_no_password() {
    let base = Base::new();
    let address = base.server.address(&base.name);
    let wrong = Address::parse(&address).expect("an address").with_password(Some("a wrong word".into()));
    let nobody = database(&base.server.address("nowhere"));
    let away = Address::parse("postgres://segue@127.0.0.1:1/segue").expect("an address");
    for (opened, words) in [
        (wrong.open().await.map(drop), "password authentication failed"),
        (Address::Database(nobody).open().await.map(drop), "does not exist"),
        (away.open().await.map(drop), "refused"),
    ] {
        let Err(OpenError::Unreachable { place, source }) = &opened else { panic!("{opened:?}") };
        let said = format!("{place} {source}");
        assert!(said.contains(words) && !said.contains("a wrong word"), "{said}");
    }
}
