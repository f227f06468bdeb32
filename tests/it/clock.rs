//! A real release while the wall clock of the daemon's machine is set, by a library that the daemon is started with
//! (faketime). Its monotonic clock stays what it is, as on a machine whose clock is set by hand.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::clients::said;
use crate::on_postgres::segue;
use crate::program::{self, ledger, until};

/// What `make clients` installed.
fn library() -> PathBuf {
    let all = std::fs::read_dir("/usr/lib").unwrap();
    let mut all = all.map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    all.find(|it| it.exists()).expect("libfaketime is missing: run `make clients`")
}

/// From here on the daemon's wall clock is so far off.
fn set_clock(folder: &Path, off: &str) {
    // Whole at each moment: whoever reads it in between sees the one or the other.
    std::fs::write(folder.join("clock.new"), off).unwrap();
    std::fs::rename(folder.join("clock.new"), folder.join("clock")).unwrap();
}

/// The release's view, once it is in this step.
fn in_step(url: &str, step: &str) -> Value {
    until(step, || {
        let view = program::get(url, "/v1/releases/boards-2");
        let is_here =
            view["steps"].as_array()?.iter().any(|it| it["name"] == step && it["state"] == "running");
        is_here.then_some(view)
    })
}

fn waits_for_a_reading(view: &Value) -> bool {
    let steps = view["steps"].as_array();
    steps.is_some_and(|steps| steps.iter().any(|step| step["waiting"]["on_kind"] == "reading"))
}

#[test]
fn a_release_ends_well_when_the_clock_of_its_machine_is_set_in_its_middle() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let args = ["sandbox", "--fleet", "2", "--clients", "100", "--serve-config", "segue.toml"];
    let (_sandbox, ready) = program::ready(segue(place).args(args).stderr(Stdio::null()));
    program::change_config(
        place,
        &[
            ("bake = \"10s\"", "bake = \"2s\""),
            ("wave_boards = 40", "wave_boards = 1"),
            ("switching_at_once = 4", "switching_at_once = 1"),
        ],
    );
    set_clock(place, "+0");
    let (_daemon, listening) = program::ready(
        segue(place)
            .args(["serve", "--config", "segue.toml"])
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", place.join("clock"))
            .envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")])
            .stderr(Stdio::null()),
    );
    let url = listening["listening"].as_str().unwrap().to_owned();
    let asked = |args: &[&str]| {
        let output = segue(place).args(["--daemon", &url]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    };
    let counted = || program::get(&url, "/v1/services/boards")["fleets"][0]["boards"]["count"].as_u64();
    until("every board is counted", || counted().filter(|boards| *boards >= 20));
    asked(&["canary", "boards", "--version", "2", "--wait"]);
    asked(&["release", "boards"]);

    in_step(&url, "launch");
    set_clock(place, "+50");
    let moved = || program::get(&url, "/v1/releases/boards-2")["boards"]["moved"].as_u64().unwrap_or(0);
    in_step(&url, "handover");
    set_clock(place, "-50");
    let some = moved() + 3;
    until("boards that move under a clock that was set back", || (moved() >= some).then_some(()));
    // By then no server takes the signatures of its control calls any more: nothing is done, and it is said.
    set_clock(place, "-600");
    let waits = until("a wait for what cannot be read", || {
        let view = program::get(&url, "/v1/releases/boards-2");
        (waits_for_a_reading(&view) || view["state"] == "held").then_some(view)
    });
    let before = moved();
    // The daemon looks several times meanwhile.
    let mut looks = 0;
    until("looks at boards that stay", || {
        assert_eq!(moved(), before, "{waits:#}");
        looks += 1;
        (looks == 60).then_some(())
    });
    set_clock(place, "+0");
    if program::get(&url, "/v1/releases/boards-2")["state"] == "held" {
        asked(&["retry", "boards-2"]);
    }

    let ended = until("the end of the release", || {
        let view = program::get(&url, "/v1/releases/boards-2");
        (view["state"] == "closed" || view["state"] == "held").then_some(view)
    });
    assert_eq!(ended["verdict"], "released", "{ended:#}");
    assert_eq!(ended["boards"]["moved"], ended["boards"]["alive_at_close"], "{ended:#}");
    let done = ledger(ready["admin"].as_str().unwrap());
    assert_eq!(done["launches"].as_array().map(Vec::len), Some(4), "{done:#}");
    assert_eq!((&done["stopped"], &done["terminated"]), (&2.into(), &0.into()), "{done:#}");
}
