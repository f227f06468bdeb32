//! An application that knows nothing of our library, in another language, is released by the same daemon.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{clients, program};

const PEOPLE: u64 = 30;
/// How long one may be without a connection: for a busy machine.
const AWAY_MS_MAX: u64 = 5_000;

/// Two versions of the Python application, and two servers of the first.
fn sandbox_config(folder: &Path) -> String {
    let image = |version: &str| {
        let command = [clients::python(), clients::script("level0.py")];
        let env = [("VERSION", version)].map(|(key, value)| (key.to_owned(), value.into()));
        toml::Table::from_iter([
            ("version".to_owned(), version.into()),
            (
                "command".to_owned(),
                command.map(|part| toml::Value::from(part.to_str().unwrap())).to_vec().into(),
            ),
            ("env".to_owned(), toml::Table::from_iter(env).into()),
        ])
    };
    let config = toml::Table::from_iter([
        ("data_dir".to_owned(), folder.join("sandbox").to_str().unwrap().into()),
        ("images".to_owned(), vec![toml::Value::from(image("1")), image("2").into()].into()),
    ]);
    toml::to_string(&config).unwrap()
}

#[test]
fn an_application_of_eighty_lines_of_python_is_released_and_rolled_back_and_its_people_come_again() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let segue = || {
        let mut segue = Command::new(program::path());
        segue.current_dir(folder.path());
        segue
    };
    std::fs::write(folder.path().join("sandbox.toml"), sandbox_config(folder.path())).unwrap();
    let (_sandbox, ready) = program::ready(segue().args([
        "sandbox",
        "--config",
        "sandbox.toml",
        "--fleet",
        "2",
        "--serve-config",
        "segue.toml",
    ]));
    let daemon = program::daemon(folder.path(), &[("bake = \"10s\"", "bake = \"2s\"")]);
    let url = ready["load_balancer"].as_str().unwrap().replace("http://", "ws://");
    let mut people = Command::new(clients::python())
        .arg(clients::script("people.py"))
        .args([&url, &PEOPLE.to_string(), "10"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(people.stdout.take().unwrap()).lines();
    let mut said = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(said(), json!({"there": PEOPLE}));

    let stay = json!({});
    let asked_once = json!({"4012": PEOPLE});
    let journeys: [(&[&str], &str, &Value); 3] = [
        (&["canary", "boards", "--version", "2", "--wait"], "1", &stay),
        (&["release", "boards", "--wait"], "2", &asked_once),
        (&["rollback", "boards", "--wait"], "1", &asked_once),
    ];
    for (args, version, codes) in journeys {
        let output = segue().args(["--daemon", &daemon.url]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", clients::said(&output));
        writeln!(people.stdin.as_ref().unwrap()).unwrap();
        let now = said();
        assert_eq!(now["serves"], json!({version: PEOPLE}), "after {args:?}: {now}");
        assert_eq!(&now["codes"], codes, "nobody was cut off, or asked twice, by {args:?}: {now}");
        let away_ms = now["away_ms_max"].as_u64().unwrap();
        assert!(away_ms < AWAY_MS_MAX, "somebody was away for {away_ms} ms by {args:?}");
    }
    drop(people.stdin.take());
    assert!(people.wait().unwrap().success());
}
