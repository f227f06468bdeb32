//! `make demo` and `make test` share their dependencies: what is slow to compile is compiled once.
//!
//! Cargo unites the features of all that it builds in one run. When a test needs a feature of a crate under
//! the AWS SDK that the product does not, the SDK is built twice, which costs minutes: then the feature
//! belongs into the workspace's table (docs/decisions/0001-one-build-profile.md).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::tree::{assert_none, root};

/// Packages with their version, each with the sets of features that a run builds it with.
type Built = BTreeMap<String, BTreeSet<String>>;

fn cargo_tree(selection: &[&str]) -> Built {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["tree", "--offline", "--no-dedupe", "--prefix", "none"]);
    let output = command.args(["--format", "{p}|{f}"]).args(selection).output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree {selection:?}: {errors}");
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Built {
    let mut built = Built::new();
    for (package, features) in text.lines().filter_map(|line| line.split_once('|')) {
        let name: Vec<&str> = package.split(' ').take(2).collect();
        let features = features.trim_end_matches(" (*)");
        built.entry(name.join(" ")).or_default().insert(features.to_owned());
    }
    built
}

fn check(heavy: &Built, product: &Built, tests: &Built) -> Vec<String> {
    let shared = product.iter().filter(|(package, _)| heavy.contains_key(*package));
    shared
        .filter_map(|(package, features)| {
            let more = tests.get(package)?;
            let missing: Vec<&String> =
                features.iter().filter(|features| !more.contains(*features)).collect();
            (!missing.is_empty())
                .then(|| format!("{package}: the product has the features {missing:?}, the tests {more:?}"))
        })
        .collect()
}

#[test]
fn the_product_and_its_tests_are_built_from_the_same_crates() {
    let mut heavy = cargo_tree(&["--package", "segue-aws", "--edges", "normal"]);
    // Nothing slow is built on top of ours, so ours may differ: the tests' fakes stay out of the product.
    heavy.retain(|package, _| !package.starts_with("segue-"));
    let product = cargo_tree(&["--package", "segue-cli", "--edges", "normal"]);
    let tests = cargo_tree(&["--workspace", "--edges", "normal,dev"]);
    assert_none(&check(&heavy, &product, &tests));
}

#[test]
fn a_feature_that_only_tests_have_is_found() {
    let heavy = read("tokio v1.0.0|full\n");
    let product = read("tokio v1.0.0|full\nclap v4.0.0|std\n");
    let tests = read("tokio v1.0.0|full,test-util\nclap v4.0.0|std,derive\n");
    assert_eq!(
        check(&heavy, &product, &tests),
        ["tokio v1.0.0: the product has the features [\"full\"], the tests {\"full,test-util\"}"]
    );
}
