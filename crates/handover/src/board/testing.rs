//! Small things that tests of boards need.

use crate::document::Document;
use crate::wire::{ClientId, Cseq, Edit, Entry, Payload};

/// Keeps the numbers of its edits.
#[derive(Debug, Default)]
pub(crate) struct TestDocument {
    seqs: Vec<u64>,
}

impl Document for TestDocument {
    fn apply(&mut self, entry: &Entry) {
        self.seqs.push(entry.seq.get());
    }

    fn state(&self) -> Payload {
        Payload::of(&self.seqs).expect("numbers are JSON")
    }

    fn size_bytes(&self) -> usize {
        self.seqs.len() * 8
    }
}

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("an id")
}

pub(crate) fn edit(name: &str, cseq: u64) -> Edit {
    let payload = Payload::of(&cseq).expect("a number is JSON");
    Edit { client: client(name), cseq: Cseq(cseq), payload }
}
