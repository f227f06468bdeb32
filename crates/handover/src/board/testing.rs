//! Small things that tests of boards need.

use std::sync::Arc;

use super::{BoardLimits, Settings};
use crate::auth::Key;
use crate::document::Document;
use crate::wire::{ClientId, Cseq, Edit, Entry, Level, Payload, ServerId};

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

pub(crate) fn settings(server: &str, level: Level, limits: BoardLimits) -> Arc<Settings> {
    Arc::new(Settings {
        server: ServerId::parse(server).expect("an id"),
        key: Key::new("the key of these tests").expect("long enough"),
        version: "1".to_owned(),
        level,
        limits,
        new_document: Arc::new(|_: &_| -> Box<dyn Document> { Box::new(TestDocument::default()) }),
    })
}
