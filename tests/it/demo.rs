//! A canary, a full release and a rollback on one running system, under live users.

use serde_json::Value;

use crate::clients;
use crate::program::{self, assert_nobody_noticed};

#[test]
fn a_canary_a_full_release_and_a_rollback_go_unnoticed() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let (file, records) = (folder.path().join("report.json"), folder.path().join("records"));
    let demo = program::start(&[
        "demo",
        "--servers",
        "2",
        "--boards",
        "40",
        "--clients",
        "200",
        "--bake",
        "8s",
        "--rollback",
        "--report",
        file.to_str().unwrap(),
        "--records",
        records.to_str().unwrap(),
    ]);
    let ended = demo.end();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(report["verdict"], "released");
    assert_eq!(report["canary"]["verdict"], "passed");
    assert_nobody_noticed(&report);
    clients::recount(&records, &file);
    assert_eq!(report["instances"]["launched"], 4, "two were there, the canary and one more were launched");
    assert_eq!(report["instances"]["stopped"], 2, "the old servers are kept");
    assert_eq!(report["daemon"]["restarts"], 0);
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let all = [
        "resolve",
        "preflight",
        "launch",
        "configure",
        "warm",
        "admit",
        "observe",
        "close",
        "handover",
        "retire",
        "announce",
    ];
    assert_eq!(steps, all);

    clients::recount_of(&records, &file, "rollback");
    let back = &report["rollback"];
    assert_eq!(back["verdict"], "released");
    assert_nobody_noticed(back);
    assert_eq!(back["instances"]["launched"], 4, "a rollback launches nothing");
    assert!(back["seconds"].as_f64().unwrap() < 60.0, "{back:#}");
    assert!(ended.stdout.contains("the rollback"), "{}", ended.stdout);
}
