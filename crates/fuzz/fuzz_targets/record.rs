//! A record of the journal under the hash that fits it: what is read is written again as the same line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segue_journal::Record;
use sha2::{Digest, Sha256};

fuzz_target!(|text: &str| {
    let line = format!("{{\"hash\":\"{}\",\"record\":{text}}}", hex::encode(Sha256::digest(text)));
    let Ok(record) = Record::from_line(&line) else { return };
    assert_eq!(record.line(), line);
    assert_eq!(Record::from_line(&record.line()), Ok(record));
});
