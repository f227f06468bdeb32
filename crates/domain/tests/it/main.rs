//! What an operator would write, what the engine decides, until the end: every file of `tests/scenarios` is
//! played on a small pure stage, and what was decided is compared with the golden text beside it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and tells what it knows nothing special about as it is"
)]

mod adopting;
mod fate;
mod foresight;
mod lanes;
mod narrate;
mod places;
mod planning;
mod reasons;
mod script;
mod setup;
mod sight;
mod stage;

use std::fs;
use std::path::Path;

use crate::reasons::{every_reason, is_reachable, name};

#[test]
fn every_scenario_goes_as_it_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut told = String::new();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "txt")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let story = script::play(&fs::read_to_string(file).unwrap());
        insta::with_settings!({ snapshot_path => &folder, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, story);
        });
        told.push_str(&story);
    }
    for reason in every_reason() {
        let word = format!("hold {}", name(&reason));
        assert_eq!(told.contains(&word), is_reachable(&reason), "whether a scenario comes to `{word}`");
    }
    for word in ["ask NoWayBack", "turn back: "] {
        assert!(told.contains(word), "no scenario comes to `{word}`");
    }
}
