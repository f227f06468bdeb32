//! A real release under fire: PostgreSQL is killed and restarted, the disk of a file is full, AWS takes the daemon's
//! credentials no more. Each time the daemon waits, begins nothing that it could not write down, and goes on.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use segue_tests::postgres::Server;
use serde_json::{Value, json};

use crate::clients::said;
use crate::on_postgres::{daemon, records, segue};
use crate::program::{self, until};

/// The end of a release, by its own words.
#[track_caller]
fn released(url: &str, release: &str) {
    let ended = until("the end of the release", || {
        let view = program::get(url, &format!("/v1/releases/{release}"));
        (view["state"] == "closed" || view["state"] == "held").then_some(view)
    });
    assert_eq!(ended["verdict"], "released", "{ended:#}");
    assert_eq!(ended["boards"]["moved"], ended["boards"]["alive_at_close"], "{ended:#}");
}

/// Four servers in all, two of them old: nothing was launched or ended twice.
#[track_caller]
fn nothing_twice(ready: &Value) {
    let ledger = program::ledger(ready["admin"].as_str().unwrap());
    assert_eq!(ledger["launches"].as_array().map(Vec::len), Some(4), "{ledger:#}");
    assert_eq!((&ledger["stopped"], &ledger["terminated"]), (&2.into(), &0.into()), "{ledger:#}");
}

#[test]
fn a_release_goes_on_when_its_postgresql_is_killed_and_restarted_in_its_middle() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let server = Server::start();
    let journal = server.database();
    let args = ["sandbox", "--fleet", "2", "--clients", "100", "--serve-config", "segue.toml"];
    let (_sandbox, ready) = program::ready(segue(place).args(args).stderr(Stdio::null()));
    let (daemon, _) = daemon(place, "only", &journal);
    until("every board is counted", || daemon.boards().filter(|boards| *boards >= 20));
    let canary = daemon.asked(&["canary", "boards", "--version", "2", "--wait"]);
    assert_eq!(canary.status.code(), Some(0), "{}", said(&canary));
    let begun = daemon.asked(&["release", "boards"]);
    assert_eq!(begun.status.code(), Some(0), "{}", said(&begun));

    until("a launch", || daemon.step("boards-2").filter(|step| !matches!(&**step, "resolve" | "preflight")));
    server.kill();
    // Until the daemon has noticed: it says so once for each try.
    until("a try", || said_in(&daemon.log, &["the journal took nothing", "the lease was not renewed"]));
    server.start_again();
    until("the handover", || daemon.step("boards-2").filter(|step| step == "handover"));
    server.stop();
    server.start_again();
    released(&daemon.url, "boards-2");
    nothing_twice(&ready);
    let epochs: Vec<u64> = records(place, &journal, "boards-2").iter().map(|(epoch, _)| *epoch).collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
}

fn said_in(log: &std::path::Path, sentences: &[&str]) -> Option<()> {
    let text = std::fs::read_to_string(log).unwrap();
    sentences.iter().any(|sentence| text.contains(sentence)).then_some(())
}

/// A process that does not outlive its test, whichever way that ends.
struct Killed(u32);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = Command::new("kill").args(["-KILL", &self.0.to_string()]).status();
    }
}

/// How large a file of the process may become: `unlimited`, or so many bytes.
fn limit_files(pid: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let limited = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).output().unwrap();
    assert!(limited.status.success(), "{}", said(&limited));
}

#[test]
fn a_release_goes_on_when_the_disk_of_its_journal_was_full_for_a_while() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let args = ["sandbox", "--fleet", "2", "--clients", "100", "--serve-config", "segue.toml"];
    let (_sandbox, ready) = program::ready(segue(place).args(args).stderr(Stdio::null()));
    let slow = [("wave_boards = 40", "wave_boards = 1"), ("switching_at_once = 4", "switching_at_once = 1")];
    program::change_config(place, &[[("bake = \"10s\"", "bake = \"2s\"")].as_slice(), &slow].concat());
    // A process that does not ignore it is ended by the signal, where a full disk would only refuse.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config segue.toml"]).arg(program::path());
    shell.current_dir(place).envs([("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")]);
    shell.env("NO_COLOR", "1");
    let mut daemon = program::listen(&mut shell);
    let mut line = String::new();
    BufReader::new(daemon.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["listening"].as_str().unwrap().to_owned();
    let pid = daemon.child.id();
    let killed = Killed(pid);

    let asked = |args: &[&str]| {
        let output = segue(place).args(["--daemon", &url]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    };
    let counted = || program::get(&url, "/v1/services/boards")["fleets"][0]["boards"]["count"].as_u64();
    until("every board is counted", || counted().filter(|boards| *boards >= 20));
    asked(&["canary", "boards", "--version", "2", "--wait"]);
    asked(&["release", "boards"]);
    for step in ["launch", "handover"] {
        let is_there = |view: Value| {
            let steps = view["steps"].as_array()?.iter();
            steps.into_iter().find(|it| it["name"] == step && it["state"] != "pending").map(|_| ())
        };
        until(step, || is_there(program::get(&url, "/v1/releases/boards-2")));
        limit_files(pid, "1");
        let mut lines = std::iter::from_fn(|| daemon.line());
        let refused = lines.find(|line| line.contains("the journal took nothing"));
        assert!(refused.is_some(), "the daemon did not notice at {step}");
        limit_files(pid, "unlimited");
    }
    released(&url, "boards-2");
    nothing_twice(&ready);
    drop(killed);
    daemon.child.wait().unwrap();
}

/// For how long nobody renews the credentials: many looks.
const EXPIRED_MS: u32 = 4_000;

#[test]
fn a_release_goes_on_when_its_credentials_had_expired_for_a_while() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let args = ["sandbox", "--fleet", "2", "--clients", "100", "--serve-config", "segue.toml"];
    let (_sandbox, ready) = program::ready(segue(place).args(args).stderr(Stdio::null()));
    let admin = ready["admin"].as_str().unwrap();
    let slow = [("wave_boards = 40", "wave_boards = 1"), ("switching_at_once = 4", "switching_at_once = 1")];
    let changes = [&[("bake = \"10s\"", "bake = \"2s\"")], slow.as_slice()].concat();
    let daemon = program::daemon(place, &changes);
    let url = daemon.url.as_str();
    let asked = |args: &[&str]| {
        let output = segue(place).args(["--daemon", url]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    };
    asked(&["canary", "boards", "--version", "2", "--wait"]);
    asked(&["release", "boards"]);
    for step in ["admit", "handover"] {
        until(step, || {
            let view = program::get(url, "/v1/releases/boards-2");
            let steps = view["steps"].as_array()?;
            steps.iter().find(|it| it["name"] == step && it["state"] != "pending").map(|_| ())
        });
        program::fault(admin, &json!({"fault": "expire_credentials", "for_ms": EXPIRED_MS}));
    }
    released(url, "boards-2");
    nothing_twice(&ready);
    let ledger = program::ledger(admin);
    let struck = ledger["faults"].as_object().unwrap();
    for action in ["DescribeInstances", "DescribeTargetHealth"] {
        let refused = struck.get(&format!("expire_credentials:{action}")).and_then(Value::as_u64);
        assert!(refused > Some(0), "{struck:?}");
    }
}
