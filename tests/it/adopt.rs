//! The first day: servers that Segue did not launch are taken in and released, under people who edit on them; what
//! an Auto Scaling group owns is refused.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{self, Daemon, Staying};

struct FirstDay {
    daemon: Daemon,
    ready: Value,
    _sandbox: Staying,
}

/// A sandbox with two servers and whoever uses them, and a daemon that has never seen either.
fn first_day(folder: &Path, args: &[&str]) -> FirstDay {
    let mut sandbox = Command::new(program::path());
    sandbox.args(["sandbox", "--fleet", "2", "--serve-config", "segue.toml"]).args(args).current_dir(folder);
    let (sandbox, ready) = program::ready(sandbox.stderr(Stdio::null()));
    let daemon = program::daemon(folder, &[]);
    FirstDay { daemon, ready, _sandbox: sandbox }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl FirstDay {
    fn segue(&self, args: &[&str]) -> Output {
        let mut segue = Command::new(program::path());
        segue.args(["--daemon", &self.daemon.url]).args(args).stdin(Stdio::null());
        segue.output().unwrap()
    }

    /// What it said on stdout.
    #[track_caller]
    fn accepts(&self, args: &[&str]) -> String {
        let output = self.segue(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What it said on both.
    #[track_caller]
    fn refuses(&self, args: &[&str], words: &[&str]) -> String {
        let output = self.segue(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("\nhint: "), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: {word:?} is missing in {said}");
        }
        said
    }

    fn servers(&self) -> Vec<&str> {
        self.ready["blue"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
    }
}

#[test]
fn a_fleet_that_segue_did_not_launch_is_adopted_and_released() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let day = first_day(folder.path(), &["--strangers", "--clients", "200"]);
    let journal = folder.path().join("segue.journal.db");
    let told = || {
        let mut show = Command::new(program::path());
        show.args(["journal", "show", "boards", "--journal"]).arg(&journal);
        text(&show.output().unwrap().stdout)
    };

    // Nobody knows them, and what to do about it is said.
    day.refuses(&["release", "boards", "--version", "2"], &["strangers-serve", "`segue adopt boards`"]);
    let status = day.accepts(&["status", "boards"]);
    assert!(status.contains("segue adopt boards"), "{status}");

    // A plan, and nobody there to say yes.
    let plan =
        day.refuses(&["adopt", "boards"], &["segue:version=1", "by its AMI", "slot s01", "not-confirmed"]);
    for server in day.servers() {
        assert!(plan.contains(server), "{server} is not in {plan}");
    }
    assert!(!told().contains("take in"), "a plan is no record: {}", told());

    let adopted = day.accepts(&["adopt", "boards", "--yes", "--actor", "ann", "--output", "json"]);
    let adopted: Value = serde_json::from_str(&adopted).unwrap();
    assert_eq!(adopted["outcome"], "did");
    assert_eq!(adopted["servers"].as_object().map(serde_json::Map::len), Some(2));
    assert!(day.accepts(&["adopt", "boards"]).contains("nothing to do"), "asked again it is found done");
    let told = told();
    assert!(told.contains("ann by cli: about to take in, as adoption 1: "), "{told}");
    assert!(told.contains("adoption 1 is done"), "{told}");

    // And from here on it is a fleet like any other.
    day.accepts(&["canary", "boards", "--version", "2", "--wait"]);
    day.accepts(&["release", "boards", "--wait"]);
    let service: Value =
        serde_json::from_str(&day.accepts(&["status", "boards", "--output", "json"])).unwrap();
    assert_eq!(service["version"], "2", "{service:#}");
    let states = service.pointer("/fleets").and_then(Value::as_array).unwrap().iter();
    let spares: Vec<_> = states.filter(|fleet| fleet["role"] == "spare").collect();
    assert_eq!(spares.len(), 1, "the adopted servers are kept: {service:#}");
    assert_eq!(spares[0]["version"], "1");
}

#[test]
fn servers_that_an_auto_scaling_group_owns_are_refused_with_the_reason() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let config = "[fleet]\nversion = \"1\"\ncount = 2\nlaunched_by = \"others\"\n\
                  tags = { \"aws:autoscaling:groupName\" = \"board-servers\" }\n";
    std::fs::write(folder.path().join("sandbox.toml"), config).unwrap();
    let day = first_day(folder.path(), &["--config", "sandbox.toml"]);
    let why = ["owned-by-scaling-group", "the Auto Scaling group board-servers", "detach them"];
    let said = day.refuses(&["adopt", "boards", "--yes"], &why);
    for server in day.servers() {
        assert!(said.contains(server), "{server} is not in {said}");
    }
    day.refuses(&["canary", "boards", "--version", "2"], &["strangers-serve"]);
}
