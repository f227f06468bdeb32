//! `segue plan`: what it says is what is done, by the count of whoever was called; and a plan that does not hold
//! any more is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{self, Daemon, Staying};

/// Plans that are made until every server has been scraped; each takes a tenth of a second or more.
const LOOKS_MAX: u32 = 300;

struct Stage<'a> {
    folder: &'a Path,
    daemon: Daemon,
    admin: String,
    _sandbox: Staying,
}

fn stage(folder: &Path) -> Stage<'_> {
    let mut sandbox = Command::new(program::path());
    sandbox.args(["sandbox", "--fleet", "2", "--serve-config", "segue.toml"]).current_dir(folder);
    let (sandbox, ready) = program::ready(sandbox.stderr(Stdio::null()));
    let quick = [("bake = \"10s\"", "bake = \"1s\""), ("bake = \"3s\"", "bake = \"1s\"")];
    let daemon = program::daemon(folder, &quick);
    Stage { folder, daemon, admin: ready["admin"].as_str().unwrap().to_owned(), _sandbox: sandbox }
}

impl Stage<'_> {
    fn segue(&self, args: &[&str]) -> Output {
        let mut segue = Command::new(program::path());
        segue.args(["--daemon", &self.daemon.url, "--output", "json"]).args(args).current_dir(self.folder);
        segue.output().unwrap()
    }

    #[track_caller]
    fn does(&self, args: &[&str]) -> Value {
        let output = self.segue(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn refuses(&self, args: &[&str], code: &str, words: &str) {
        let output = self.segue(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(&format!("refused ({code}): ")) && said.contains("\nhint: "), "{said}");
        assert!(said.contains(words), "{words:?} is not in {said}");
    }

    /// Calls that change something, by the sandbox's ledger.
    fn changes(&self) -> BTreeMap<String, u64> {
        let ledger = program::ledger(&self.admin);
        let calls = ledger["calls"].as_object().unwrap();
        let changing = calls.iter().filter(|(call, _)| !call.starts_with("Describe"));
        changing.map(|(call, n)| (call.clone(), n.as_u64().unwrap())).collect()
    }

    /// The plan, as soon as Prometheus has seen every server: what nobody has counted yet would refuse it.
    fn plans_when_all_are_counted(&self, args: &[&str]) -> Value {
        for _ in 0..LOOKS_MAX {
            let plan = self.does(args);
            if failed(&plan).iter().all(|check| check["name"] != "boards-known") {
                return plan;
            }
        }
        panic!("nobody counts the boards");
    }

    /// Plans it, does it as planned, and compares what was called with what was said.
    #[track_caller]
    fn goes_as_planned(&self, kind: &str, verb: &str) -> Value {
        let before = self.changes();
        let plan = self.does(&["plan", "boards", "--kind", kind, "--version", "2", "--out", "plan.json"]);
        assert_eq!(self.changes(), before, "a plan changed something");
        self.does(&[verb, "boards", "--plan", "plan.json", "--wait"]);
        let after = self.changes();
        let grown = after.into_iter().filter_map(|(call, n)| {
            let more = n - before.get(&call).copied().unwrap_or(0);
            (more > 0).then_some((call, more))
        });
        assert_eq!(grown.collect::<BTreeMap<_, _>>(), said(&plan), "{plan:#}");
        plan
    }
}

/// The checks that would refuse it now.
fn failed(plan: &Value) -> Vec<&Value> {
    let checks = plan["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["verdict"] == "failed").collect()
}

/// The calls at AWS that a plan names, but those long after the release.
fn said(plan: &Value) -> BTreeMap<String, u64> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let calls = steps.flat_map(|step| step["calls"].as_array().unwrap());
    let mut said = BTreeMap::new();
    for call in calls.filter(|call| call["at"] == "aws" && call["call"] != "TerminateInstances") {
        *said.entry(call["call"].as_str().unwrap().to_owned()).or_insert(0) +=
            call["times"].as_u64().unwrap();
    }
    said
}

#[test]
fn a_release_does_what_its_plan_said_call_by_call() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(folder.path());
    // Made before the canary: it says what would refuse it, and does not hold afterwards.
    let early =
        stage.plans_when_all_are_counted(&["plan", "boards", "--version", "2", "--out", "early.json"]);
    let failed = failed(&early);
    assert!(failed.len() == 1 && failed[0]["name"] == "canary", "{early:#}");
    assert_eq!(early["warnings"][0]["code"], "way-back-unknown", "{early:#}");

    let canary = stage.goes_as_planned("canary", "canary");
    assert_eq!(said(&canary)["RunInstances"], 1);
    stage.refuses(
        &["release", "boards", "--plan", "early.json"],
        "plan-stale",
        "canaries-taken-over: was none",
    );
    stage.refuses(&["release", "boards", "--plan", "plan.json"], "plan-invalid", "canary release");
    stage.refuses(&["plan", "boards", "--version", "9"], "version-unknown", "9");

    let text = std::fs::read_to_string(folder.path().join("early.json")).unwrap();
    let image = early["image"].as_str().unwrap();
    std::fs::write(folder.path().join("changed.json"), text.replace(image, "ami-0123456789abcdef0")).unwrap();
    stage.refuses(&["release", "boards", "--plan", "changed.json"], "plan-invalid", "digest");

    let full = stage.goes_as_planned("full", "release");
    let said = said(&full);
    assert_eq!((said["RunInstances"], said["StopInstances"], said["ModifyListener"]), (1, 1, 2), "{full:#}");
    // Back again, without a launch.
    let before = stage.changes();
    let back = stage.does(&["plan", "boards", "--kind", "rollback", "--out", "back.json"]);
    stage.does(&["rollback", "boards", "--plan", "back.json", "--wait"]);
    assert_eq!(stage.changes()["RunInstances"], before["RunInstances"], "{back:#}");
    assert_eq!(self::said(&back)["StartInstances"], 1, "{back:#}");
}
