//! Every command that README.md tells a reader to type is run by a test (tests/readme.toml).
//!
//! A command stands in a block marked `sh`, one a line. The list says which test runs it: a test function,
//! or a line of `.ci/run` for what runs the tests themselves. It has to be there by that name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tree::{Tree, assert_none};
use super::{markdown, named_tests};

const README: &str = "README.md";
const LIST: &str = "tests/readme.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    command: Vec<Command>,
}

/// A command, and where it is run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    line: String,
    run_by: RunBy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunBy {
    /// `crates/x/tests/it/y.rs::name`
    Test(String),
    /// A file that holds the command itself.
    Script(String),
}

fn check(tree: &Tree) -> Vec<String> {
    let readme = tree.get(README).unwrap_or_default();
    let list: List = match toml::from_str(tree.get(LIST).unwrap_or_default()) {
        Ok(list) => list,
        Err(error) => return vec![format!("{LIST}: {error}")],
    };
    let run: BTreeMap<&str, &RunBy> =
        list.command.iter().map(|command| (command.line.as_str(), &command.run_by)).collect();
    let blocks = markdown::read(readme).blocks;
    let shown: Vec<&str> = blocks
        .iter()
        .filter(|(language, _)| language == "sh")
        .flat_map(|(_, text)| text.lines())
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect();
    let mut findings = Vec::new();
    for line in &shown {
        match run.get(line) {
            None => findings.push(format!("{README}: no test runs `{line}` ({LIST})")),
            Some(run_by) => {
                findings.extend(not_run(tree, line, run_by).map(|why| format!("{LIST}: `{line}`: {why}")));
            }
        }
    }
    for line in run.keys().filter(|line| !shown.contains(line)) {
        findings.push(format!("{LIST}: {README} does not show `{line}`"));
    }
    findings
}

/// Why the command is not run where the list says, if it is not.
fn not_run(tree: &Tree, line: &str, run_by: &RunBy) -> Option<String> {
    match run_by {
        RunBy::Test(test) => match test.split_once("::") {
            Some((file, name)) => named_tests::missing(tree, file, name),
            None => Some(format!("`{test}` is not written as FILE::NAME")),
        },
        RunBy::Script(file) => {
            let runs = tree.get(file).is_some_and(|text| text.contains(line));
            (!runs).then(|| format!("{file} does not run it"))
        }
    }
}

#[test]
fn every_command_of_the_readme_is_run_by_a_test() {
    assert_none(&check(Tree::project()));
}

#[cfg(test)]
mod planted {
    use super::*;

    const LISTED: &str = "[[command]]\nline = \"make demo\"\nrun_by = { script = \".ci/run\" }\n\
        [[command]]\nline = \"segue status\"\nrun_by = { test = \"tests/it/a.rs::shows\" }\n";

    #[test]
    fn a_command_that_a_test_runs_is_fine() {
        let tree = Tree::planted(&[
            ("README.md", "```sh\nmake demo   # all of it\nsegue status\n```\n```toml\nx = 1\n```\n"),
            ("tests/readme.toml", LISTED),
            (".ci/run", "make demo\n"),
            ("tests/it/a.rs", "#[test]\nfn shows() {}"),
        ]);
        assert_none(&check(&tree));
    }

    #[test]
    fn a_command_that_no_test_runs_is_found() {
        let tree = Tree::planted(&[
            ("README.md", "```sh\nmake demo\nsegue plan\n```\n"),
            ("tests/readme.toml", LISTED),
            (".ci/run", "make test\n"),
        ]);
        assert_eq!(
            check(&tree),
            [
                "tests/readme.toml: `make demo`: .ci/run does not run it",
                "README.md: no test runs `segue plan` (tests/readme.toml)",
                "tests/readme.toml: README.md does not show `segue status`",
            ]
        );
    }
}
