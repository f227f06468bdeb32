//! The daemon is killed while it releases: five times at places that are named, and ten times in steps and at moments
//! that a seed draws. `make kills` does the second two hundred times.

use std::process::Command;

use serde_json::Value;

use crate::program::{self, Running, assert_nobody_noticed};

/// Waits for a line that begins so, and kills the daemon there. Answers nothing: the demo starts it again.
fn kill_at(demo: &mut Running, pid: &mut String, beginning: &str) {
    loop {
        let line = demo.line().unwrap_or_else(|| panic!("the demo ended before {beginning:?} was seen"));
        remember(&line, pid);
        if line.starts_with(beginning) {
            break;
        }
    }
    assert!(pid.parse::<u32>().is_ok_and(|pid| pid > 1), "{pid:?} is no process to kill");
    let killed = Command::new("kill").args(["-KILL", pid]).status().unwrap();
    assert!(killed.success(), "process {pid} could not be killed at {beginning:?}");
    let dead = pid.clone();
    while *pid == dead {
        let line = demo.line().expect("the demo starts the daemon again");
        remember(&line, pid);
    }
}

fn remember(line: &str, pid: &mut String) {
    if let Some((_, rest)) = line.split_once("the daemon is process ") {
        rest.split_whitespace().next().unwrap().clone_into(pid);
    }
}

#[test]
fn a_daemon_that_is_killed_five_times_loses_nothing_and_launches_nothing_twice() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut demo = program::start(&[
        "demo",
        "--servers",
        "2",
        "--boards",
        "40",
        "--clients",
        "200",
        "--bake",
        "8s",
        "--seed",
        "7",
        "--report",
        file.to_str().unwrap(),
    ]);
    let mut pid = String::new();
    kill_at(&mut demo, &mut pid, "boards-1: ");
    kill_at(&mut demo, &mut pid, "boards-1: observe");
    kill_at(&mut demo, &mut pid, "boards-2: ");
    kill_at(&mut demo, &mut pid, "boards-2: handover");
    kill_at(&mut demo, &mut pid, "boards-2: ");
    let ended = demo.end();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(report["verdict"], "released");
    assert_nobody_noticed(&report);
    assert_eq!(report["daemon"]["restarts"], 5);
    assert_eq!(report["instances"]["launched"], 4);
    assert_eq!(report["instances"]["stopped"], 2);
    assert_eq!(report["instances"]["terminated"], 0);
}

#[test]
fn ten_kills_at_random_moments_are_survived() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let small =
        ["demo", "--kills", "10", "--servers", "2", "--boards", "40", "--clients", "200", "--seed", "11"];
    let ended = program::start(&[&small[..], &["--report", file.to_str().unwrap()]].concat()).end();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(report["verdict"], "released");
    assert_nobody_noticed(&report);
    assert_eq!(report["daemon"]["killed"], 10);
    let kills = &report["kills"];
    assert_eq!(kills["followed"], 10, "after a kill nothing was decided: {report:#}");
    let by_step = kills["by_step"].as_object().unwrap();
    assert_eq!(by_step.values().filter_map(Value::as_u64).sum::<u64>(), 10, "{report:#}");
    assert!(kills["late"].as_u64().unwrap() >= 3, "too few fell where boards are at stake: {report:#}");
    assert!(report["daemon"]["first_decision_ms_max"].is_f64(), "{report:#}");
    assert_eq!(report["instances"]["launched"], 4, "one was launched twice: {report:#}");
    assert_eq!(report["instances"]["stopped"], 2);
    assert_eq!(report["instances"]["terminated"], 0);
}
