//! A test that a document names exists: `crates/x/src/y.rs::name_of_the_test`.
//!
//! An invariant is only held while the test that holds it is there under that name.

use super::markdown;
use super::tree::{Tree, assert_none};

fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for span in markdown::read(text).spans {
            let Some((file, name)) = span.split_once(".rs::") else { continue };
            let file = format!("{file}.rs");
            findings.extend(missing(tree, &file, name).map(|why| format!("{path}: `{span}`: {why}")));
        }
    }
    findings
}

/// Why there is no such function, if there is none.
pub(crate) fn missing(tree: &Tree, file: &str, name: &str) -> Option<String> {
    let Some(text) = tree.get(file) else { return Some(format!("{file} does not exist")) };
    (!text.contains(&format!("fn {name}("))).then(|| format!("{file} has no fn {name}"))
}

#[test]
fn tests_that_documents_name_exist() {
    assert_none(&check(Tree::project()));
}

#[test]
fn a_test_that_was_renamed_is_found() {
    let tree = Tree::planted(&[
        ("docs/a.md", "`src/a.rs::holds` `src/a.rs::held` `src/b.rs::holds`\n"),
        ("src/a.rs", "fn holds() {}"),
    ]);
    assert_eq!(
        check(&tree),
        [
            "docs/a.md: `src/a.rs::held`: src/a.rs has no fn held",
            "docs/a.md: `src/b.rs::holds`: src/b.rs does not exist",
        ]
    );
}
