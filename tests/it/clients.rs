//! Programs that share nothing with this code: Python, and a recount of the demo's records.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use segue_tests::clients;
use serde_json::Value;

pub(crate) use clients::script;

/// The interpreter with the packages of `tests/clients/requirements.txt`.
pub(crate) fn python() -> PathBuf {
    clients::program("python")
}

/// What a script said on both channels.
pub(crate) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// A demo's records, counted again, give the demo's report.
#[track_caller]
pub(crate) fn recount(records: &Path, report: &Path) {
    recount_of(records, report, "release");
}

/// The same of its `release` or its `rollback`.
#[track_caller]
pub(crate) fn recount_of(records: &Path, report: &Path, phase: &str) {
    let mut recount = Command::new(python());
    recount.arg(script("recount.py")).args([records, report]).arg(phase);
    let output = recount.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// Changes one line of a file of records.
fn edit_first(file: &Path, change: impl Fn(&mut Value)) {
    let text = std::fs::read_to_string(file).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let mut first: Value = serde_json::from_str(first).unwrap();
    change(&mut first);
    std::fs::write(file, format!("{first}\n{rest}")).unwrap();
}

#[test]
fn a_recount_of_changed_records_does_not_agree() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let user = r#"{"client":"u1","board":"b1","came_us":0,"joined_us":1,"rejoined_us":[],"left_us":null,
        "without_socket_us_max":0,"edits":[[10,20,30,1],[40,50,60,2]],"moves":[[45,48]],"seen":[],
        "disorders":0,"doubles":0,"broken":0}"#;
    std::fs::write(file("users.ndjson"), user.replace('\n', "") + "\n").unwrap();
    std::fs::write(file("boards.ndjson"), "{\"board\":\"b1\",\"log\":[[1,\"u1\",1],[2,\"u1\",2]]}\n")
        .unwrap();
    let phases = "{\"phase\":\"release\",\"at_us\":5}\n{\"phase\":\"taken\",\"at_us\":90}\n";
    std::fs::write(file("phases.ndjson"), phases).unwrap();
    let owners = "{\"at_ms\":5,\"board\":\"b1\",\"epoch\":1,\"owner\":\"i-1\"}\n\
                  {\"at_ms\":9,\"board\":\"b1\",\"epoch\":2,\"owner\":\"i-2\"}\n";
    std::fs::write(file("owners.ndjson"), owners).unwrap();
    let ends = "{\"instance_id\":\"i-1\",\"state\":\"stopping\",\"at_ms\":9}\n";
    std::fs::write(file("ends.ndjson"), ends).unwrap();
    std::fs::write(file("crowd.ndjson"), "{\"came\":1}\n").unwrap();
    std::fs::write(file("launches.ndjson"), "{\"instance_id\":\"i-1\"}\n{\"instance_id\":\"i-2\"}\n")
        .unwrap();
    let report = r#"{"edits":{"sent":2,"acknowledged":2,"stored":2,"lost":0,"duplicated":0,"out_of_order":0},
        "clients":{"came":1,"unrecorded":0,"total":1,"moved":1,"reconnects_forced":0,
            "without_socket_ms_max":0.0,"wait_ms_max":0.01},
        "stall_ms":{"p50":0.01,"p99":0.01,"max":0.01},"boards":{"total":1},
        "instances":{"launched":2,"ended_with_boards":0}}"#;
    std::fs::write(file("report.json"), report).unwrap();
    recount(folder.path(), &file("report.json"));

    let disagrees = |what: &str| {
        let output = Command::new(python())
            .arg(script("recount.py"))
            .args([folder.path(), &file("report.json")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
    };
    std::fs::write(file("launches.ndjson"), "{\"instance_id\":\"i-1\"}\n").unwrap();
    disagrees("launched: the report says 2, the records 1");
    edit_first(&file("crowd.ndjson"), |crowd| crowd["came"] = 2.into());
    disagrees("'unrecorded': 1");
    edit_first(&file("ends.ndjson"), |end| end["at_ms"] = 8.into());
    disagrees("ended_with_boards: the report says 0, the records 1");
    edit_first(&file("boards.ndjson"), |board| board["log"][1] = serde_json::json!([2, "u1", 1]));
    disagrees("'lost': 1, 'duplicated': 1");
}
