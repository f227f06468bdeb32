//! What may lie at the top of the project. A new entry is a decision, not an accident.

use std::collections::BTreeSet;

use super::tree::{Tree, assert_none};

const FOLDERS: [&str; 7] = [".ci", "ansible-roles", "crates", "deploy", "docs", "packer", "tests"];
const FILES: [&str; 10] = [
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "clippy.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

fn check(tree: &Tree) -> Vec<String> {
    let tops: BTreeSet<(&str, bool)> = tree
        .paths()
        .map(|path| path.split_once('/').map_or((path, false), |(folder, _)| (folder, true)))
        .collect();
    let is_allowed = |(name, is_folder): &(&str, bool)| match is_folder {
        true => FOLDERS.contains(name),
        false => FILES.contains(name),
    };
    tops.iter()
        .filter(|top| !is_allowed(top))
        .map(|(name, _)| format!("{name}: has no place at the top"))
        .collect()
}

#[test]
fn nothing_unexpected_lies_at_the_top() {
    assert_none(&check(Tree::project()));
}

#[test]
fn an_unexpected_entry_is_found() {
    let tree =
        Tree::planted(&[("notes.txt", ""), ("scripts/a.sh", ""), ("README.md", ""), ("crates/x/a.rs", "")]);
    assert_eq!(check(&tree), ["notes.txt: has no place at the top", "scripts: has no place at the top"]);
}
