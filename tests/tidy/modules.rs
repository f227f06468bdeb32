//! Every Rust file belongs to a module tree, and none is called `mod.rs`.
//!
//! A file that nothing includes is not compiled, not linted and not tested: it only looks like code.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use syn::{Expr, Item, ItemMod, Lit, Meta};

use super::rust;
use super::tree::{Tree, assert_none, root};

/// What is compiled: the workspace, and the fuzzer with a lock file of its own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "crates/fuzz/Cargo.toml"];

/// Whether a file is compiled into the product or only into tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Test,
    Product,
}

/// The root file of a target.
pub(crate) struct Root {
    pub(crate) path: String,
    pub(crate) used: Use,
}

/// `cargo metadata` of the workspace and of the fuzzer, which is outside of it; it needs no network.
pub(crate) fn packages() -> &'static [Package] {
    static PACKAGES: OnceLock<Vec<Package>> = OnceLock::new();
    PACKAGES.get_or_init(|| MANIFESTS.iter().flat_map(|manifest| metadata(manifest).packages).collect())
}

fn metadata(manifest: &str) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join(manifest)).no_deps();
    command.other_options(["--offline".to_owned()]);
    command.exec().expect("cargo metadata reads the workspace")
}

/// Every file that a target's root leads to, and how it is used; and the `mod` lines that lead nowhere.
pub(crate) fn reachable(tree: &Tree, roots: &[Root]) -> (BTreeMap<String, Use>, Vec<String>) {
    let mut found: BTreeMap<String, Use> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut queue: VecDeque<(String, Use, bool)> =
        roots.iter().map(|root| (root.path.clone(), root.used, true)).collect();
    while let Some((path, used, is_root)) = queue.pop_front() {
        if found.get(&path).is_some_and(|known| *known >= used) {
            continue;
        }
        let Some(text) = tree.get(&path) else {
            findings.push(format!("{path}: a target's root that does not exist"));
            continue;
        };
        found.insert(path.clone(), used);
        match rust::parse(&path, text) {
            Ok(file) => {
                let mut children = Vec::new();
                declared(&file.items, &folder_of_children(&path, is_root), used, &mut children);
                for (choices, used) in children {
                    match choices.iter().find(|choice| tree.get(choice).is_some()) {
                        Some(child) => queue.push_back((child.clone(), used, child.ends_with("/mod.rs"))),
                        None => findings.push(format!("{path}: declares a module in none of {choices:?}")),
                    }
                }
            }
            Err(finding) => findings.push(finding),
        }
    }
    (found, findings)
}

/// Where the modules that a file declares are looked for.
fn folder_of_children(path: &str, is_root: bool) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if is_root { folder.to_owned() } else { path.trim_end_matches(".rs").to_owned() }
}

/// The files that `mod x;` lines may mean, each with its use.
fn declared(items: &[Item], folder: &str, used: Use, out: &mut Vec<(Vec<String>, Use)>) {
    for item in items {
        let Item::Mod(module) = item else { continue };
        let used = if rust::is_test_only(&module.attrs) { Use::Test } else { used };
        let name = module.ident.to_string();
        match (&module.content, explicit_path(module)) {
            (Some((_, inner)), _) => declared(inner, &format!("{folder}/{name}"), used, out),
            (None, Some(path)) => out.push((vec![resolved(&format!("{folder}/{path}"))], used)),
            (None, None) => {
                out.push((vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")], used));
            }
        }
    }
}

/// The path without its steps back: `a/b/../c` is `a/c`.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn explicit_path(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(value) = &pair.value else { return None };
        let Lit::Str(text) = &value.lit else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}

pub(crate) fn roots() -> Vec<Root> {
    let base = root();
    let targets = packages().iter().flat_map(|package| &package.targets);
    targets
        .filter_map(|target| {
            let path = target.src_path.as_std_path().strip_prefix(&base).ok()?;
            let is_product = target.kind.iter().any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin));
            let used = if is_product { Use::Product } else { Use::Test };
            Some(Root { path: path.to_string_lossy().replace('\\', "/"), used })
        })
        .collect()
}

fn check(tree: &Tree, roots: &[Root]) -> Vec<String> {
    let (found, mut findings) = reachable(tree, roots);
    for (path, _) in tree.ending(".rs") {
        if path.ends_with("/mod.rs") {
            findings.push(format!("{path}: name the file after its module, beside the folder"));
        }
        if !found.contains_key(path) {
            findings.push(format!("{path}: no module tree includes it"));
        }
    }
    findings
}

#[test]
fn every_rust_file_belongs_to_a_module_tree() {
    assert_none(&check(Tree::project(), &roots()));
}

#[cfg(test)]
mod planted {
    use super::*;

    fn lib(path: &str) -> Vec<Root> {
        vec![Root { path: path.to_owned(), used: Use::Product }]
    }

    #[test]
    fn nested_inline_and_renamed_modules_are_followed() {
        let tree = Tree::planted(&[
            ("src/lib.rs", "mod a; mod inline { mod deep; } #[path = \"odd/name.rs\"] mod b;"),
            ("src/a.rs", "mod c;"),
            ("src/a/c.rs", ""),
            ("src/inline/deep.rs", ""),
            ("src/odd/name.rs", ""),
        ]);
        assert_none(&check(&tree, &lib("src/lib.rs")));
    }

    #[test]
    fn a_file_that_nothing_includes_is_found() {
        let tree = Tree::planted(&[("src/lib.rs", ""), ("src/lost.rs", "")]);
        assert_eq!(check(&tree, &lib("src/lib.rs")), ["src/lost.rs: no module tree includes it"]);
    }

    #[test]
    fn a_mod_rs_is_found() {
        let tree = Tree::planted(&[("src/lib.rs", "mod a;"), ("src/a/mod.rs", "mod b;"), ("src/a/b.rs", "")]);
        let findings = check(&tree, &lib("src/lib.rs"));
        assert_eq!(findings, ["src/a/mod.rs: name the file after its module, beside the folder"]);
    }

    #[test]
    fn a_file_used_by_product_and_tests_counts_as_product() {
        let tree = Tree::planted(&[
            ("src/lib.rs", "mod a; #[cfg(test)] mod tests;"),
            ("src/a.rs", ""),
            ("src/tests.rs", "#[path = \"../a.rs\"] mod again;"),
        ]);
        let (found, _) = reachable(&tree, &lib("src/lib.rs"));
        assert_eq!(found.get("src/tests.rs"), Some(&Use::Test));
        assert_eq!(found.get("src/a.rs"), Some(&Use::Product));
    }
}
