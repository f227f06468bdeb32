//! Every command that README.md, or a page that leads through something, tells a reader to type is run by a test
//! (tests/readme.toml).
//!
//! A command stands in a block marked `sh`, one a line. The list says which test runs it: a test function,
//! or a line of `.ci/run` for what runs the tests themselves. It has to be there by that name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tree::{Tree, assert_none};
use super::{markdown, named_tests};

/// What is read, block by block, with a shell beside it.
const PAGES: [&str; 5] = ["README.md", "docs/chaos.md", "docs/check.md", "docs/level0.md", "docs/sandbox.md"];
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
    let list: List = match toml::from_str(tree.get(LIST).unwrap_or_default()) {
        Ok(list) => list,
        Err(error) => return vec![format!("{LIST}: {error}")],
    };
    let run: BTreeMap<&str, &RunBy> =
        list.command.iter().map(|command| (command.line.as_str(), &command.run_by)).collect();
    let shown: Vec<(&str, String)> = PAGES.into_iter().flat_map(|page| shown_in(tree, page)).collect();
    let mut findings = Vec::new();
    for (page, line) in &shown {
        match run.get(line.as_str()) {
            None => findings.push(format!("{page}: no test runs `{line}` ({LIST})")),
            Some(run_by) => {
                findings.extend(not_run(tree, line, run_by).map(|why| format!("{LIST}: `{line}`: {why}")));
            }
        }
    }
    for line in run.keys().filter(|line| !shown.iter().any(|(_, shown)| shown == *line)) {
        findings.push(format!("{LIST}: no page shows `{line}`"));
    }
    findings
}

/// The commands of a page, each with the page.
fn shown_in<'a>(tree: &Tree, page: &'a str) -> Vec<(&'a str, String)> {
    let blocks = markdown::read(tree.get(page).unwrap_or_default()).blocks;
    let lines = blocks.iter().filter(|(language, _)| language == "sh").flat_map(|(_, text)| text.lines());
    let commands = lines.map(|line| line.split(" #").next().unwrap_or_default().trim());
    commands.filter(|line| !line.is_empty()).map(|line| (page, line.to_owned())).collect()
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
fn every_command_of_the_pages_that_lead_is_run_by_a_test() {
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
            ("docs/level0.md", "```sh\nsegue go\n```\n"),
            ("tests/readme.toml", LISTED),
            (".ci/run", "make test\n"),
        ]);
        assert_eq!(
            check(&tree),
            [
                "tests/readme.toml: `make demo`: .ci/run does not run it",
                "README.md: no test runs `segue plan` (tests/readme.toml)",
                "docs/level0.md: no test runs `segue go` (tests/readme.toml)",
                "tests/readme.toml: no page shows `segue status`",
            ]
        );
    }
}
