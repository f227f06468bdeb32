//! Everything on which a release may hold has its section in the runbook, under the code that an operator is shown, and
//! no section tells of a hold that there is not.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Arm, ItemEnum, ItemImpl, LitStr, Pat, Type};

use super::markdown;
use super::rust;
use super::tree::{Tree, assert_none};

const REASONS: &str = "crates/domain/src/decision.rs";
const CODES: &str = "crates/daemon/src/words/codes.rs";
const RUNBOOK: &str = "docs/runbook.md";
const PART: &str = "When a release is held";

/// The variants of `Reason`.
#[derive(Default)]
struct Reasons(Vec<String>);

impl<'ast> Visit<'ast> for Reasons {
    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if item.ident == "Reason" {
            self.0.extend(item.variants.iter().map(|variant| variant.ident.to_string()));
        }
    }
}

/// The code of each, from the arms of `impl Coded for Reason`.
#[derive(Default)]
struct Codes(BTreeMap<String, String>);

impl<'ast> Visit<'ast> for Codes {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let is_of_reasons = matches!(&*item.self_ty, Type::Path(of) if of.path.is_ident("Reason"));
        let is_coded = item.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Coded"));
        if is_of_reasons && is_coded {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "syn keeps its enums open; no other names a variant"
        )]
        let path = match &arm.pat {
            Pat::Struct(pattern) => &pattern.path,
            Pat::TupleStruct(pattern) => &pattern.path,
            Pat::Path(pattern) => &pattern.path,
            _ => return,
        };
        let mut literal = Literal::default();
        literal.visit_expr(&arm.body);
        if let (Some(variant), Some(code)) = (path.segments.last(), literal.0) {
            self.0.insert(variant.ident.to_string(), code);
        }
    }
}

#[derive(Default)]
struct Literal(Option<String>);

impl<'ast> Visit<'ast> for Literal {
    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.0 = Some(literal.value());
    }
}

/// The codes in brackets at the end of the headings of the part about holds.
fn sections(runbook: &str) -> Vec<String> {
    let headings = markdown::read(&part(runbook)).headings;
    let code = |heading: &String| {
        let (_, code) = heading.strip_suffix(')')?.rsplit_once('(')?;
        Some(code.to_owned())
    };
    headings.iter().filter_map(code).collect()
}

/// From its own heading to the next one as high.
fn part(runbook: &str) -> String {
    let inside = runbook.lines().skip_while(|line| line.strip_prefix("## ") != Some(PART)).skip(1);
    inside.take_while(|line| !line.starts_with("## ")).flat_map(|line| [line, "\n"]).collect()
}

fn check(tree: &Tree) -> Vec<String> {
    let parsed = |path: &str| rust::parse(path, tree.get(path).unwrap_or_default()).ok();
    let (mut reasons, mut codes) = (Reasons::default(), Codes::default());
    if let Some(file) = parsed(REASONS) {
        reasons.visit_file(&file);
    }
    if let Some(file) = parsed(CODES) {
        codes.visit_file(&file);
    }
    let sections = sections(tree.get(RUNBOOK).unwrap_or_default());
    let mut findings = Vec::new();
    for reason in &reasons.0 {
        match codes.0.get(reason) {
            None => findings.push(format!("{CODES}: says no code for `Reason::{reason}`")),
            Some(code) if !sections.contains(code) => {
                findings.push(format!("{RUNBOOK}: no section is about a hold by `{code}`"));
            }
            Some(_) => {}
        }
    }
    let is_code = |section: &&String| codes.0.values().any(|code| code == *section);
    let idle = sections.iter().filter(|section| !is_code(section));
    findings.extend(idle.map(|section| format!("{RUNBOOK}: nothing is held by `{section}`")));
    if reasons.0.is_empty() {
        findings.push(format!("{REASONS}: `Reason` is not where it was"));
    }
    findings
}

#[test]
fn every_hold_has_its_section() {
    assert_none(&check(Tree::project()));
}

#[test]
fn a_hold_without_a_section_and_a_section_without_a_hold_are_found() {
    let reasons = "pub enum Reason { Blind { why: u8 }, Bug { what: u8 }, New }";
    let codes = "impl Coded for Reason { fn code(&self) -> &'static str { match self { \
        Self::Blind { .. } => \"blind\", Self::Bug { .. } => \"bug\" } } }\n\
        impl Coded for Gate { fn code(&self) -> &'static str { match self { Self::Other => \"other\" } } }";
    let runbook = "# Runbook\n## When a release is held\n### It is blind (`blind`)\n### An old one (`old`)\n\
        ### Without a code\n## When a release asks\n### A question (`other`)\n";
    let tree = Tree::planted(&[(REASONS, reasons), (CODES, codes), (RUNBOOK, runbook)]);
    assert_eq!(
        check(&tree),
        [
            "docs/runbook.md: no section is about a hold by `bug`",
            "crates/daemon/src/words/codes.rs: says no code for `Reason::New`",
            "docs/runbook.md: nothing is held by `old`",
        ]
    );
}
