//! A record of the journal under the hash that fits it: its line is the line that was read, and what it says is the
//! same when this version writes it down and reads it again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segue_journal::Record;
use sha2::{Digest, Sha256};

fuzz_target!(|text: &str| {
    let line = format!("{{\"hash\":\"{}\",\"record\":{text}}}", hex::encode(Sha256::digest(text)));
    let Ok(record) = Record::from_line(&line) else { return };
    assert_eq!(record.line(), line);
    let anew = record.written_anew().expect("what was read can be written");
    let anew = Record::from_line(&anew.line()).expect("what was written can be read");
    assert_eq!((&anew.stream, anew.seq, anew.epoch), (&record.stream, record.seq, record.epoch));
    assert_eq!((anew.at, &anew.actor, anew.via), (record.at, &record.actor, record.via));
    assert_eq!((&anew.reason, anew.prev_hash), (&record.reason, record.prev_hash));
    assert_eq!(anew.fact, record.fact);
});
