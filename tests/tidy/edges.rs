//! Which crate may use which: the code map of docs/architecture.md, read against `cargo metadata`.
//!
//! The edges are what keeps the core free of the outside world and the stand-in free of what it stands in
//! for. An edge that a test needs is an edge too. An edge that the map allows and nobody has is a finding as
//! well: a map shows what is there.

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use super::modules;
use super::tree::{Tree, assert_none};

const PREFIX: &str = "segue-";
const DOCUMENT: &str = "docs/architecture.md";
const AWS_SDK: [&str; 3] = ["aws-sdk-", "aws-config", "aws-smithy-"];

/// A crate, what its code may use, and what its tests may use besides.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    name: String,
    may_use: BTreeSet<String>,
    tests_may_use: BTreeSet<String>,
}

/// One dependency, as a manifest states it.
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
}

/// The rows of the code map: `` | `crate` | what it is | a, b; in tests: c | ``.
fn rows(document: &str) -> Vec<Row> {
    let (_, map) = document.split_once("\n## Code map\n").unwrap_or_default();
    let (map, _) = map.split_once("\n## ").unwrap_or((map, ""));
    map.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let name = cells.next()?.strip_suffix('`')?.to_owned();
    let allowed = cells.nth(1).unwrap_or_default().trim_end_matches('|');
    let (code, tests) = allowed.split_once("in tests: ").unwrap_or((allowed, ""));
    let names = |text: &str| {
        let names = text.split(',').map(|name| name.trim_matches([' ', ';']));
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    Some(Row { name, may_use: names(code), tests_may_use: names(tests) })
}

fn check(rows: &[Row], edges: &[Edge]) -> Vec<String> {
    let refused = edges
        .iter()
        .filter_map(|edge| refuse(rows, edge).map(|why| format!("{} → {}: {why}", edge.from, edge.to)));
    let there = |from: &str, to: &str, for_tests: bool| {
        let (from, to) = (format!("{PREFIX}{from}"), format!("{PREFIX}{to}"));
        let of_kind = |edge: &&Edge| (edge.kind == DependencyKind::Development) == for_tests;
        edges.iter().filter(of_kind).any(|edge| edge.from == from && edge.to == to)
    };
    let idle = rows.iter().flat_map(|row| {
        let code = row.may_use.iter().map(move |to| (row, to, false));
        code.chain(row.tests_may_use.iter().map(move |to| (row, to, true)))
    });
    let idle = idle
        .filter(|(row, to, for_tests)| !there(&row.name, to, *for_tests))
        .map(|(row, to, _)| format!("{} → {to}: {DOCUMENT} allows it, and nobody has it", row.name));
    refused.chain(idle).collect()
}

/// Why this edge may not be, if it may not.
fn refuse(rows: &[Row], edge: &Edge) -> Option<&'static str> {
    let from = edge.from.strip_prefix(PREFIX)?;
    let Some(row) = rows.iter().find(|row| row.name == from) else {
        return Some("the crate is not in the code map");
    };
    if AWS_SDK.iter().any(|prefix| edge.to.starts_with(prefix)) && from != "aws" {
        return Some("only crates/aws names the AWS SDK");
    }
    let is_for_tests = edge.kind == DependencyKind::Development;
    match edge.to.strip_prefix(PREFIX) {
        Some(to) if row.may_use.contains(to) || (is_for_tests && row.tests_may_use.contains(to)) => None,
        // A crate's tests may switch on its own features.
        Some(to) if is_for_tests && to == from => None,
        Some(_) => Some("the code map does not allow it"),
        // The core decides; whoever reads a file, a clock or a socket does not.
        None if from == "domain" && !is_for_tests => Some("domain uses nothing but the standard library"),
        None => None,
    }
}

#[test]
fn crates_use_only_what_the_code_map_allows() {
    let mut edges = Vec::new();
    for package in modules::packages() {
        for dependency in &package.dependencies {
            edges.push(Edge {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                kind: dependency.kind,
            });
        }
    }
    assert!(edges.iter().any(|edge| edge.to == "segue-domain"), "the workspace has no edges at all");
    let rows = rows(Tree::project().get(DOCUMENT).expect("the document is there"));
    assert!(rows.len() > 5, "the code map is not where it was: {rows:?}");
    assert_none(&check(&rows, &edges));
}

#[cfg(test)]
mod planted {
    use super::*;

    const MAP: &str = "# Architecture\n\n## Code map\n\n| crate | is | may use |\n| --- | --- | --- |\n\
        | `domain` | pure | |\n| `engine` | the loop, timers | domain |\n\
        | `aws` | EC2 | domain, engine; in tests: sandbox |\n| `sandbox` | AWS in a box | |\n\n## Steps\n";

    fn edge(from: &str, to: &str, kind: DependencyKind) -> Edge {
        Edge { from: format!("segue-{from}"), to: to.to_owned(), kind }
    }

    #[track_caller]
    fn one(from: &str, to: &str, kind: DependencyKind) -> Option<&'static str> {
        refuse(&rows(MAP), &edge(from, to, kind))
    }

    #[test]
    fn the_map_is_read_row_by_row() {
        let rows = rows(MAP);
        assert_eq!(rows.len(), 4);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let aws = rows.iter().find(|row| row.name == "aws").expect("its row");
        assert_eq!((&aws.may_use, &aws.tests_may_use), (&names(&["domain", "engine"]), &names(&["sandbox"])));
    }

    #[test]
    fn an_edge_of_the_map_is_fine() {
        assert_eq!(one("engine", "segue-domain", DependencyKind::Normal), None);
        assert_eq!(one("aws", "aws-sdk-ec2", DependencyKind::Normal), None);
        assert_eq!(one("aws", "segue-sandbox", DependencyKind::Development), None);
        assert_eq!(one("domain", "proptest", DependencyKind::Development), None);
    }

    #[test]
    fn every_other_edge_is_found() {
        let not_allowed = Some("the code map does not allow it");
        assert_eq!(one("domain", "segue-engine", DependencyKind::Normal), not_allowed);
        assert_eq!(one("sandbox", "segue-aws", DependencyKind::Development), not_allowed);
        assert_eq!(one("aws", "segue-sandbox", DependencyKind::Normal), not_allowed);
        let unknown = Some("the crate is not in the code map");
        assert_eq!(one("new", "segue-domain", DependencyKind::Normal), unknown);
        assert!(one("domain", "tokio", DependencyKind::Normal).is_some());
        assert!(one("engine", "aws-sdk-ec2", DependencyKind::Normal).is_some());
        assert!(one("sandbox", "aws-config", DependencyKind::Development).is_some());
    }

    #[test]
    fn an_edge_that_nobody_has_is_found() {
        let edges = [
            edge("engine", "segue-domain", DependencyKind::Normal),
            edge("aws", "segue-domain", DependencyKind::Normal),
            edge("aws", "segue-engine", DependencyKind::Development),
            edge("aws", "segue-sandbox", DependencyKind::Development),
        ];
        assert_eq!(
            check(&rows(MAP), &edges),
            ["aws → engine: docs/architecture.md allows it, and nobody has it"]
        );
    }
}
