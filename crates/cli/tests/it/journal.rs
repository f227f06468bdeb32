//! `segue journal show` on files that are no journal. What it shows of a real one is in `tests/it/by_hand.rs`.

use std::ffi::OsStr;
use std::process::Command;

/// Exit code and what was said of a file.
fn show(file: impl AsRef<OsStr>) -> (Option<i32>, String) {
    let mut segue = Command::new(env!("CARGO_BIN_EXE_segue"));
    let output = segue.args(["journal", "show", "boards-1", "--journal"]).arg(file).output().unwrap();
    assert!(output.stdout.is_empty(), "a refusal has no data");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_journal_that_is_not_there_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let (code, said) = show(&file);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("journal.db does not exist") && said.contains("\nhint: --journal names"), "{said}");
    assert!(!file.exists());
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "no database at all, however long it may be\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let (code, said) = show(&file);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("notes.txt is not a journal") && said.contains("\nhint: "), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_database_that_is_not_there_is_named_and_an_address_that_is_none_says_why() {
    let (code, said) = show("postgres://segue@127.0.0.1:1/segue");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("postgres://segue@127.0.0.1:1/segue cannot be reached"), "{said}");
    assert!(said.contains("\nhint: ") && said.contains("PGPASSWORD"), "{said}");
    let (code, said) = show("postgres://segue:hunter2@db/segue");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("a password stands in it") && said.contains("take it out"), "{said}");
}
