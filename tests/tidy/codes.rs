//! Every stable code that an operator can meet has its page under docs/errors, every page its code, and each
//! code a test that shows it: that names it whole, in a literal or in a snapshot.
//!
//! A code is written once, where it is given, and no list has to follow: it is a string literal in a
//! function called `code` that returns `&'static str`, or one that a declaring macro is given as
//! `… = "the-code";`, in a crate that speaks to operators.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, ItemMacro, LitStr, ReturnType, Signature, Type};

use super::markdown;
use super::rust;
use super::tree::{Tree, assert_none};

const CRATES: [&str; 4] =
    ["crates/domain/src/", "crates/engine/src/", "crates/daemon/src/", "crates/cli/src/"];
const PAGES: &str = "docs/errors/";
const INDEX: &str = "docs/errors/README.md";
const SECTIONS: [&str; 2] = ["What it means", "What to do"];

#[derive(Default)]
struct Codes {
    path: String,
    /// The code, and a file that gives it.
    found: BTreeMap<String, String>,
}

impl Codes {
    fn collect(&mut self, signature: &Signature, body: &Block) {
        if signature.ident == "code" && returns_static_str(signature) {
            let mut literals = Literals::default();
            literals.visit_block(body);
            for code in literals.found {
                self.found.insert(code, self.path.clone());
            }
        }
    }
}

impl<'ast> Visit<'ast> for Codes {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.collect(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.collect(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        let is_definition = item.ident.is_some();
        if !is_definition {
            for code in assigned(item.mac.tokens.clone()) {
                self.found.insert(code, self.path.clone());
            }
        }
    }
}

/// The literals of `= "literal";` at the top of a macro's input.
fn assigned(tokens: TokenStream) -> Vec<String> {
    let is_punct =
        |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == c);
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let triples = tokens.windows(3).filter_map(|three| match three {
        [equals, literal, end] if is_punct(equals, '=') && is_punct(end, ';') => Some(literal),
        _ => None,
    });
    triples
        .filter_map(|literal| syn::parse2::<LitStr>(literal.clone().into()).ok())
        .map(|text| text.value())
        .collect()
}

#[derive(Default)]
struct Literals {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.found.push(literal.value());
    }
}

fn returns_static_str(signature: &Signature) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return false };
    let Type::Reference(reference) = &**returned else { return false };
    let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
    is_static && matches!(&*reference.elem, Type::Path(path) if path.path.is_ident("str"))
}

fn codes(tree: &Tree) -> BTreeMap<String, String> {
    let mut codes = Codes::default();
    for (path, text) in
        tree.ending(".rs").filter(|(path, _)| CRATES.iter().any(|folder| path.starts_with(folder)))
    {
        // A file that does not parse is the module rule's finding.
        let Ok(file) = rust::parse(path, text) else { continue };
        path.clone_into(&mut codes.path);
        codes.visit_file(&file);
    }
    codes.found
}

/// Everything that a test of the product could show: what stands between double quotes in its code, and in
/// snapshots also what a scenario was refused with.
fn shown(tree: &Tree) -> BTreeSet<&str> {
    let mut shown = BTreeSet::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| !path.starts_with("tests/tidy/")) {
        let is_all_test =
            path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("/tests.rs");
        let from = if is_all_test { Some(0) } else { text.find("#[cfg(test)]") };
        let tests = from.and_then(|from| text.get(from..)).unwrap_or_default();
        // A quote within a literal is written `\"`.
        shown.extend(tests.split('"').map(|part| part.trim_end_matches('\\')));
    }
    for (_, text) in tree.ending(".snap") {
        shown.extend(text.split('"'));
        let refused = text.lines().filter_map(|line| line.trim_start().strip_prefix("refused "));
        shown.extend(refused.filter_map(|line| line.split(':').next()));
    }
    shown
}

fn check(tree: &Tree) -> Vec<String> {
    let codes = codes(tree);
    let shown = shown(tree);
    let mut findings = Vec::new();
    for (code, path) in &codes {
        if !code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            findings.push(format!("{path}: `{code}` is not kebab case"));
        }
        match tree.get(&format!("{PAGES}{code}.md")) {
            None => findings.push(format!("{path}: `{code}` has no page {PAGES}{code}.md")),
            Some(text) => findings.extend(page(code, text)),
        }
        if !shown.contains(code.as_str()) {
            findings.push(format!("{path}: `{code}` is shown by no test"));
        }
        if !tree.get(INDEX).unwrap_or_default().contains(&format!("({code}.md)")) {
            findings.push(format!("{INDEX}: does not list `{code}`"));
        }
    }
    for (path, _) in tree.ending(".md").filter(|(path, _)| *path != INDEX) {
        let Some(code) = path.strip_prefix(PAGES).and_then(|name| name.strip_suffix(".md")) else { continue };
        if !codes.contains_key(code) {
            findings.push(format!("{path}: no code of that name is given any more"));
        }
    }
    findings
}

fn page(code: &str, text: &str) -> Vec<String> {
    let headings = markdown::read(text).headings;
    let missing = SECTIONS.into_iter().filter(|section| !headings.iter().any(|heading| heading == section));
    let mut findings: Vec<String> =
        missing.map(|section| format!("{PAGES}{code}.md: has no section `{section}`")).collect();
    if headings.first().map(String::as_str) != Some(code) {
        findings.push(format!("{PAGES}{code}.md: the title is `{code}`"));
    }
    findings
}

#[test]
fn every_code_has_its_page() {
    assert_none(&check(Tree::project()));
}

#[cfg(test)]
mod planted {
    use super::*;

    const CODE: &str =
        "impl E { pub const fn code(&self) -> &'static str { match self { Self::A => \"no-ami\" } } }";
    const TEST: (&str, &str) = ("crates/daemon/tests/it/a.rs", "assert_eq!(code, \"no-ami\");");
    const PAGE: &str = "# no-ami\n## What it means\n## What to do\n";

    #[test]
    fn a_code_with_its_page_is_fine() {
        let tree = Tree::planted(&[
            ("crates/daemon/src/a.rs", CODE),
            TEST,
            ("docs/errors/no-ami.md", PAGE),
            ("docs/errors/README.md", "- [no-ami](no-ami.md)\n"),
        ]);
        assert_none(&check(&tree));
    }

    #[test]
    fn a_code_without_a_page_and_a_page_without_a_code_are_found() {
        let tree = Tree::planted(&[
            ("crates/daemon/src/a.rs", CODE),
            TEST,
            ("crates/sandbox/src/b.rs", &CODE.replace("no-ami", "InvalidAMIID")),
            ("docs/errors/old.md", "# old\n"),
        ]);
        assert_eq!(
            check(&tree),
            [
                "crates/daemon/src/a.rs: `no-ami` has no page docs/errors/no-ami.md",
                "docs/errors/README.md: does not list `no-ami`",
                "docs/errors/old.md: no code of that name is given any more",
            ]
        );
    }

    #[test]
    fn a_code_that_a_macro_is_given_is_a_code_too() {
        let text = "macro_rules! refusals { ($n:ident = $c:literal;) => {}; }\nrefusals! { A { x: u8 } = \"no-ami\"; }";
        let codes = codes(&Tree::planted(&[("crates/domain/src/a.rs", text)]));
        assert_eq!(codes.keys().collect::<Vec<_>>(), ["no-ami"]);
    }

    #[test]
    fn a_code_that_no_test_shows_is_found() {
        let pages = [("docs/errors/no-ami.md", PAGE), ("docs/errors/README.md", "- [no-ami](no-ami.md)\n")];
        let code = ("crates/daemon/src/a.rs", CODE);
        let unshown = "crates/daemon/src/a.rs: `no-ami` is shown by no test";
        for (shown_by, findings) in [
            (("crates/domain/tests/scenarios/a.snap", "> release\n  refused no-ami: there is none"), &[][..]),
            (("crates/daemon/src/b.rs", "#[cfg(test)]\nmod tests { f(\"no-ami\") }"), &[]),
            (("crates/daemon/src/b.rs", "fn f() { g(\"no-ami\") }"), &[unshown]),
            (("crates/daemon/tests/it/a.rs", "// no-ami"), &[unshown]),
        ] {
            assert_eq!(check(&Tree::planted(&[code, pages[0], pages[1], shown_by])), findings);
        }
    }

    #[test]
    fn a_page_without_advice_is_found() {
        let tree = Tree::planted(&[
            ("crates/daemon/src/a.rs", CODE),
            TEST,
            ("docs/errors/no-ami.md", "# no-ami\n## What it means\n"),
            ("docs/errors/README.md", "- [no-ami](no-ami.md)\n"),
        ]);
        assert_eq!(check(&tree), ["docs/errors/no-ami.md: has no section `What to do`"]);
    }
}
