//! Decisions are numbered without a gap, and each says what was decided and what was rejected.

use super::markdown;
use super::tree::{Tree, assert_none};

const FOLDER: &str = "docs/decisions/";
const SECTIONS: [&str; 3] = ["Problem", "Decision", "Rejected"];

fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let decisions = tree.ending(".md").filter_map(|(path, text)| Some((path.strip_prefix(FOLDER)?, text)));
    for (place, (name, text)) in decisions.enumerate() {
        let number = format!("{:04}", place + 1);
        if !name.starts_with(&format!("{number}-")) {
            findings.push(format!("{FOLDER}{name}: the next number is {number}"));
        }
        let headings = markdown::read(text).headings;
        if !headings.first().is_some_and(|title| title.starts_with(&format!("{number}. "))) {
            findings.push(format!("{FOLDER}{name}: the title begins with `{number}. `"));
        }
        for section in
            SECTIONS.into_iter().filter(|section| !headings.iter().any(|heading| heading == section))
        {
            findings.push(format!("{FOLDER}{name}: has no section `{section}`"));
        }
    }
    findings
}

#[test]
fn decisions_are_numbered_and_say_what_was_rejected() {
    assert_none(&check(Tree::project()));
}

#[test]
fn a_gap_and_a_missing_section_are_found() {
    let good = "# 0001. One\n## Problem\n## Decision\n## Rejected\n";
    let tree = Tree::planted(&[
        ("docs/decisions/0001-one.md", good),
        ("docs/decisions/0003-three.md", "# 0003. Three\n## Problem\n## Decision\n"),
    ]);
    assert_eq!(
        check(&tree),
        [
            "docs/decisions/0003-three.md: the next number is 0002",
            "docs/decisions/0003-three.md: the title begins with `0002. `",
            "docs/decisions/0003-three.md: has no section `Rejected`",
        ]
    );
}
