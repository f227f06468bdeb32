//! Each Rust file opens with what it is for; no test is switched off or expects a panic.

use super::tree::{Tree, assert_none};

/// A test that is skipped proves nothing, and one that expects a panic passes on any panic.
const FORBIDDEN_ATTRIBUTES: [&str; 2] = ["ignore", "should_panic"];

fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let first = text.lines().next().unwrap_or_default();
        let purpose = first.strip_prefix("//!").map_or("", str::trim);
        if !purpose.contains(' ') {
            findings.push(format!("{path}:1: open with `//!` and a sentence: what the file is for"));
        }
        for (number, line) in text.lines().enumerate() {
            let Some(attribute) = line.trim().strip_prefix("#[") else { continue };
            if FORBIDDEN_ATTRIBUTES.iter().any(|forbidden| attribute.starts_with(forbidden)) {
                findings.push(format!("{path}:{}: no test is ignored or expects a panic", number + 1));
            }
        }
    }
    findings
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    assert_none(&check(Tree::project()));
}

#[test]
fn a_file_without_a_purpose_is_found() {
    let tree = Tree::planted(&[
        ("src/a.rs", "//! What it is for.\n"),
        ("src/b.rs", "use std::fmt;\n"),
        ("src/c.rs", "//!\n"),
        ("src/d.rs", ""),
    ]);
    assert_eq!(check(&tree).len(), 3);
}

#[test]
fn a_test_that_is_switched_off_is_found() {
    let text = ["//! A test.", "    #[ignore = \"slow\"]", "    #[should_panic]"].join("\n");
    let findings = check(&Tree::planted(&[("src/a.rs", &text)]));
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().any(|finding| finding.starts_with("src/a.rs:2:")), "{findings:?}");
}
