//! A release of simulated servers, measured.

use serde_json::Value;

use crate::program;

fn bench(args: &[&str]) -> program::Ended {
    program::start(&[&["bench"], args].concat()).end()
}

#[test]
fn a_measured_release_moves_every_board_once_and_tells_what_it_took() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    let sizes = ["--instances", "20", "--boards", "400", "--clients-per-board", "2"];
    let sizes = [&sizes[..], &["--load-balancers", "2", "--limits", "off"]].concat();
    let ended = bench(&[&sizes[..], &["--json", file.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(figures["verdict"], "released");
    assert_eq!(figures["failures"], serde_json::json!([]));
    assert_eq!((&figures["load_balancers"], &figures["limits"]), (&Value::from(2), &Value::from("off")));
    let tally = &figures["tally"];
    assert_eq!((&tally["boards"], &tally["on_one_living"]), (&Value::from(400), &Value::from(400)));
    assert_eq!(tally["by_version"], serde_json::json!({"2": 400}));
    assert_eq!(tally["by_moves"], serde_json::json!({"1": 400}));
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap_or_default();
    let told = [
        "/ticks",
        "/daemon/memory_mb_peak",
        "/daemon/cpu_s",
        "/journal/records",
        "/journal/mb",
        "/aws_calls/RunInstances",
        "/calls/boards.activate",
    ];
    for path in told {
        assert!(number(path) > 0.0, "{path} in {figures:#}");
    }
    for said in ["handover", "calls at AWS", "400 of 400 on exactly one living server"] {
        assert!(ended.stdout.contains(said), "{said:?} is not in {}", ended.stdout);
    }
}

/// The default limits. A throttle on a machine that is busy with other things (docs/bench.md) is told as a failure, and
/// nothing else may be one.
#[test]
fn under_the_limits_of_aws_every_board_is_moved_once_and_each_refusal_is_told() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    let ended = bench(&["--instances", "4", "--boards", "40", "--json", file.to_str().unwrap()]);
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&figures["verdict"], &figures["limits"]), (&Value::from("released"), &Value::from("aws")));
    assert_eq!(figures["tally"]["by_moves"], serde_json::json!({"1": 40}));
    assert_eq!(figures["tally"]["on_one_living"], 40);
    let refused = figures["aws_refused"].as_object().unwrap();
    let throttled = refused.keys().filter(|what| !what.ends_with(":DryRunOperation"));
    let throttled: Vec<&String> = throttled.collect();
    assert!(throttled.iter().all(|what| what.ends_with(":Throttling")), "{figures:#}");
    assert_eq!(figures["failures"].as_array().unwrap().len(), throttled.len(), "{figures:#}");
    assert_eq!(ended.code, Some(i32::from(!throttled.is_empty())), "{}\n{}", ended.stderr, ended.stdout);
    assert!(ended.stdout.contains("under AWS's limits"), "{}", ended.stdout);
}

#[test]
fn a_daemon_that_holds_more_than_it_may_is_a_failure() {
    let _alone = program::alone();
    let ended = bench(&["--instances", "2", "--boards", "4", "--limits", "off", "--max-memory-mb", "1"]);
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stderr, ended.stdout);
    assert!(ended.stderr.contains("at most 1 are allowed"), "{}", ended.stderr);
}
