//! The README's "By hand": its blocks are three shells, and their lines are run as they stand there.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{self, Staying};

/// The blocks marked `sh` of a section, without their last line's newline.
fn shells(readme: &str, heading: &str) -> Vec<String> {
    let (_, section) = readme.split_once(heading).expect("the README has the section");
    let section = section.split("\nTo run every check").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split_once("\n```")).map(|(lines, _)| lines.to_owned()).collect()
}

/// A shell in the folder that a reader would be in.
fn shell(folder: &Path, script: &str, daemon: Option<&str>) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(folder).stdin(Stdio::null());
    shell.envs(daemon.map(|url| ("SEGUE_DAEMON", url)));
    shell
}

/// Runs a block whose last line does not end by itself, and returns what that said when it was ready.
fn stay(folder: &Path, block: &str) -> (Staying, Value) {
    let (before, last) = block.rsplit_once('\n').expect("a block says more than one thing");
    // Whoever stays says one line on stdout; what the lines before it say is for people.
    let script = format!("{{\n{before}\n}} >&2\nexec {last}");
    program::ready(&mut shell(folder, &script, None))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_readme_by_hand_releases_and_goes_back() {
    let _alone = program::alone();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let shells = shells(&std::fs::read_to_string(readme).unwrap(), "### By hand");
    let [sandbox, daemon, you] = shells.as_slice() else { panic!("three shells, not {shells:?}") };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::create_dir(place.join("target")).unwrap();
    symlink(program::path().parent().unwrap(), place.join("target/debug")).unwrap();

    let (_sandbox, ready) = stay(place, sandbox);
    assert_eq!(ready["blue"].as_array().map(Vec::len), Some(2));
    program::change_config(place, &[]);
    let (_daemon, listening) = stay(place, daemon);
    let url = listening["listening"].as_str().unwrap();

    let (path, lines) = you.split_once('\n').expect("a block says more than one thing");
    let mut said = Vec::new();
    for line in lines.lines() {
        let Output { status, stdout, stderr } =
            shell(place, &format!("{path}\n{line}"), Some(url)).output().unwrap();
        assert_eq!(status.code(), Some(0), "{line}: {}{}", text(&stdout), text(&stderr));
        said.push((line, text(&stdout)));
    }
    let [.., (_, history), (_, journal)] = said.as_slice() else { panic!("the third shell says nothing") };
    for release in ["boards-1", "boards-2", "boards-3"] {
        assert!(history.contains(release), "{release} is not in the history: {history}");
    }
    assert!(journal.lines().count() > 20 && journal.contains("released"), "{journal}");
}
