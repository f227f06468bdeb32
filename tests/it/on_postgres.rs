//! Daemons whose journal is in a PostgreSQL that the test itself started.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;
use segue_tests::postgres::PASSWORD;
use serde_json::Value;

use crate::clients::said;
use crate::program::{self, Staying};

/// What is shown of a log when a test fails.
const LOG_LINES: usize = 40;

/// A daemon with a name.
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    pub(crate) log: PathBuf,
    pub(crate) process: Staying,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that stands still does not hear that it has to end.
        self.process.signal("CONT");
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(LOG_LINES).collect();
            println!(
                "{} said at last:\n{}",
                self.name,
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}

/// Starts one with a name and a journal of its own choice, on the configuration that the sandbox wrote.
pub(crate) fn daemon(folder: &Path, name: &'static str, journal: &str) -> (Daemon, Value) {
    let text = std::fs::read_to_string(folder.join("segue.toml")).unwrap();
    let own = |line: &str| match line {
        line if line.starts_with("listen = ") => format!("listen = \"127.0.0.1:0\"\nname = \"{name}\""),
        line if line.starts_with("journal = ") => {
            format!("journal = \"{journal}\"\njournal_password_file = \"segue.password\"")
        }
        // Slow enough to be met in the middle of a handover.
        line if line.starts_with("wave_boards = ") => "wave_boards = 1".to_owned(),
        line if line.starts_with("switching_at_once = ") => "switching_at_once = 1".to_owned(),
        line if line.starts_with("min_boards = ") => "min_boards = 0".to_owned(),
        line => line.replace("bake = \"10s\"", "bake = \"2s\""),
    };
    let config: Vec<_> = text.lines().map(own).collect();
    std::fs::write(folder.join(format!("{name}.toml")), config.join("\n")).unwrap();
    std::fs::write(folder.join("segue.password"), PASSWORD).unwrap();
    let log = folder.join(format!("{name}.log"));
    let (process, line) = program::ready(
        segue(folder)
            .args(["serve", "--config", &format!("{name}.toml")])
            .stderr(File::create(&log).unwrap()),
    );
    let url = line["listening"].as_str().unwrap().to_owned();
    (Daemon { name, url, log, process }, line)
}

pub(crate) fn segue(folder: &Path) -> Command {
    let mut segue = Command::new(program::path());
    let keys = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
    segue.current_dir(folder).envs(keys).env("NO_COLOR", "1").stdin(Stdio::null());
    segue
}

impl Daemon {
    pub(crate) fn asked(&self, args: &[&str]) -> Output {
        let mut segue = Command::new(program::path());
        segue.args(["--daemon", &self.url]).args(args).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn is_ready(&self) -> bool {
        program::get(&self.url, "/readyz")["ready"] == true
    }

    /// The step that a release is in, once it is in one.
    pub(crate) fn step(&self, release: &str) -> Option<String> {
        let view = program::get(&self.url, &format!("/v1/releases/{release}"));
        let steps = view["steps"].as_array()?;
        let running = steps.iter().find(|step| step["state"] == "running")?;
        Some(running["name"].as_str()?.to_owned())
    }

    /// Boards of the servers that serve.
    pub(crate) fn boards(&self) -> Option<u64> {
        let service = program::get(&self.url, "/v1/services/boards");
        let blue = service["fleets"].as_array()?.iter().find(|fleet| fleet["role"] == "blue")?;
        blue["boards"]["count"].as_u64()
    }
}

/// Every record of a release: its epoch and its time.
pub(crate) fn records(folder: &Path, journal: &str, release: &str) -> Vec<(u64, Timestamp)> {
    let args = ["journal", "show", release, "--output", "json", "--journal", journal];
    let shown = segue(folder).args(args).env("PGPASSWORD", PASSWORD).output().unwrap();
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    let lines = String::from_utf8(shown.stdout).unwrap();
    let read = |line: &str| {
        let record = &serde_json::from_str::<Value>(line).unwrap()["record"];
        (record["epoch"].as_u64().unwrap(), record["at"].as_str().unwrap().parse().unwrap())
    };
    lines.lines().map(read).collect()
}
