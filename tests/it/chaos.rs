//! The daemon is killed, a new server is killed with its boards, a reply is lost, calls are throttled, Prometheus
//! is away: everything is carried to the end or all the way back, and no edit is lost.

use serde_json::Value;

use crate::clients;
use crate::program;

/// `make chaos` has the same, with more boards and people.
const SEEDS: [u32; 5] = [1, 2, 3, 4, 5];
/// The others go all the way back: the server that is killed may be one that the plan names.
const RELEASED_MIN: usize = 3;

/// How it ended.
#[track_caller]
fn survives(seed: u32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (file, records) = (folder.path().join("report.json"), folder.path().join("records"));
    let seed = seed.to_string();
    let small = ["demo", "--chaos", "--servers", "2", "--boards", "40", "--clients", "200", "--bake", "8s"];
    let written =
        ["--report", file.to_str().unwrap(), "--records", records.to_str().unwrap(), "--seed", &seed];
    let ended = program::start(&[&small[..], &written].concat()).end();
    assert_eq!(ended.code, Some(0), "seed {seed}:\n{}\n{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap();
    for path in [
        "/edits/lost",
        "/edits/duplicated",
        "/edits/out_of_order",
        "/instances/orphaned",
        "/instances/ended_with_boards",
    ] {
        assert_eq!(number(path), 0, "seed {seed}: {path} in {report:#}");
    }
    for (path, least) in [
        ("/chaos/daemon_kills", 5),
        ("/chaos/daemon_kills_in_handover", 2),
        ("/chaos/lost_replies", 1),
        ("/chaos/green_killed_with_boards", 1),
    ] {
        assert!(number(path) >= least, "seed {seed}: {path} in {report:#}");
    }
    assert!(number("/instances/launched") <= number("/at_most/launched"), "seed {seed}: {report:#}");
    let verdict = report["verdict"].as_str().unwrap();
    assert!(["released", "rolled_back"].contains(&verdict), "seed {seed}: {report:#}");
    clients::recount(&records, &file);
    verdict.to_owned()
}

#[test]
fn whatever_is_killed_a_release_ends_well_and_no_edit_is_lost() {
    let _alone = program::alone();
    let verdicts = SEEDS.map(survives);
    let released = verdicts.iter().filter(|verdict| *verdict == "released").count();
    assert!(released >= RELEASED_MIN, "{verdicts:?}");
}
