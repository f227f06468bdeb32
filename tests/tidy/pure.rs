//! `domain` reads no file, clock, socket or environment, says nothing, and takes nothing in an order that chance gives:
//! the standard library has all of that, and `edges` sees dependencies only.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::tree::{Tree, assert_none};

const SOURCES: &str = "crates/domain/src/";
/// Modules of the standard library.
const MODULES: [&str; 5] = ["fs", "net", "env", "process", "thread"];
/// Wherever they come from. Both maps go by an order that differs from run to run.
const NAMES: [&str; 9] =
    ["HashMap", "HashSet", "SystemTime", "Instant", "println", "print", "eprintln", "eprint", "dbg"];

/// What a text uses that it may not, in the order in which it stands there.
fn forbidden(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(name) if NAMES.iter().any(|it| name == it) => found.push(name.to_string()),
            TokenTree::Ident(name) if name == "std" => {
                found.extend(modules(tokens.get(place + 1..).unwrap_or_default()));
            }
            TokenTree::Group(group) => found.extend(forbidden(group.stream())),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// The modules that follow `std`: `::fs…`, or `::{fs::…, …}`.
fn modules(after: &[TokenTree]) -> Vec<String> {
    let is_path = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let [first, second, named, ..] = after else { return Vec::new() };
    if !is_path(first) || !is_path(second) {
        return Vec::new();
    }
    let names: Vec<String> = match named {
        TokenTree::Ident(name) => vec![name.to_string()],
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let text = group.stream().to_string();
            text.split(',').filter_map(|one| one.split_whitespace().next().map(str::to_owned)).collect()
        }
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    names
        .into_iter()
        .filter(|name| MODULES.contains(&name.as_str()))
        .map(|name| format!("std::{name}"))
        .collect()
}

fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with(SOURCES)) {
        // A file that does not parse is the module rule's finding.
        let Ok(tokens) = text.parse::<TokenStream>() else { continue };
        findings.extend(forbidden(tokens).into_iter().map(|name| format!("{path}: uses {name}")));
    }
    findings
}

#[test]
fn the_core_uses_nothing_of_the_outside_world() {
    let sources = Tree::project().ending(".rs").filter(|(path, _)| path.starts_with(SOURCES));
    assert!(sources.count() > 20, "the core is not where it was");
    assert_none(&check(Tree::project()));
}

#[test]
fn whatever_reaches_outside_is_found_and_nothing_else() {
    #[track_caller]
    fn one(text: &str, expected: &[&str]) {
        let tree = Tree::planted(&[("crates/domain/src/a.rs", text), ("crates/engine/src/b.rs", text)]);
        let expected: Vec<String> =
            expected.iter().map(|name| format!("crates/domain/src/a.rs: uses {name}")).collect();
        assert_eq!(check(&tree), expected, "{text}");
    }
    one("use std::collections::{BTreeMap, BTreeSet};\nuse std::{fmt, time::Duration};", &[]);
    one("use std::collections::HashMap;", &["HashMap"]);
    one("use std::{fmt, fs::File, net};", &["std::fs", "std::net"]);
    one("fn f() { g(std::env::args(), ::std::process::id()) }", &["std::env", "std::process"]);
    one("fn f() { h(move || std::time::Instant::now()) }", &["Instant"]);
    one("fn f() { vec![println!(\"x\")] }", &["println"]);
    one("/// Like a `HashMap`, or `std::fs`.\nfn f() { g(\"SystemTime\") }", &[]);
}
