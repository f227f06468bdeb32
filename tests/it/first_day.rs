//! The mistakes of a first day, each with the answer that says what to do next.
//!
//! One sandbox whose credentials lack one permission, and `segue check` on many configurations for it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::clients::python;
use crate::program::{self, Staying};

/// A configuration with one thing wrong, on a sandbox that lacks one permission.
struct Day<'a> {
    folder: &'a Path,
    config: String,
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
/// What is always missing.
const DENIED: &str = "may-terminate";

fn sandbox(folder: &Path) -> (Staying, Value) {
    let config = "[credentials]\ndeny = [\"ec2:TerminateInstances\"]\n";
    std::fs::write(folder.join("sandbox.toml"), config).unwrap();
    let mut sandbox = Command::new(program::path());
    sandbox.args(["sandbox", "--config", "sandbox.toml", "--fleet", "2", "--serve-config", "segue.toml"]);
    program::ready(sandbox.current_dir(folder).stderr(Stdio::null()))
}

/// Without whatever the shell of this test has.
fn segue(folder: &Path, environment: &[(&str, &str)]) -> Command {
    let mut segue = Command::new(program::path());
    segue.current_dir(folder).stdin(Stdio::null()).env("HOME", folder);
    for variable in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ENDPOINT_URL",
    ] {
        segue.env_remove(variable);
    }
    // No instance role is looked for: where there is no EC2 that takes seconds.
    segue.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
    segue
}

impl Day<'_> {
    fn check_as(&self, changes: &[(&str, &str)], environment: &[(&str, &str)]) -> Output {
        let mut config = self.config.clone();
        for (from, to) in changes {
            assert!(config.contains(from), "{from:?} is not in the configuration:\n{config}");
            config = config.replace(from, to);
        }
        std::fs::write(self.folder.join("wrong.toml"), config).unwrap();
        let check = ["check", "--config", "wrong.toml", "--output", "json"];
        segue(self.folder, environment).args(check).output().unwrap()
    }

    /// With this wrong, exactly these fail besides what always does, and the first of them says these words.
    #[track_caller]
    fn fails(&self, changes: &[(&str, &str)], names: &[&str], words: &str) {
        self.fails_as(changes, &KEYS, names, words);
    }

    #[track_caller]
    fn fails_as(&self, changes: &[(&str, &str)], environment: &[(&str, &str)], names: &[&str], words: &str) {
        let output = self.check_as(changes, environment);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{changes:?}: {said}");
        let report: Value = serde_json::from_str(&said).unwrap();
        let failed: Vec<&Value> = rows(&report, "fail").filter(|row| row["name"] != DENIED).collect();
        let failed_names: Vec<&str> = failed.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(failed_names, names, "{changes:?}: {said}");
        for row in &failed {
            assert!(row["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "no hint: {row}");
        }
        let Some(first) = failed.first() else { return };
        let told = format!("{} {}", first["sentence"], first["hint"]);
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

fn rows<'a>(report: &'a Value, state: &'a str) -> impl Iterator<Item = &'a Value> {
    report["checks"].as_array().unwrap().iter().filter(move |row| row["state"] == state)
}

/// An address where nobody listens.
fn nowhere() -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", taken.local_addr().unwrap())
}

#[test]
fn each_mistake_of_a_first_day_is_told_with_the_next_step() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, ready) = sandbox(folder.path());
    program::change_config(folder.path(), &[]);
    let config = std::fs::read_to_string(folder.path().join("segue.toml")).unwrap();
    let day = Day { folder: folder.path(), config };
    let text = |name: &str| ready[name].as_str().unwrap();
    let quoted = |url: &str| format!("\"{url}\"");
    let (region, template, prometheus, aws) =
        (text("region"), text("launch_template"), text("prometheus"), text("aws"));

    // All is well but the one permission, and it is named as policies write it.
    let output = day.check_as(&[], &KEYS);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed: Vec<&Value> = rows(&report, "fail").collect();
    assert_eq!(failed.len(), 1, "{report:#}");
    assert_eq!(failed[0]["name"], DENIED);
    assert!(failed[0]["hint"].as_str().unwrap().contains("allow ec2:TerminateInstances"), "{report:#}");
    assert_eq!(rows(&report, "warn").count(), 0, "{report:#}");

    credentials(&day, region);
    day.fails(&[(template, "lt-0123456789abcdef0")], &["template"], "lt-0123456789abcdef0");
    day.fails(&[("tags = { service", "tags = { application")], &["images"], "releaseVersion");
    day.fails(&[(&quoted(aws), &quoted(&nowhere()))], &["aws"], "segue sandbox");
    day.fails(&[(&quoted(prometheus), &quoted(&nowhere()))], &["prometheus"], "prometheus.url");
    day.fails(&[(&quoted(prometheus), &quoted(aws))], &["prometheus"], "as a Prometheus");
    day.fails(&[("journal = ", "jurnal = ")], &["config"], "did you mean `journal`?");
    here(&day);
}

fn credentials(day: &Day<'_>, region: &str) {
    day.fails_as(&[], &[], &["credentials"], "set AWS_ACCESS_KEY_ID");
    let other = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    day.fails_as(&[], &other, &["credentials"], "check AWS_ACCESS_KEY_ID");
    let [id, secret] = KEYS;
    let session = [id, secret, ("AWS_SESSION_TOKEN", "of-another-account")];
    day.fails_as(&[], &session, &["credentials"], "unset AWS_SESSION_TOKEN");
    day.fails(&[(region, "sa-east-1")], &["region"], "sa-east-1");
}

/// What is wrong on this machine: its port, its files.
fn here(day: &Day<'_>) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    day.fails(&[("127.0.0.1:0", &address)], &["listen"], "daemon.listen");

    std::fs::write(day.folder.join("notes"), "not a journal, whatever its name says. ".repeat(40)).unwrap();
    day.fails(&[("segue.journal.db", "notes")], &["journal"], "journal-foreign");
    day.fails(&[("segue.journal.db", "missing/journal.db")], &["journal"], "make the folder");
    std::fs::create_dir(day.folder.join("folder")).unwrap();
    day.fails(&[("segue.journal.db", "folder")], &["journal"], "a folder, is not a journal");

    std::fs::write(day.folder.join("other.key"), "another key that is long enough to be one").unwrap();
    day.fails(&[("segue.key", "other.key")], &["control"], "the key under [handover]");
    day.fails(&[("segue.key", "missing.key")], &["config"], "cannot be read");
}

/// `segue serve` on the given configuration, and what it answers to these words.
fn served(folder: &Path, config: &str, environment: &[(&str, &str)], words: &[&str]) -> Output {
    served_with_a_warning(folder, config, environment, &[], words)
}

/// The same, of a daemon whose log has these warnings before anybody asks it anything.
fn served_with_a_warning(
    folder: &Path,
    config: &str,
    environment: &[(&str, &str)],
    warnings: &[&str],
    words: &[&str],
) -> Output {
    std::fs::write(folder.join("served.toml"), config).unwrap();
    let log = folder.join("served.log");
    let mut serve = segue(folder, environment);
    serve.args(["serve", "--config", "served.toml"]).stderr(std::fs::File::create(&log).unwrap());
    let (_serving, ready) = program::ready(&mut serve);
    program::until("its warnings", || {
        let said = std::fs::read_to_string(&log).unwrap();
        warnings.iter().all(|warning| said.contains(warning)).then_some(())
    });
    let url = ready["listening"].as_str().unwrap();
    segue(folder, environment).args(["--daemon", url]).args(words).output().unwrap()
}

#[test]
fn a_mistake_that_nobody_checked_is_told_by_the_daemon_and_by_its_answer() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, ready) = sandbox(folder.path());
    program::change_config(folder.path(), &[]);
    let config = std::fs::read_to_string(folder.path().join("segue.toml")).unwrap();
    let canary = ["canary", "boards", "--version", "2"];
    let told = |output: &Output, exit: i32, words: &[&str]| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    };

    let warnings = ["WARN", "credentials", "set AWS_ACCESS_KEY_ID"];
    let blind = served_with_a_warning(folder.path(), &config, &[], &warnings, &canary);
    told(&blind, 1, &["error (cannot-see)", "there are no credentials", "the daemon's own", "segue check"]);
    let other = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    let warnings = ["WARN", "check AWS_ACCESS_KEY_ID"];
    let stranger = served_with_a_warning(folder.path(), &config, &other, &warnings, &canary);
    told(&stranger, 1, &["error (cannot-see)", "AuthFailure", "hint: "]);
    let unbuilt = config.replace("tags = { service", "tags = { application");
    let unbuilt = served(folder.path(), &unbuilt, &KEYS, &canary);
    told(&unbuilt, 2, &["refused (no-images)", "service.images", "segue check"]);

    // The ARNs name the region, too: the daemon does not even start, and says what to write instead.
    let elsewhere = config.replace(ready["region"].as_str().unwrap(), "sa-east-1");
    let half = elsewhere.replacen("elasticloadbalancing:sa-east-1", "elasticloadbalancing:eu-west-1", 1);
    let start = |config: &str| {
        std::fs::write(folder.path().join("start.toml"), config).unwrap();
        program::listen(segue(folder.path(), &KEYS).args(["serve", "--config", "start.toml"])).end()
    };
    let example = "for example \"arn:aws:elasticloadbalancing:sa-east-1:";
    let refused = start(&half);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for word in ["error[config-invalid]", "in sa-east-1", example] {
        assert!(refused.stderr.contains(word), "{word:?} is not in {}", refused.stderr);
    }
    let away = served(folder.path(), &elsewhere, &KEYS, &canary);
    told(&away, 1, &["error (cannot-see)", "hint: "]);
}

#[test]
fn an_older_journal_is_read_on_and_a_newer_one_is_left_alone() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, _ready) = sandbox(folder.path());
    program::change_config(folder.path(), &[]);
    let config = std::fs::read_to_string(folder.path().join("segue.toml")).unwrap();
    let first = served(folder.path(), &config, &KEYS, &["canary", "boards", "--version", "2", "--wait"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));

    let change = |sql: &str| {
        let code = format!(
            "import sqlite3\ndb = sqlite3.connect('segue.journal.db')\n\
             assert db.execute({sql:?}).rowcount == 1\ndb.commit()\n"
        );
        let changed = Command::new(python()).args(["-c", &code]).current_dir(folder.path()).status().unwrap();
        assert!(changed.success(), "{sql}");
    };
    // As the daemons left it that gave a journal no id: this one reads every record of it, and goes on.
    change("DELETE FROM meta WHERE name = 'journal_id'");
    let history = served(folder.path(), &config, &KEYS, &["history", "boards"]);
    assert!(String::from_utf8_lossy(&history.stdout).contains("boards-1"), "{history:?}");
    let second = served(folder.path(), &config, &KEYS, &["release", "boards", "--version", "2"]);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));

    change("UPDATE meta SET value = 99 WHERE name = 'layout'");
    let before = std::fs::read(folder.path().join("segue.journal.db")).unwrap();
    let refused =
        program::listen(segue(folder.path(), &KEYS).args(["serve", "--config", "segue.toml"])).end();
    let said = refused.stderr;
    assert_eq!(refused.code, Some(2), "{said}");
    assert!(said.contains("error[journal-newer]") && said.contains("start the newer daemon again"), "{said}");
    assert!(before == std::fs::read(folder.path().join("segue.journal.db")).unwrap(), "it was touched");
}

#[test]
fn a_second_daemon_on_one_journal_is_told_who_is_first() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, _ready) = sandbox(folder.path());
    let address = nowhere();
    let address = address.trim_start_matches("http://");
    let named = [("[log]", "name = \"first\"\n[log]"), ("127.0.0.1:0", address)];
    let _first = program::daemon(folder.path(), &named);
    let check = |config: &str, changes: &[(&str, &str)]| {
        let text = std::fs::read_to_string(folder.path().join("segue.toml")).unwrap();
        let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
        std::fs::write(folder.path().join(config), text).unwrap();
        let output = segue(folder.path(), &KEYS).args(["check", "--config", config]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = check("second.toml", &[("name = \"first\"", "name = \"second\""), (address, "127.0.0.1:0")]);
    assert!(told.contains("warn  lease") && told.contains("first holds it"), "{told}");
    let told = check("itself.toml", &[]);
    assert!(told.contains("this daemon's own name"), "{told}");
    assert!(told.contains("ok    listen") && told.contains("a daemon answers at"), "{told}");

    // The file that a daemon read is no longer what it works by, once somebody has changed it.
    let told = check("changed.toml", &[("bake = \"3s\"", "bake = \"4s\"")]);
    assert!(told.contains("warn  listen") && told.contains("another configuration"), "{told}");
    let again = program::listen(segue(folder.path(), &KEYS).args(["serve", "--config", "itself.toml"])).end();
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains("where a Segue daemon answers already"), "{}", again.stderr);
    assert!(again.stderr.contains("stop it first"), "{}", again.stderr);

    let mut serve = segue(folder.path(), &KEYS);
    let mut waiting = program::listen(serve.args(["serve", "--config", "second.toml"]));
    let line = std::iter::from_fn(|| waiting.line()).find(|line| line.contains("waits for the lease"));
    assert!(
        line.is_some_and(|line| line.contains("first")),
        "the second daemon does not say for whom it waits"
    );
    waiting.child.kill().unwrap();
}
