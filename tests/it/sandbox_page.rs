//! docs/sandbox.md: its commands run as they stand there, in a shell that has `segue`, the AWS CLI, `curl` and `jq`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::clients::python;
use crate::program;

/// For one shell, in seconds.
const LIMIT_S: &str = "120";
/// Somebody else's may listen at the port that the page names.
const ANY_PORT: [(&str, &str); 1] = [("127.0.0.1:4566", "127.0.0.1:0")];

/// What stands in the page's blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sandbox.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = format!("```{language}\n");
    let found = page.split(&begin).skip(1).filter_map(|rest| rest.split_once("\n```"));
    found.map(|(text, _)| text.to_owned()).collect()
}

/// A shell in the folder, with the programs that the page takes for granted.
fn shell(folder: &Path, script: &str) -> Command {
    let programs: [PathBuf; 2] =
        [program::path().parent().unwrap().to_owned(), python().parent().unwrap().to_owned()];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("timeout");
    shell.args([LIMIT_S, "bash", "-ec", script]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    // Without what this machine's user has set for the AWS CLI.
    shell.env("HOME", folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        shell.env_remove(name);
    }
    shell
}

/// How many servers a command starts; the page's configuration has two.
fn fleet_of(line: &str) -> usize {
    let mut words = line.split_whitespace().skip_while(|word| *word != "--fleet").skip(1);
    let of_config = if line.contains("--config") { 2 } else { 0 };
    words.next().map_or(of_config, |servers| servers.parse().unwrap())
}

/// What is left of the faults at the end.
const HEALED: &str = "echo '== healed'; curl --silent --fail \"$ADMIN/admin/faults\"";

#[test]
fn every_command_of_the_sandboxs_page_does_what_the_page_says() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let [start, take, faults] = <[String; 3]>::try_from(blocks("sh")).unwrap();
    std::fs::write(place.join("sandbox.toml"), &blocks("toml")[0]).unwrap();

    for line in start.lines() {
        let line = ANY_PORT.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to));
        let (_sandbox, ready) = program::ready(&mut shell(place, &format!("exec {line}")));
        let fleet = ready["blue"].as_array().map(Vec::len);
        assert_eq!(fleet, Some(fleet_of(&line)), "{line}");
    }

    // The one that the page leaves in the background ends with the shell.
    let script = format!("trap 'kill $(jobs -p)' EXIT\n{take}\n{faults}\n{HEALED}");
    let output = shell(place, &script).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("\"InstanceId\": \"i-").count(), 2, "{said}");
    let (set, healed) = said.rsplit_once("== healed").unwrap();
    assert!(set.contains("\"throttle\"") && set.contains("RunInstances"), "{said}");
    assert!(healed.contains("[]") && !healed.contains("throttle"), "{said}");
}
