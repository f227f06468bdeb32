//! The help, word for word: it is what people read first.

use std::process::Command;

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_segue")).args(args).arg("--help").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_lists_its_commands() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn the_demo_lists_its_options() {
    insta::assert_snapshot!(help(&["demo"]));
}

#[test]
fn a_measurement_lists_its_options() {
    insta::assert_snapshot!(help(&["bench"]));
}

#[test]
fn a_release_lists_its_options() {
    insta::assert_snapshot!(help(&["release"]));
}

#[test]
fn a_check_lists_its_options() {
    insta::assert_snapshot!(help(&["check"]));
}

#[test]
fn a_plan_lists_its_options() {
    insta::assert_snapshot!(help(&["plan"]));
}

#[test]
fn an_adoption_lists_its_options() {
    insta::assert_snapshot!(help(&["adopt"]));
}
