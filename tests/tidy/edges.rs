//! Which crate may use which: the table of docs/architecture.md, read against `cargo metadata`.
//!
//! The edges are what keeps the core free of the outside world and the stand-in free of what it stands in
//! for. An edge that a test needs is an edge too.

use cargo_metadata::DependencyKind;

use super::modules;
use super::tree::assert_none;

const PREFIX: &str = "segue-";

/// A crate, what its code may use, and what its tests may use besides.
struct Row {
    name: &'static str,
    may_use: &'static [&'static str],
    tests_may_use: &'static [&'static str],
}

const TABLE: [Row; 12] = [
    Row { name: "domain", may_use: &[], tests_may_use: &[] },
    Row { name: "journal", may_use: &["domain"], tests_may_use: &[] },
    Row { name: "engine", may_use: &["domain", "journal"], tests_may_use: &[] },
    // Adapters are tried on the stand-in; the stand-in never knows an adapter.
    Row { name: "aws", may_use: &["domain", "engine"], tests_may_use: &["sandbox"] },
    Row { name: "handover", may_use: &[], tests_may_use: &[] },
    Row { name: "integrations", may_use: &["domain", "engine", "handover"], tests_may_use: &["sandbox"] },
    Row { name: "api", may_use: &[], tests_may_use: &[] },
    Row {
        name: "daemon",
        may_use: &["domain", "journal", "engine", "aws", "handover", "integrations", "api"],
        tests_may_use: &[],
    },
    Row { name: "sandbox", may_use: &["handover"], tests_may_use: &[] },
    Row { name: "sim", may_use: &["domain", "journal", "engine"], tests_may_use: &[] },
    Row { name: "cli", may_use: &["api", "daemon", "sandbox", "handover", "journal"], tests_may_use: &[] },
    // End to end: the product from outside, so its API and its stand-in.
    Row { name: "tests", may_use: &[], tests_may_use: &["api", "sandbox", "handover"] },
];

/// The core decides; whoever reads a file, a clock or a socket does not.
const DOMAIN_FOREIGN: &[&str] = &[];
const AWS_SDK: [&str; 3] = ["aws-sdk-", "aws-config", "aws-smithy-"];

/// One dependency, as a manifest states it.
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
}

fn check(edges: &[Edge]) -> Vec<String> {
    edges
        .iter()
        .filter_map(|edge| refuse(edge).map(|why| format!("{} → {}: {why}", edge.from, edge.to)))
        .collect()
}

/// Why this edge may not be, if it may not.
fn refuse(edge: &Edge) -> Option<&'static str> {
    let from = edge.from.strip_prefix(PREFIX)?;
    let Some(row) = TABLE.iter().find(|row| row.name == from) else {
        return Some("the crate is not in the table");
    };
    if AWS_SDK.iter().any(|prefix| edge.to.starts_with(prefix)) && from != "aws" {
        return Some("only crates/aws names the AWS SDK");
    }
    let is_for_tests = edge.kind == DependencyKind::Development;
    match edge.to.strip_prefix(PREFIX) {
        Some(to) if row.may_use.contains(&to) || (is_for_tests && row.tests_may_use.contains(&to)) => None,
        // A crate's tests may switch on its own features.
        Some(to) if is_for_tests && to == from => None,
        Some(_) => Some("the table does not allow it"),
        None if from == "domain" && !is_for_tests && !DOMAIN_FOREIGN.contains(&edge.to.as_str()) => {
            Some("domain uses nothing but the standard library")
        }
        None => None,
    }
}

#[test]
fn crates_use_only_what_the_table_allows() {
    let mut edges = Vec::new();
    for package in &modules::metadata().packages {
        for dependency in &package.dependencies {
            edges.push(Edge {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                kind: dependency.kind,
            });
        }
    }
    assert!(edges.iter().any(|edge| edge.to == "segue-domain"), "the workspace has no edges at all");
    assert_none(&check(&edges));
}

#[cfg(test)]
mod planted {
    use super::*;

    #[track_caller]
    fn one(from: &str, to: &str, kind: DependencyKind) -> Option<&'static str> {
        refuse(&Edge { from: from.to_owned(), to: to.to_owned(), kind })
    }

    #[test]
    fn an_edge_of_the_table_is_fine() {
        assert_eq!(one("segue-engine", "segue-journal", DependencyKind::Normal), None);
        assert_eq!(one("segue-aws", "aws-sdk-ec2", DependencyKind::Normal), None);
        assert_eq!(one("segue-domain", "proptest", DependencyKind::Development), None);
    }

    #[test]
    fn every_other_edge_is_found() {
        let not_allowed = Some("the table does not allow it");
        assert_eq!(one("segue-domain", "segue-engine", DependencyKind::Normal), not_allowed);
        assert_eq!(one("segue-sandbox", "segue-aws", DependencyKind::Development), not_allowed);
        assert_eq!(one("segue-aws", "segue-sandbox", DependencyKind::Normal), not_allowed);
        assert_eq!(
            one("segue-new", "segue-domain", DependencyKind::Normal),
            Some("the crate is not in the table")
        );
        assert!(one("segue-domain", "tokio", DependencyKind::Normal).is_some());
        assert!(one("segue-daemon", "aws-sdk-ec2", DependencyKind::Normal).is_some());
        assert!(one("segue-sandbox", "aws-config", DependencyKind::Development).is_some());
    }
}
