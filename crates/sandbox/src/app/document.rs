//! What a board of the demo holds: how many edits there were, and the last of them.

use std::collections::VecDeque;

use segue_handover::document::Document;
use segue_handover::wire::{ClientId, Entry, Payload};
use serde::Serialize;

/// Notes that a board shows; older ones have scrolled away.
const SHOWN: usize = 20;

/// A board's content.
#[derive(Debug, Default, Serialize)]
pub struct Notes {
    edits: u64,
    last: VecDeque<Note>,
}

#[derive(Debug, Serialize)]
struct Note {
    by: ClientId,
    note: Payload,
}

impl Notes {
    /// A board on which nothing happened yet.
    pub fn empty() -> Box<dyn Document> {
        Box::new(Self::default())
    }
}

impl Document for Notes {
    fn apply(&mut self, entry: &Entry) {
        self.edits += 1;
        self.last.push_back(Note { by: entry.client.clone(), note: entry.payload.clone() });
        if self.last.len() > SHOWN {
            self.last.pop_front();
        }
    }

    fn state(&self) -> Payload {
        Payload::of(self).expect("ids and JSON are JSON")
    }

    fn size_bytes(&self) -> usize {
        self.last.iter().map(|note| note.note.as_json().len() + size_of::<Note>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::{Cseq, Seq};

    use super::*;

    #[test]
    fn a_board_counts_everything_and_shows_the_last() {
        let mut notes = Notes::default();
        for seq in 1..=25_u64 {
            let client = ClientId::parse("ann").unwrap();
            let payload = Payload::of(&seq).unwrap();
            notes.apply(&Entry { seq: Seq(seq), client, cseq: Cseq(seq), payload });
        }
        let state: serde_json::Value = notes.state().read().unwrap();
        assert_eq!((state["edits"].as_u64(), state["last"].as_array().map(Vec::len)), (Some(25), Some(20)));
        assert_eq!(state["last"][19], serde_json::json!({"by": "ann", "note": 25}));
    }
}
