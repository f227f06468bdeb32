//! One service behind two load balancers, and people who come to either: a canary at one of them, a full release, and
//! the way back, with real sockets through both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{self, Daemon, Staying};

struct Stage<'a> {
    folder: &'a Path,
    daemon: Daemon,
    _sandbox: Staying,
}

fn stage(folder: &Path) -> Stage<'_> {
    let mut sandbox = Command::new(program::path());
    let args = ["sandbox", "--fleet", "4", "--load-balancers", "2", "--clients", "60"];
    sandbox.args(args).args(["--serve-config", "segue.toml"]).current_dir(folder);
    let (sandbox, ready) = program::ready(sandbox.stderr(Stdio::null()));
    assert_eq!(ready["others"].as_array().map(Vec::len), Some(1), "{ready:#}");
    let quick = [("bake = \"10s\"", "bake = \"4s\""), ("bake = \"3s\"", "bake = \"1s\"")];
    Stage { folder, daemon: program::daemon(folder, &quick), _sandbox: sandbox }
}

impl Stage<'_> {
    fn segue(&self, args: &[&str]) -> Output {
        let mut segue = Command::new(program::path());
        let keys = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
        segue.args(["--output", "json"]).args(args).current_dir(self.folder).envs(keys);
        segue.env("SEGUE_DAEMON", &self.daemon.url).output().unwrap()
    }

    #[track_caller]
    fn does(&self, args: &[&str]) -> Value {
        let output = self.segue(args);
        let (said, told) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}{told}");
        serde_json::from_str(&told).unwrap()
    }

    /// How many servers of a version are healthy at each load balancer.
    fn serving(&self, version: &str) -> BTreeMap<String, usize> {
        let service = self.does(&["status", "boards"]);
        let fleets = service["fleets"].as_array().unwrap().iter();
        let servers = fleets.flat_map(|fleet| fleet["instances"].as_array().unwrap());
        let mut serving = BTreeMap::new();
        for server in servers.filter(|it| it["version"] == version && it["health"] == "healthy") {
            *serving.entry(server["load_balancer"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        serving
    }
}

fn at(first: usize, second: usize) -> BTreeMap<String, usize> {
    let all = [("boards".to_owned(), first), ("boards-2".to_owned(), second)];
    all.into_iter().filter(|(_, servers)| *servers > 0).collect()
}

#[test]
fn each_load_balancer_keeps_servers_of_its_own_through_canary_release_and_rollback() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    let checked = stage.does(&["check", "--config", "segue.toml"]);
    let checks = checked["checks"].as_array().unwrap();
    let slots = checks.iter().find(|check| check["name"] == "slots").unwrap()["sentence"].as_str().unwrap();
    assert!(slots.contains("boards: ") && slots.contains("boards-2: "), "{slots}");
    assert_eq!(stage.serving("1"), at(2, 2));

    // One canary at one of two load balancers.
    stage.does(&["canary", "boards", "--version", "2", "--wait"]);
    assert_eq!((stage.serving("1"), stage.serving("2")), (at(2, 2), at(1, 0)));

    let release = stage.does(&["release", "boards", "--version", "2", "--wait"]);
    assert!(release["boards"]["moved"].as_u64().unwrap() > 0, "{release:#}");
    assert_eq!((stage.serving("1"), stage.serving("2")), (at(0, 0), at(2, 2)));

    stage.does(&["rollback", "boards", "--wait"]);
    assert_eq!((stage.serving("1"), stage.serving("2")), (at(2, 2), at(0, 0)));
}
