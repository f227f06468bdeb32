//! Tabs that are frozen, as browsers do with those in the background: the socket is open, and nobody answers. They are
//! waited for until `attach_deadline`, and cost the others of their boards nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::program::{self, assert_nobody_noticed};

/// The demo's `attach_deadline`.
const DEADLINE_S: f64 = 10.0;

#[test]
fn a_frozen_tab_costs_the_others_of_its_board_nothing() {
    let _alone = program::alone();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let small = ["demo", "--servers", "2", "--boards", "20", "--clients", "200", "--report"];
    let mut running = program::start(&[&small[..], &[report.to_str().unwrap()]].concat());
    let mut lines = std::iter::from_fn(|| running.line());
    let door = lines.find_map(|line| Some(line.split_once(" users join 20 boards at http://")?.1.to_owned()));
    let door = door.unwrap();
    let frozen: Vec<TcpStream> = (1..=5).map(|board| tab(&door, &format!("b{board}"))).collect();

    let ended = running.end();
    let report = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("no report:\n{}", ended.stderr));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_nobody_noticed(&report);
    let mut steps = report["steps"].as_array().unwrap().iter();
    let handover = steps.find(|step| step["name"] == "handover").unwrap()["seconds"].as_f64().unwrap();
    assert!(handover >= DEADLINE_S, "nobody was waited for: {report:#}");
    drop(frozen);
}

/// Opens a board as a browser does, and never says another word.
fn tab(door: &str, board: &str) -> TcpStream {
    let mut tab = TcpStream::connect(door).unwrap();
    write!(
        tab,
        "GET /board/{board} HTTP/1.1\r\nHost: {door}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: handover.v1\r\n\r\n"
    )
    .unwrap();
    let mut answer = [0; 12];
    tab.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    let hello = format!("{{\"t\":\"hello\",\"client\":\"frozen-{board}\"}}");
    // One masked frame of text, its mask nought.
    let mut frame = vec![0x81, 0x80 | u8::try_from(hello.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(hello.bytes());
    tab.write_all(&frame).unwrap();
    tab
}
