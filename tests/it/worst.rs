//! AWS at its worst, beside which a release goes on: what it does to living sockets where its pages say nothing, what is
//! shown late, and zones without room. One demo for each, with real users, and a file that says what AWS is like.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients;
use crate::program::{self, Running, assert_nobody_noticed, until};

struct Demo {
    running: Running,
    admin: String,
    daemon: String,
    folder: TempDir,
}

/// A small one, on a sandbox that is like that.
fn demo(sandbox: &str) -> Demo {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("worst.toml"), sandbox).unwrap();
    let small = ["demo", "--servers", "2", "--boards", "40", "--clients", "200", "--bake", "8s"];
    let files =
        ["--sandbox", &file("worst.toml"), "--report", &file("report.json"), "--records", &file("records")];
    let mut running = program::start(&[&small[..], &files].concat());
    let admin = said(&mut running, "demo: its ledger and its faults are at ");
    let daemon = said(&mut running, "demo: the daemon is process ");
    let daemon = daemon.split_once(" at ").unwrap().1.to_owned();
    Demo { running, admin, daemon, folder }
}

/// What comes after these words.
fn said(running: &mut Running, words: &str) -> String {
    let mut lines = std::iter::from_fn(|| running.line());
    lines.find_map(|line| Some(line.strip_prefix(words)?.trim().to_owned())).unwrap()
}

impl Demo {
    /// The first old server fails its health checks from the full release's bake on, and the load balancer sees it.
    fn an_old_server_falls_ill(&self) {
        let began = |view: &Value| {
            let mut steps = view["steps"].as_array()?.iter();
            steps.find(|step| step["name"] == "observe" && step["state"] != "pending").map(|_| ())
        };
        until("the bake", || began(&program::get(&self.daemon, "/v1/releases/boards-2")));
        let old = program::get(&self.admin, "/admin/instances");
        let old = old["instances"].as_array().unwrap().iter().find(|it| it["version"] == "1").unwrap();
        let ill = old["id"].as_str().unwrap();
        program::fault(&self.admin, &json!({"fault": "unhealthy", "instance": ill, "for_ms": 60_000}));
        until("its health", || {
            let service = program::get(&self.daemon, "/v1/services/boards");
            let fleets = service["fleets"].as_array()?.iter();
            let mut servers = fleets.flat_map(|fleet| fleet["instances"].as_array().into_iter().flatten());
            servers.find(|it| it["id"] == ill && it["health"] == "unhealthy").map(|_| ())
        });
    }

    /// Released, each server launched and stopped once, every board moved and every edit there; counted twice.
    #[track_caller]
    fn released(self) -> Value {
        let Self { running, folder, .. } = self;
        let file = |name: &str| -> PathBuf { folder.path().join(name) };
        let ended = running.end();
        let report = std::fs::read_to_string(file("report.json"));
        let report = report.unwrap_or_else(|_| panic!("no report:\n{}\n{}", ended.stderr, ended.stdout));
        let report: Value = serde_json::from_str(&report).unwrap();
        clients::recount(&file("records"), &file("report.json"));
        assert_eq!(report["verdict"], "released", "{report:#}");
        for path in ["/edits/lost", "/edits/duplicated", "/edits/out_of_order"] {
            assert_eq!(report.pointer(path).and_then(Value::as_f64), Some(0.0), "{path} in {report:#}");
        }
        for path in ["/instances/orphaned", "/instances/ended_with_boards"] {
            assert_eq!(report.pointer(path).and_then(Value::as_u64), Some(0), "{path} in {report:#}");
        }
        let instances = &report["instances"];
        assert_eq!((&instances["launched"], &instances["stopped"]), (&4.into(), &2.into()), "{report:#}");
        assert_eq!(report["boards"]["moved"], report["boards"]["alive_on_blue_at_close"], "{report:#}");
        report
    }
}

fn forced(report: &Value) -> u64 {
    report["clients"]["reconnects_forced"].as_u64().unwrap()
}

#[test]
fn whatever_a_load_balancer_does_to_the_sockets_of_an_ill_target_or_after_the_delay_a_release_goes_on() {
    let _alone = program::alone();
    let switches = |unhealthy: &str, delay_end: &str| {
        format!("[load_balancer]\nwhen_unhealthy = \"{unhealthy}\"\nat_delay_end = \"{delay_end}\"\n")
    };
    let ill = |sandbox: String| {
        let demo = demo(&sandbox);
        demo.an_old_server_falls_ill();
        demo.released()
    };
    let (closed, kept) = std::thread::scope(|scope| {
        let closed = scope.spawn(|| ill(switches("close", "close")));
        let kept = scope.spawn(|| ill(switches("keep", "keep")));
        (closed.join().unwrap(), kept.join().unwrap())
    });
    assert!(forced(&closed) > 0, "nobody's socket was closed, so nothing is shown: {closed:#}");
    assert_nobody_noticed(&kept);
}

#[test]
fn what_is_shown_late_throttled_or_has_no_room_in_a_zone_is_noticed_by_nobody() {
    let _alone = program::alone();
    let report = demo(
        "[consistency]\nlaunch_ms = 4000\ntags_ms = 2000\ntargets_ms = 2000\n\
         [[fault]]\nfault = \"refuse_capacity\"\nzone = \"eu-west-1a\"\n\
         [[fault]]\nfault = \"throttle\"\naction = \"RunInstances\"\ncalls = 2\n",
    );
    let report = report.released();
    assert_nobody_noticed(&report);
}

#[test]
fn what_a_demo_says_itself_is_not_taken_from_its_sandboxs_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "slots = 3\n[fleet]\nversion = \"2\"\ncount = 3\n").unwrap();
    let ended = program::start(&["demo", "--sandbox", file.to_str().unwrap()]).end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("mine.toml says slots, fleet: that is the demo's own"), "{}", ended.stderr);
}
