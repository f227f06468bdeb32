//! Only the engine appends to the journal (docs/architecture.md, invariant 2).
//!
//! `Store::append` takes an `Append`: a crate whose code never names one writes nothing. Other crates read the same
//! journal, and the type of a `Store` alone does not keep them from more.

use syn::visit::{self, Visit};
use syn::{ItemMod, UseTree};

use super::rust;
use super::tree::{Tree, assert_none};

/// Besides the journal itself: the simulation wraps a store, and is never shipped.
const WRITERS: [&str; 3] = ["crates/engine/", "crates/journal/", "crates/sim/"];
const JOURNAL: &str = "segue_journal";
const WRITTEN: [&str; 2] = ["Append", "StreamAppend"];

fn check(tree: &Tree) -> Vec<String> {
    let ours = |path: &str| path.starts_with("crates/") && path.contains("/src/");
    let code = tree.ending(".rs").filter(|(path, _)| ours(path));
    let readers = code.filter(|(path, _)| !WRITERS.iter().any(|writer| path.starts_with(writer)));
    readers.flat_map(|(path, text)| names(path, text)).collect()
}

fn names(path: &str, text: &str) -> Vec<String> {
    let file = match rust::parse(path, text) {
        Ok(file) => file,
        Err(error) => return vec![error],
    };
    let mut named = Named::default();
    named.visit_file(&file);
    named.found.into_iter().map(|name| format!("{path}: {JOURNAL}::{name} is the engine's to name")).collect()
}

/// What code names of the journal that only who appends needs.
#[derive(Default)]
struct Named {
    found: Vec<String>,
}

impl Named {
    /// What a `use` takes below a path that leads into the journal.
    fn take(&mut self, used: &UseTree, is_in_journal: bool) {
        match used {
            UseTree::Path(path) => self.take(&path.tree, is_in_journal || path.ident == JOURNAL),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.take(item, is_in_journal)),
            UseTree::Name(name) if is_in_journal => self.note(&name.ident.to_string()),
            UseTree::Rename(name) if is_in_journal => self.note(&name.ident.to_string()),
            // Under another name nobody would find it.
            UseTree::Rename(name) if name.ident == JOURNAL => {
                self.found.push(format!("* as {}", name.rename));
            }
            UseTree::Glob(_) if is_in_journal => self.found.push("*".to_owned()),
            UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {}
        }
    }

    fn note(&mut self, name: &str) {
        if WRITTEN.contains(&name) {
            self.found.push(name.to_owned());
        }
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !rust::is_test_only(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take(&item.tree, false);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == JOURNAL) {
            segments.for_each(|segment| self.note(&segment.ident.to_string()));
        }
        visit::visit_path(self, path);
    }
}

#[test]
fn only_the_engine_appends_to_the_journal() {
    assert_none(&check(Tree::project()));
}

#[test]
fn whoever_else_names_what_is_appended_is_found() {
    let tree = Tree::planted(&[
        ("crates/engine/src/a.rs", "use segue_journal::Append;\n"),
        ("crates/cli/src/a.rs", "use segue_journal::{Record, append::{Append as It, Appended}};\n"),
        ("crates/cli/src/b.rs", "fn a() { segue_journal::StreamAppend::default(); }\n"),
        ("crates/cli/src/c.rs", "use segue_journal::*;\nuse segue_journal as j;\n"),
        (
            "crates/cli/src/d.rs",
            "use other::Append;\n#[cfg(test)] mod tests { use segue_journal::Append; }\n",
        ),
        ("crates/cli/tests/it.rs", "use segue_journal::Append;\n"),
    ]);
    let found = check(&tree);
    let ends = ["Append", "StreamAppend", "*", "* as j"];
    assert_eq!(found.len(), ends.len(), "{found:#?}");
    for (finding, end) in found.iter().zip(ends) {
        assert!(finding.contains(&format!("segue_journal::{end} is")), "{found:#?}");
    }
}
