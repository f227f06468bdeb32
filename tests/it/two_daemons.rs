//! Two real daemons on one PostgreSQL: one acts, the other reads, refuses and is ready. Twice, in the middle of a
//! release, the active one stands still for longer than its lease, and wakes up when the other has taken over.

use std::process::Stdio;

use jiff::Timestamp;
use segue_tests::postgres::{PASSWORD, Server};

use crate::clients::said;
use crate::on_postgres::{Daemon, daemon, records, segue};
use crate::program::{self, until};

/// What is promised is the lease's time to live and five seconds: 35. This is no measure of it but the end of a wait: a
/// machine that does other things at the same time (two daemons, a database, a sandbox and its servers on a few cores)
/// may need as much again. What it took is printed.
const TAKEOVER_MS_MAX: i64 = 35_000 + 35_000;

/// Calls that are under way end first, and the other asks every second; much less than the lease.
const GIVEN_BACK_MS_MAX: i64 = 15_000;

/// Of a hundred people; some open one more.
const BOARDS: u64 = 20;

/// It refuses what it may not do, and says who may.
fn stands_by(daemon: &Daemon, other: &Daemon) {
    let readiness = program::get(&daemon.url, "/readyz");
    assert_eq!(readiness["ready"], false, "{readiness}");
    let sentence = readiness["components"][0]["sentence"].as_str().unwrap_or_default().to_owned();
    assert!(sentence.contains(other.name) && sentence.contains("ready to take over"), "{readiness}");
    let refused = daemon.asked(&["canary", "boards", "--version", "2"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let holds = format!("{} holds the lease", other.name);
    assert!(said(&refused).contains("not-served") && said(&refused).contains(&holds), "{}", said(&refused));
}

/// Stops whoever acts for longer than its lease, waits for the other to take over, and wakes it up again. How long
/// nobody acted, in ms.
fn stand_still(active: &Daemon, other: &Daemon) -> i64 {
    active.process.signal("STOP");
    let stopped = Timestamp::now();
    until(&format!("{} takes over", other.name), || other.is_ready().then_some(()));
    let took_ms = Timestamp::now().as_millisecond() - stopped.as_millisecond();
    active.process.signal("CONT");
    println!("{} took over {took_ms} ms after {} stood still", other.name, active.name);
    assert!(took_ms < TAKEOVER_MS_MAX, "{took_ms} ms");
    // It finds out by itself, by its own clock or by the database's word, and waits its turn.
    until(&format!("{} wakes up and waits", active.name), || {
        let log = std::fs::read_to_string(&active.log).unwrap();
        let waits = format!("owner={}", other.name);
        log.rsplit_once("the lease was lost").filter(|(_, after)| after.contains(&waits)).map(|_| ())
    });
    stands_by(active, other);
    took_ms
}

#[test]
fn two_daemons_on_one_database_take_turns_in_the_middle_of_a_release_and_nothing_is_lost_or_doubled() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let journal = Server::shared().database();
    let args = ["sandbox", "--fleet", "2", "--clients", "100", "--serve-config", "segue.toml"];
    let (_sandbox, ready) = program::ready(segue(place).args(args).stderr(Stdio::null()));
    let admin = ready["admin"].as_str().unwrap();

    let (first, line) = daemon(place, "first", &journal);
    assert!(line.get("waits_for").is_none() && first.is_ready(), "{line}");
    let (second, line) = daemon(place, "second", &journal);
    assert_eq!(line["waits_for"], "first");
    stands_by(&second, &first);
    let checked = segue(place).args(["check", "--config", "second.toml"]).output().unwrap();
    for words in [format!("{journal} is a journal of"), "first holds it".to_owned()] {
        assert!(said(&checked).contains(&words), "{words:?} is not in {}", said(&checked));
    }
    assert!(!said(&checked).contains(PASSWORD), "a password is printed");

    until("every board is counted", || first.boards().filter(|boards| *boards >= BOARDS));
    let canary = first.asked(&["canary", "boards", "--version", "2", "--wait"]);
    assert_eq!(canary.status.code(), Some(0), "{}", said(&canary));
    let begun = first.asked(&["release", "boards"]);
    assert_eq!(begun.status.code(), Some(0), "{}", said(&begun));

    // Who only reads sees the same.
    until("a launch", || second.step("boards-2").filter(|step| !matches!(&**step, "resolve" | "preflight")));
    let one = stand_still(&first, &second);
    until("the handover", || first.step("boards-2").filter(|step| step == "handover"));
    let two = stand_still(&second, &first);

    let ended = until("the end of the release", || {
        let view = program::get(&second.url, "/v1/releases/boards-2");
        (view["state"] == "closed" || view["state"] == "held").then_some(view)
    });
    assert_eq!(ended["verdict"], "released", "{ended:#}");
    assert_eq!(ended["boards"]["moved"], ended["boards"]["alive_at_close"], "{ended:#}");
    println!("nobody acted for {one} ms and for {two} ms");
    let told = Timestamp::now();
    first.process.signal("TERM");
    until("the lease is given back", || second.is_ready().then_some(()));
    let took_ms = Timestamp::now().as_millisecond() - told.as_millisecond();
    println!("second took over {took_ms} ms after first was told to stop");
    assert!(took_ms < GIVEN_BACK_MS_MAX, "{took_ms} ms");

    // Nothing was launched, stopped or written twice.
    let ledger = program::ledger(admin);
    assert_eq!(ledger["launches"].as_array().map(Vec::len), Some(4), "{ledger:#}");
    assert_eq!((&ledger["stopped"], &ledger["terminated"]), (&2.into(), &0.into()), "{ledger:#}");
    let records = records(place, &journal, "boards-2");
    let mut epochs: Vec<u64> = records.iter().map(|(epoch, _)| *epoch).collect();
    assert!(epochs.is_sorted(), "a former holder wrote after its successor: {epochs:?}");
    epochs.dedup();
    assert_eq!(epochs.len(), 3, "two turns of the lease: {epochs:?}");
    for pair in records.windows(2).filter(|pair| pair[0].0 != pair[1].0) {
        let silent_ms = pair[1].1.as_millisecond() - pair[0].1.as_millisecond();
        println!("epoch {} wrote {silent_ms} ms after epoch {}", pair[1].0, pair[0].0);
        assert!(silent_ms < TAKEOVER_MS_MAX, "{silent_ms} ms");
    }
}
