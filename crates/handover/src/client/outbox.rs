//! The edits that a client still has to answer for: numbered without gaps, kept until durable.
//!
//! It deliberately does not know which socket an edit went to; whoever asks sends what is here.

use std::collections::VecDeque;

use crate::wire::{Cseq, Op, Payload};

/// Too many edits wait for their durable acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit} edits wait for their durable acknowledgement")]
pub struct TooManyEdits {
    pub limit: usize,
}

/// A server spoke of edits that this client never made, or asks for one that it called durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server spoke of edit {spoken}; this client has {first} to {last}")]
pub struct WrongNumber {
    pub spoken: Cseq,
    pub first: Cseq,
    pub last: Cseq,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    limit: usize,
    /// The last number given out.
    made: Cseq,
    applied: Cseq,
    durable: Cseq,
    /// `durable + 1 ..= made`.
    kept: VecDeque<Op>,
    /// The gap that was answered last. Every edit behind a gap earns its own `nack`; one answer is
    /// enough.
    answered: Option<Cseq>,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        let none = Cseq::ZERO;
        Self { limit, made: none, applied: none, durable: none, kept: VecDeque::new(), answered: None }
    }

    /// Numbers an edit and keeps it.
    pub(super) fn make(&mut self, payload: Payload) -> Result<Op, TooManyEdits> {
        if self.kept.len() >= self.limit {
            return Err(TooManyEdits { limit: self.limit });
        }
        self.made = self.made.next();
        let op = Op { cseq: self.made, payload };
        self.kept.push_back(op.clone());
        Ok(op)
    }

    /// All that is not durable, in order.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Op> {
        self.kept.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Everything up to `cseq` is in the board. Says whether that was news.
    pub(super) fn applied(&mut self, cseq: Cseq) -> Result<bool, WrongNumber> {
        self.known(cseq)?;
        let news = cseq > self.applied;
        self.applied = self.applied.max(cseq);
        self.progress(cseq);
        Ok(news)
    }

    /// Everything up to `cseq` is in the database. Says whether that was news.
    pub(super) fn durable(&mut self, cseq: Cseq) -> Result<bool, WrongNumber> {
        self.known(cseq)?;
        let news = cseq > self.durable;
        while self.kept.front().is_some_and(|op| op.cseq <= cseq) {
            self.kept.pop_front();
        }
        self.durable = self.durable.max(cseq);
        self.applied = self.applied.max(cseq);
        self.progress(cseq);
        Ok(news)
    }

    /// A server says what it has of this client as it begins to serve it.
    ///
    /// A client that has made nothing yet goes on where an earlier process of the same name ended.
    pub(super) fn begin(&mut self, durable: Cseq) -> Result<bool, WrongNumber> {
        self.answered = None;
        if self.made == Cseq::ZERO {
            (self.made, self.applied, self.durable) = (durable, durable, durable);
            return Ok(false);
        }
        self.durable(durable)
    }

    /// What to send again when the server waits for `expected`; nothing when that was just done.
    pub(super) fn gap(&mut self, expected: Cseq) -> Result<Vec<Op>, WrongNumber> {
        if expected <= self.durable || expected > self.made.next() {
            return Err(self.wrong(expected));
        }
        let news = self.answered.replace(expected) != Some(expected);
        Ok(self.kept.iter().filter(|op| news && op.cseq >= expected).cloned().collect())
    }

    fn progress(&mut self, cseq: Cseq) {
        if self.answered.is_some_and(|expected| cseq >= expected) {
            self.answered = None;
        }
    }

    fn known(&self, cseq: Cseq) -> Result<(), WrongNumber> {
        if cseq > self.made { Err(self.wrong(cseq)) } else { Ok(()) }
    }

    fn wrong(&self, spoken: Cseq) -> WrongNumber {
        WrongNumber { spoken, first: self.durable.next(), last: self.made }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(edits: u64) -> Outbox {
        let mut outbox = Outbox::new(10);
        for n in 1..=edits {
            assert_eq!(outbox.make(Payload::of(&n).unwrap()).unwrap().cseq, Cseq(n));
        }
        outbox
    }

    fn kept(outbox: &Outbox) -> Vec<u64> {
        outbox.kept().map(|op| op.cseq.get()).collect()
    }

    #[test]
    fn an_edit_is_kept_until_it_is_durable() {
        let mut outbox = outbox(3);
        assert_eq!(outbox.applied(Cseq(3)), Ok(true));
        assert_eq!(kept(&outbox), [1, 2, 3]);
        assert_eq!(outbox.durable(Cseq(2)), Ok(true));
        assert_eq!(outbox.durable(Cseq(1)), Ok(false));
        assert_eq!(kept(&outbox), [3]);
    }

    #[test]
    fn a_gap_is_answered_once_until_there_is_progress() {
        let mut outbox = outbox(4);
        let sent = |outbox: &mut Outbox| outbox.gap(Cseq(2)).unwrap().len();
        assert_eq!(sent(&mut outbox), 3);
        assert_eq!(sent(&mut outbox), 0);
        outbox.applied(Cseq(2)).unwrap();
        assert_eq!(sent(&mut outbox), 3);
    }

    #[test]
    fn a_server_that_asks_for_what_it_called_durable_is_found_out() {
        let mut outbox = outbox(3);
        outbox.durable(Cseq(2)).unwrap();
        let wrong = WrongNumber { spoken: Cseq(2), first: Cseq(3), last: Cseq(3) };
        assert_eq!(outbox.gap(Cseq(2)).err(), Some(wrong));
        assert!(outbox.durable(Cseq(4)).is_err());
    }

    #[test]
    fn a_new_process_of_an_old_client_goes_on_with_its_numbers() {
        let mut outbox = outbox(0);
        outbox.begin(Cseq(7)).unwrap();
        assert_eq!(outbox.make(Payload::of(&1).unwrap()).unwrap().cseq, Cseq(8));
    }

    #[test]
    fn the_outbox_has_a_limit() {
        let mut outbox = outbox(10);
        assert_eq!(outbox.make(Payload::of(&1).unwrap()).err(), Some(TooManyEdits { limit: 10 }));
    }
}
