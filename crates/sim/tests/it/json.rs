//! Each command of `segue-sim` prints its figures, writes them as JSON where that is wanted, and says by its exit code
//! whether all is well: the program itself is run.

use std::path::Path;
use std::process::{Command, Output};

use segue_sim::bug::Bug;
use segue_sim::commands::shrink::shrink;
use segue_sim::happening::{At, Event, Happening};
use segue_sim::plan::Plan;
use segue_sim::script::Script;
use segue_sim::strike::Kind;
use serde_json::Value;

/// What the program said, and what it wrote.
struct Ran {
    output: Output,
    json: Value,
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let file = folder.join("figures.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue-sim"));
    let output = command.args(arguments).arg("--json").arg(&file).output().expect("the program starts");
    let text =
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
    Ran { output, json: serde_json::from_str(&text).expect("it is JSON") }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("the folder of the tests can be written to");
    folder
}

#[test]
fn every_command_writes_its_figures_as_json() {
    let folder = folder("every-command");
    let plan = folder.join("plan.json");
    let calm = serde_json::to_string(&Plan::calm(0, Script::Canary)).expect("a plan is JSON");
    std::fs::write(&plan, calm).expect("the folder can be written to");
    let plan = plan.display().to_string();
    let runs: &[(&[&str], &str, u64)] = &[
        (&["fuzz", "--from", "1", "--seeds", "3"], "runs", 3),
        (&["seed", "1"], "runs", 1),
        (&["plan", &plan], "runs", 1),
        (&["shrink", "1"], "runs", 1),
        (&["sweep", "--each", "400"], "violated", 0),
        (&["pairs", "--sample", "2"], "runs", 2),
        (&["planted", "--budget", "5", "--only", "stays-registered"], "budget", 5),
        (&["determinism", "--seeds", "2"], "seeds", 2),
        (&["scale", "--instances", "20", "--boards", "100"], "boards_moved", 100),
    ];
    for (arguments, figure, value) in runs {
        let Ran { output, json } = run(&folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(json.get(figure).and_then(Value::as_u64), Some(*value), "{arguments:?}: {json}");
        // What `shrink` prints besides the plan is not for the file that is made of it.
        let printed = if arguments.contains(&"shrink") { output.stderr } else { output.stdout };
        assert!(!printed.is_empty(), "{arguments:?} prints nothing");
    }
}

/// The seed or the plan, the moment, the operation's number and the last operations: enough to find it.
#[test]
fn a_failure_says_where_it_was() {
    let folder = folder("failure");
    let plan = folder.join("stays-registered.json");
    let failing = Plan::calm(7, Script::Full).with(&[Bug::StaysRegistered]);
    std::fs::write(&plan, serde_json::to_string(&failing).expect("a plan is JSON"))
        .expect("it can be written");
    let Ran { output, json } = run(&folder, &["plan", &plan.display().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failure = &json["failures"][0];
    assert!(failure["run"].as_str().is_some_and(|run| run.ends_with("stays-registered.json")), "{failure}");
    assert!(failure["violations"][0].as_str().is_some_and(|it| it.starts_with("S3: ")), "{failure}");
    let lately = &failure["lately"];
    assert!(lately["at_ms"].as_u64().is_some_and(|ms| ms > 0), "{failure}");
    assert!(lately["operation"].as_u64().is_some_and(|number| number > 50), "{failure}");
    assert_eq!(lately["operations"].as_array().map(Vec::len), Some(50), "{failure}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("; the last 50:") && printed.contains("Cloud::stop"), "{printed}");
}

#[test]
fn a_failing_plan_is_made_smaller_and_its_figures_are_told() {
    let seed = 7;
    let stubborn = Happening { at: At::Ms(1_000), what: Event::Stubborn };
    let failing = Plan {
        happenings: vec![stubborn; 3],
        rates: [(Kind::Slow, 50_000)].into(),
        ..Plan::calm(seed, Script::Full).with(&[Bug::StaysRegistered])
    };
    let shrunk = shrink(&failing);
    let json = serde_json::to_value(&shrunk).expect("figures are JSON");
    assert!(!shrunk.violations.is_empty() && shrunk.runs > 3, "{shrunk}");
    assert_eq!(json["strikes"].as_u64(), Some(0), "none is needed: {shrunk}");
    assert_eq!(json["happenings"].as_u64(), Some(0), "none is needed: {shrunk}");
    assert_eq!(json["plan"]["seed"].as_u64(), Some(seed), "{json}");
}

#[test]
fn the_journal_of_a_run_is_written_as_it_is_read() {
    let folder = folder("journal");
    let into = folder.join("streams");
    let Ran { output, json } = run(&folder, &["seed", "1", "--journal", &into.display().to_string()]);
    assert_eq!(json["runs"].as_u64(), Some(1), "{output:?}");
    for stream in ["release/boards-1", "service/boards"] {
        let text = std::fs::read_to_string(into.join(format!("{stream}.jsonl"))).expect("it was written");
        let records: Result<Vec<segue_journal::Record>, _> =
            text.lines().map(segue_journal::Record::from_line).collect();
        let records = records.expect("each line is a record");
        assert!(!records.is_empty(), "{stream} is empty");
        for (record, seq) in records.iter().zip(1..) {
            assert_eq!((record.stream.as_str(), record.seq), (stream, seq));
        }
    }
}
