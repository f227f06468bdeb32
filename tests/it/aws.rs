//! AWS as others know it: the AWS CLI and boto3 on the sandbox, and moto beside it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use segue_tests::clients::Moto;
use serde_json::Value;

use crate::clients::{python, said, script};
use crate::program::{self, Staying};

/// Times at which nobody has to wait.
const QUICK: &str = "[instances]\nboot_ms = 100\n[load_balancer]\nderegistration_delay_s = 0\n";
/// Times at which the first look comes before anything has changed.
const SLOW: &str = "[instances]\nboot_ms = 3000\n[load_balancer]\nderegistration_delay_s = 300\n\
                    [health]\ninterval_ms = 10000\n";

/// With seven images, so that a listing of them has pages.
fn sandbox(folder: &Path, program: &[&str], times: &str) -> (Staying, Value) {
    let mut config = times.to_owned();
    for version in 1..=7 {
        let env = format!("{{ VERSION = \"{version}\" }}");
        let image = format!("[[images]]\nversion = \"{version}\"\ncommand = {program:?}\nenv = {env}\n");
        config += &image;
    }
    std::fs::write(folder.join("sandbox.toml"), config).unwrap();
    program::ready(
        Command::new(program::path()).args(["sandbox", "--config", "sandbox.toml"]).current_dir(folder),
    )
}

/// What a script says on stdout, given these lines.
fn told(name: &str, lines: &[&Value]) -> Value {
    let mut child = Command::new(python())
        .arg(script(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for line in lines {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The operations that a source text begins at an SDK's client, by AWS's names, and how many calls are sent.
fn calls_in(source: &str) -> (Vec<String>, usize) {
    let shipped = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let at_client = shipped.split("client").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('.'));
    let begun = at_client.filter_map(|rest| rest.split_once("()").map(|(operation, _)| operation));
    let is_name = |operation: &&str| operation.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (begun.filter(is_name).map(camel_case).collect(), shipped.matches(".send()").count())
}

/// `run_instances` as AWS writes it: `RunInstances`.
fn camel_case(operation: &str) -> String {
    let words = operation.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

/// Every call that `crates/aws` makes, by AWS's names.
fn calls_of_segue() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aws/src");
    let mut calls = BTreeSet::new();
    for file in sources(&folder).into_iter().filter(|file| !file.starts_with(folder.join("contracts"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        if file.ends_with("contracts.rs") {
            continue;
        }
        let (begun, sent) = calls_in(&text);
        assert_eq!(begun.len(), sent, "{}: each call that is begun is sent", file.display());
        calls.extend(begun);
    }
    assert!(calls.contains("RunInstances") && calls.len() > 10, "{calls:?}");
    calls
}

#[track_caller]
fn assert_all_were_made(made: &Value, by: &str) {
    let made: BTreeSet<String> = serde_json::from_value(made.clone()).unwrap();
    let missing: Vec<_> = calls_of_segue().difference(&made).cloned().collect();
    assert!(missing.is_empty(), "Segue calls {missing:?}, which {by} does not try on the sandbox");
}

#[test]
fn a_call_in_the_source_is_found_by_its_operation() {
    let source = "ec2.client.stop_instances().dry_run(true).send();\nlet b = client\n    .modify_rule();\n\
                  b.send();\nclient: Client,\nc.send()\n#[cfg(test)]\nmod tests { client.other().send() }";
    let (begun, sent) = calls_in(source);
    assert_eq!((begun, sent), (vec!["StopInstances".to_owned(), "ModifyRule".to_owned()], 3));
}

#[test]
fn boto3_makes_every_call_of_segue_with_its_waiters_and_paginators() {
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, ready) = sandbox(folder.path(), &["segue", "demo-app"], QUICK);
    assert_all_were_made(&told("aws_calls.py", &[&ready]), "tests/clients/aws_calls.py");
}

#[test]
fn the_aws_cli_makes_every_call_of_segue_with_its_waiters_and_paginators() {
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, ready) = sandbox(folder.path(), &["segue", "demo-app"], QUICK);
    assert_all_were_made(&told("aws_cli.py", &[&ready]), "tests/clients/aws_cli.py");
}

/// The rows of the table of differences in docs/moto.md, as cells.
fn table() -> Vec<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/moto.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| call")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn moto_and_the_sandbox_differ_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let (_sandbox, ready) = sandbox(folder.path(), &["sleep", "600"], SLOW);
    let (_moto, created) = Moto::start();
    let created: Value = serde_json::from_slice(&created).unwrap();
    let told: Vec<[String; 3]> =
        serde_json::from_value(told("moto_differences.py", &[&created, &ready])).unwrap();
    let rows = table();
    let written: Vec<&[String]> = rows.iter().map(|row| &row[..3]).collect();
    assert_eq!(written, told, "the table in docs/moto.md against what the two answer");
    for row in &rows {
        assert_ne!(row[1], row[2], "both answer alike: {row:?}");
        assert!(["moto", "sandbox"].contains(&row[3].as_str()), "which one is like AWS? {row:?}");
        assert!(row[4].contains("(https://docs.aws.amazon.com/"), "by which page? {row:?}");
    }
}
