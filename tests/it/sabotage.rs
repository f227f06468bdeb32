//! Faults that are planted on purpose: each is in the report, and a recount by a program that shares nothing
//! with this code finds it too. What they are planted against is in the control: the same trouble, nothing planted.

use serde_json::Value;

use crate::clients;
use crate::program;

/// A small demo with its own trouble; two of them run beside each other, because nothing here is about time.
fn demo(trouble: &[&str]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (file, records) = (folder.path().join("report.json"), folder.path().join("records"));
    let small = ["demo", "--servers", "2", "--boards", "40", "--clients", "200", "--bake", "8s"];
    let written = ["--report", file.to_str().unwrap(), "--records", records.to_str().unwrap()];
    let ended = program::start(&[&small, trouble, &written].concat()).end();
    let report = std::fs::read_to_string(&file);
    let report = report.unwrap_or_else(|_| panic!("no report:\n{}\n{}", ended.stderr, ended.stdout));
    clients::recount(&records, &file);
    (ended.code, serde_json::from_str(&report).unwrap())
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} is not in {report:#}"))
}

/// The fault is found: its counter says so, and the program's exit code.
#[track_caller]
fn shows(sabotage: &str, counters: &[&str]) -> Value {
    let (code, report) = demo(&["--sabotage", sabotage]);
    assert_ne!(code, Some(0), "{sabotage} ended well: {report:#}");
    for counter in counters {
        assert!(number(&report, counter) > 0, "{sabotage} is not in {counter}: {report:#}");
    }
    report
}

fn keeps(report: &Value, counters: &[&str]) {
    for counter in counters {
        assert_eq!(number(report, counter), 0, "{counter} in {report:#}");
    }
}

const LOST: &str = "/edits/lost";
const DOUBLED: &str = "/edits/duplicated";
const OUT_OF_ORDER: &str = "/edits/out_of_order";
const ENDED: &str = "/instances/ended_with_boards";

#[test]
fn a_store_without_its_fence_lets_a_stale_server_write_and_the_report_shows_it() {
    let _alone = program::alone();
    let (unfenced, fenced) = std::thread::scope(|scope| {
        let unfenced = scope.spawn(|| shows("no-fence", &[DOUBLED, OUT_OF_ORDER]));
        let fenced = scope.spawn(|| demo(&["--freeze"]).1);
        (unfenced.join().unwrap(), fenced.join().unwrap())
    });
    keeps(&unfenced, &[ENDED]);
    keeps(&fenced, &[LOST, DOUBLED, OUT_OF_ORDER, ENDED]);
    assert!(number(&fenced, "/clients/reconnects_forced") > 0, "nobody felt the freeze: {fenced:#}");
}

#[test]
fn an_edit_that_is_not_stored_or_stored_twice_is_in_the_report() {
    let _alone = program::alone();
    let (dropped, doubled) = std::thread::scope(|scope| {
        let dropped = scope.spawn(|| shows("drop-edit", &[LOST]));
        let doubled = scope.spawn(|| shows("double-edit", &[DOUBLED]));
        (dropped.join().unwrap(), doubled.join().unwrap())
    });
    keeps(&dropped, &[DOUBLED, ENDED]);
    keeps(&doubled, &[LOST, ENDED]);
}

#[test]
fn a_server_that_is_launched_twice_is_in_the_report() {
    let _alone = program::alone();
    let report = shows("launch-twice", &["/instances/launched"]);
    let (launched, planned) = (number(&report, "/instances/launched"), number(&report, "/at_most/launched"));
    assert!(launched > planned, "{launched} were launched, {planned} were planned: {report:#}");
    keeps(&report, &["/instances/orphaned", LOST, DOUBLED, OUT_OF_ORDER, ENDED]);
}

#[test]
fn a_server_that_is_ended_with_boards_is_in_the_report() {
    let _alone = program::alone();
    std::thread::scope(|scope| {
        scope.spawn(|| shows("terminate-early", &[ENDED]));
        scope.spawn(|| shows("unknown-as-zero", &[ENDED]));
    });
}
