//! A test that a document names exists: `crates/x/src/y.rs::name_of_the_test`.
//!
//! An invariant is only held while the test that holds it is there under that name.

use std::collections::BTreeSet;

use syn::ItemFn;
use syn::visit::{self, Visit};

use super::tree::{Tree, assert_none};
use super::{markdown, rust};

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

/// Why there is no such test, if there is none.
pub(crate) fn missing(tree: &Tree, file: &str, name: &str) -> Option<String> {
    let Some(text) = tree.get(file) else { return Some(format!("{file} does not exist")) };
    let parsed = match rust::parse(file, text) {
        Ok(parsed) => parsed,
        Err(error) => return Some(error),
    };
    let mut tests = Tests { is_suite: file.contains("/contract/"), names: BTreeSet::new() };
    tests.visit_file(&parsed);
    (!tests.names.contains(name)).then(|| format!("{file} has no test {name}"))
}

/// The names of a file's tests.
struct Tests {
    /// Its public functions are the cases of a contract suite, which others call.
    is_suite: bool,
    names: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let marks = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test")
        };
        let is_case = self.is_suite && matches!(function.vis, syn::Visibility::Public(_));
        if is_case || function.attrs.iter().any(marks) {
            self.names.insert(function.sig.ident.to_string());
        }
        visit::visit_item_fn(self, function);
    }
}

#[test]
fn tests_that_documents_name_exist() {
    assert_none(&check(Tree::project()));
}

#[test]
fn a_test_that_was_renamed_is_found() {
    let tree = Tree::planted(&[
        (
            "docs/a.md",
            "`src/a.rs::holds` `src/a.rs::held` `src/a.rs::helps` `src/b.rs::holds` `x/contract/c.rs::case`\n",
        ),
        ("src/a.rs", "#[tokio::test]\nasync fn holds() {}\n// fn held() {}\nfn helps() {}\n"),
        ("x/contract/c.rs", "pub async fn case() {}\n"),
    ]);
    assert_eq!(
        check(&tree),
        [
            "docs/a.md: `src/a.rs::held`: src/a.rs has no test held",
            "docs/a.md: `src/a.rs::helps`: src/a.rs has no test helps",
            "docs/a.md: `src/b.rs::holds`: src/b.rs does not exist",
        ]
    );
}
