//! How long a file and a function may be: limits that only go down (tests/tidy/limits.toml).
//!
//! A file's production lines are all its lines outside `#[cfg(test)]`. A function's are the lines between
//! its braces that are neither blank nor a comment, as clippy's `too_many_lines` counts them.

use serde::Deserialize;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, ItemMod, TraitItemFn};

use super::modules::{self, Root, Use};
use super::rust;
use super::tree::{Tree, assert_none};

const LIMITS: &str = "tests/tidy/limits.toml";
/// Nobody may raise a recorded limit over these.
const FILE_LINES_CEILING: usize = 500;
const FUNCTION_LINES_CEILING: usize = 70;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    file_lines: Limit,
    function_lines: Limit,
}

/// A recorded maximum, and how far below it the real one may be before the record has to follow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    max: usize,
    slack: usize,
}

/// One measured thing.
#[derive(Debug, PartialEq, Eq)]
struct Measured {
    lines: usize,
    what: String,
}

fn measure(tree: &Tree, roots: &[Root]) -> (Vec<Measured>, Vec<Measured>) {
    let (mut files, mut functions) = (Vec::new(), Vec::new());
    let (found, _) = modules::reachable(tree, roots);
    for (path, _) in found.iter().filter(|(_, used)| **used == Use::Product) {
        let text = tree.get(path).unwrap_or_default();
        // A file that does not parse is the module rule's finding.
        let Ok(file) = rust::parse(path, text) else { continue };
        let tests = file.items.iter().filter(|item| rust::is_test_only(rust::attributes(item)));
        let test_lines: usize = tests.map(rust::lines_of).map(|(first, last)| last + 1 - first).sum();
        files.push(Measured { lines: text.lines().count() - test_lines, what: path.clone() });
        let mut bodies = Bodies { path, text, found: Vec::new() };
        bodies.visit_file(&file);
        functions.append(&mut bodies.found);
    }
    (files, functions)
}

struct Bodies<'a> {
    path: &'a str,
    text: &'a str,
    found: Vec<Measured>,
}

impl Bodies<'_> {
    fn measure(&mut self, name: &syn::Ident, body: &Block) {
        let (first, last) = rust::lines_of(body);
        let inside = self.text.lines().skip(first).take(last.saturating_sub(first + 1));
        let code = inside.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        self.found.push(Measured { lines: code.count(), what: format!("{}:{first} fn {name}", self.path) });
    }
}

impl<'ast> Visit<'ast> for Bodies<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !rust::is_test_only(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

fn judge(name: &str, limit: &Limit, ceiling: usize, measured: &[Measured]) -> Vec<String> {
    let mut findings = Vec::new();
    if limit.max > ceiling {
        findings.push(format!("{LIMITS}: {name}.max is {}, it may be {ceiling} at most", limit.max));
    }
    for long in measured.iter().filter(|measured| measured.lines > limit.max) {
        findings.push(format!("{}: {} lines, {} are allowed", long.what, long.lines, limit.max));
    }
    let longest = measured.iter().map(|measured| measured.lines).max().unwrap_or(0);
    if longest + limit.slack < limit.max {
        let lower = longest + limit.slack / 2;
        findings.push(format!("{LIMITS}: the longest now has {longest} lines: lower {name}.max to {lower}"));
    }
    findings
}

#[test]
fn files_and_functions_keep_their_limits() {
    let tree = Tree::project();
    let limits: Limits = toml::from_str(tree.get(LIMITS).expect("the limits' file")).expect("limits");
    let (files, functions) = measure(tree, &modules::roots());
    let mut findings = judge("file_lines", &limits.file_lines, FILE_LINES_CEILING, &files);
    findings.extend(judge("function_lines", &limits.function_lines, FUNCTION_LINES_CEILING, &functions));
    assert_none(&findings);
}

#[cfg(test)]
mod planted {
    use super::*;

    fn lib() -> Vec<Root> {
        vec![Root { path: "src/lib.rs".to_owned(), used: Use::Product }]
    }

    #[test]
    fn tests_and_comments_do_not_count() {
        let text = "fn a() {\n    // why\n\n    b();\n    c();\n}\n\n#[cfg(test)]\nmod tests {\n    fn long() {\n        1;\n    }\n}\n";
        let (files, functions) = measure(&Tree::planted(&[("src/lib.rs", text)]), &lib());
        assert_eq!(files, [Measured { lines: 7, what: "src/lib.rs".to_owned() }]);
        assert_eq!(functions, [Measured { lines: 2, what: "src/lib.rs:1 fn a".to_owned() }]);
    }

    #[test]
    fn methods_and_defaults_of_traits_are_measured() {
        let text = "impl A {\n    fn m() {\n        1;\n    }\n}\ntrait T {\n    fn d() {\n        1;\n    }\n    fn none();\n}\n";
        let (_, functions) = measure(&Tree::planted(&[("src/lib.rs", text)]), &lib());
        assert_eq!(functions.len(), 2);
    }

    #[test]
    fn what_grows_over_its_limit_is_found() {
        let measured = [Measured { lines: 71, what: "src/lib.rs:1 fn a".to_owned() }];
        let limit = Limit { max: 70, slack: 10 };
        assert_eq!(
            judge("function_lines", &limit, 70, &measured),
            ["src/lib.rs:1 fn a: 71 lines, 70 are allowed"]
        );
    }

    #[test]
    fn a_limit_that_nothing_reaches_has_to_go_down() {
        let measured = [Measured { lines: 40, what: "src/lib.rs".to_owned() }];
        let findings = judge("file_lines", &Limit { max: 100, slack: 20 }, 500, &measured);
        assert_eq!(
            findings,
            ["tests/tidy/limits.toml: the longest now has 40 lines: lower file_lines.max to 50"]
        );
    }

    #[test]
    fn a_limit_cannot_be_raised_over_the_ceiling() {
        let measured = [Measured { lines: 600, what: "src/lib.rs".to_owned() }];
        let findings = judge("file_lines", &Limit { max: 600, slack: 20 }, 500, &measured);
        assert_eq!(findings, ["tests/tidy/limits.toml: file_lines.max is 600, it may be 500 at most"]);
    }
}
