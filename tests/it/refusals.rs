//! What bad input gets, from the real program: a code, a sentence, a hint, exit code 2, and nothing changed.
//!
//! One sandbox with a small fleet and no users, one daemon, and requests that must not be taken.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{self, Daemon, Staying};

struct Playground {
    daemon: Daemon,
    admin: String,
    _sandbox: Staying,
}

fn playground(folder: &Path) -> Playground {
    let mut sandbox = Command::new(program::path());
    sandbox.args(["sandbox", "--fleet", "2", "--serve-config", "segue.toml"]).current_dir(folder);
    let (sandbox, ready) = program::ready(sandbox.stderr(Stdio::null()));
    // A canary that ended while it is being refused things would end the test's story.
    let daemon = program::daemon(folder, &[("bake = \"10s\"", "bake = \"1h\"")]);
    Playground { daemon, admin: ready["admin"].as_str().unwrap().to_owned(), _sandbox: sandbox }
}

impl Playground {
    fn segue(&self, args: &[&str]) -> Output {
        Command::new(program::path()).args(["--daemon", &self.daemon.url]).args(args).output().unwrap()
    }

    #[track_caller]
    fn refuses(&self, args: &[&str], code: &str) {
        let output = self.segue(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(&format!("refused ({code}): ")), "{args:?}: {said}");
        assert!(said.contains("\nhint: "), "{args:?}: {said}");
    }

    #[track_caller]
    fn accepts(&self, args: &[&str], exit: i32) {
        let output = self.segue(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    }

    /// Calls that change something at AWS, by the sandbox's ledger.
    fn changes(&self) -> u64 {
        let ledger = program::ledger(&self.admin);
        let changing =
            ["RunInstances", "TerminateInstances", "RegisterTargets", "ModifyListener", "ModifyRule"];
        changing.iter().filter_map(|call| ledger["calls"][call].as_u64()).sum()
    }
}

#[test]
fn every_refusal_has_its_code_and_changes_nothing() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let ground = playground(folder.path());
    let before = ground.changes();
    ground.refuses(&["canary", "boards", "--version", "9"], "version-unknown");
    ground.refuses(&["canary", "boards", "--version", "1"], "version-running");
    ground.refuses(&["rollback", "boards"], "nothing-before");
    ground.refuses(&["canary", "nothing", "--version", "2"], "service-unknown");
    ground.refuses(&["abort", "boards-7"], "release-unknown");
    assert_eq!(ground.changes(), before, "a refusal changed something at AWS");

    // A full release without its canary is taken, and refused by preflight before anything is done.
    ground.accepts(&["release", "boards", "--version", "2", "--wait"], 2);
    assert_eq!(ground.changes(), before, "preflight changed something at AWS");
    ground.refuses(&["abort", "boards-1"], "release-over");

    ground.accepts(&["canary", "boards", "--version", "2", "--idempotency-key", "once"], 0);
    ground.accepts(&["canary", "boards", "--version", "2", "--idempotency-key", "once"], 0);
    ground.refuses(&["canary", "boards", "--version", "1", "--idempotency-key", "once"], "key-reused");
    ground.refuses(&["release", "boards", "--version", "2"], "release-active");
    ground.refuses(&["resume", "boards-2"], "not-now");
    ground.accepts(&["pause", "boards-2"], 0);
    ground.accepts(&["resume", "boards-2"], 0);
    ground.accepts(&["abort", "boards-2", "--reason", "enough", "--wait"], 4);
    ground.refuses(&["abort", "boards-2"], "release-over");

    let history = ground.segue(&["history", "--output", "json"]);
    let history: Value = serde_json::from_slice(&history.stdout).unwrap();
    let verdicts: Vec<&str> =
        history["releases"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["aborted", "refused"], "the newest first");
}

/// What `segue serve` says of the example's configuration, with another address; it must not start.
fn served_at(listen: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segue.toml");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/segue.example.toml");
    let mut example: toml::Table = toml::from_str(&std::fs::read_to_string(example).unwrap()).unwrap();
    let daemon = example["daemon"].as_table_mut().unwrap();
    daemon.insert("listen".to_owned(), listen.into());
    daemon.insert("journal".to_owned(), folder.path().join("journal.db").to_str().unwrap().into());
    std::fs::write(&file, toml::to_string(&example).unwrap()).unwrap();
    let output = Command::new(program::path())
        .args(["serve", "--config", file.to_str().unwrap()])
        .env("SEGUE_HANDOVER_KEY", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_address_that_others_can_reach_is_refused_with_the_way_out() {
    let (code, said) = served_at("0.0.0.0:0");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("loopback") && said.contains("hint: "), "{said}");
}

#[test]
fn an_address_that_is_taken_is_an_error_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = served_at(&taken.local_addr().unwrap().to_string());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot-listen") && said.contains("hint: "), "{said}");
}
