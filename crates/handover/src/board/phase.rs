//! What a board can be, and what belongs to each.

use super::effects::Moment;
use crate::wire::{
    Connect, Digest, Entry, Epoch, MoveId, OfferAnswer, Problem, ProblemCode, SealAnswer, Seq,
};

#[derive(Debug)]
pub(super) enum Phase {
    /// A client asked for it; being claimed and read.
    Opening(Opening),
    /// Owned, takes edits.
    Serving(Serving),
    /// Owned, takes no edits until the move ends.
    Sealed(Sealing),
    /// Owned, takes no edits, on its way to nobody.
    Closing(Closing),
    /// Somebody else's; leftover clients are still connected.
    Released(Released),
    /// Prepared for a move to here.
    Standby(Standby),
    /// Not here, or not yet. May remember a move that failed.
    Absent(Absent),
    /// Nothing. It never becomes anything else.
    Gone,
}

#[derive(Debug)]
pub(super) struct Opening {
    pub(super) began: Moment,
    pub(super) step: OpeningStep,
    /// How often the row was read: others may be claiming as well.
    pub(super) tries: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpeningStep {
    Looking,
    Claiming,
    Reading { epoch: Epoch, last_seq: Seq },
}

#[derive(Debug, Default)]
pub(super) struct Serving {
    pub(super) came_by: Option<CameBy>,
    pub(super) offer: Option<Offering>,
    /// Nobody is connected; then the board closes.
    pub(super) idle_at: Option<Moment>,
    pub(super) hold: Hold,
}

/// Whether the table is known to have freed a board that is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Hold {
    #[default]
    Firm,
    /// Taking the board back.
    Reclaiming,
    /// The store did not answer; asking again then.
    Retrying { at: Moment },
}

/// The move by which a board came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CameBy {
    pub(super) move_id: MoveId,
    pub(super) epoch: Epoch,
    /// What clients were told on the old server.
    pub(super) seq: Seq,
}

#[derive(Debug, Clone)]
pub(super) struct Offering {
    pub(super) move_id: MoveId,
    pub(super) connect: Connect,
    pub(super) deadline_ms: u64,
    pub(super) until: Moment,
    pub(super) answer: OfferAnswer,
}

#[derive(Debug)]
pub(super) struct Sealing {
    pub(super) move_id: MoveId,
    /// The offer that led to the seal, for clients that come, or whose turn comes, meanwhile.
    pub(super) offer: Option<Offering>,
    pub(super) standby_seq: Option<Seq>,
    pub(super) step: SealStep,
    /// Given once, it stays.
    pub(super) answer: Option<SealAnswer>,
}

impl Sealing {
    /// Where its clients were told to attach.
    pub(super) fn offered(&self) -> Option<Connect> {
        self.offer.as_ref().map(|offer| offer.connect.clone())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealStep {
    /// Waiting for the move to end. The ttl began with the seal.
    Holding { until: Moment },
    /// Taking the board back.
    Reowning,
    /// The store did not answer; asking again then.
    Retrying { at: Moment },
}

#[derive(Debug)]
pub(super) struct Closing {
    pub(super) why: ClosingWhy,
    pub(super) step: ClosingStep,
    pub(super) tries: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosingWhy {
    /// Nobody is connected.
    Empty,
    /// The server is being emptied (level 0).
    Drained,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosingStep {
    Flushing,
    Releasing,
    Retrying { at: Moment },
}

#[derive(Debug)]
pub(super) struct Released {
    pub(super) move_id: Option<MoveId>,
    pub(super) connect: Option<Connect>,
    pub(super) close_at: Moment,
}

#[derive(Debug)]
pub(super) struct Standby {
    pub(super) move_id: MoveId,
    pub(super) from_epoch: Epoch,
    pub(super) expires: Moment,
    pub(super) began: Moment,
    pub(super) step: StandbyStep,
}

#[derive(Debug)]
pub(super) enum StandbyStep {
    /// Is the board at the epoch that the move starts from?
    ///
    /// A claim that is repeated wins again, so it must never be made from an epoch that only an earlier
    /// life of this server has seen: that life may have written under the next one.
    Looking,
    /// Warming up.
    Reading,
    Ready,
    /// Activation: reading what lies between the standby and the delta.
    Filling(Goal),
    /// Activation: the compare-and-set is under way.
    Claiming(Goal),
    /// Activation: the store did not answer; asking again then.
    Backoff(Goal, Moment),
    /// Activated by force: owned, reading the rest.
    CatchingUp(Won),
    /// The same: the store did not answer; reading again then.
    Rereading(Won, Moment),
}

/// What an activation wants to reach.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) expect: Epoch,
    /// `None`: whatever is durable.
    pub(super) final_seq: Option<Seq>,
    pub(super) delta: Vec<Entry>,
    pub(super) digest: Option<Digest>,
    pub(super) give_up_at: Moment,
}

/// A claim that won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Won {
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) give_up_at: Moment,
}

#[derive(Debug)]
pub(super) struct Absent {
    pub(super) failed: Option<FailedMove>,
    pub(super) forget_at: Moment,
}

/// Remembered for a while, so that the same call gets the same answer.
#[derive(Debug)]
pub(super) struct FailedMove {
    pub(super) move_id: MoveId,
    pub(super) problem: Problem,
}

impl Absent {
    /// Why this move failed here, if it did.
    pub(super) fn failure_of(&self, move_id: &MoveId) -> Option<&Problem> {
        self.failed.as_ref().filter(|failed| failed.move_id == *move_id).map(|failed| &failed.problem)
    }

    /// The same, unless trying again may help.
    pub(super) fn lasting_failure_of(&self, move_id: &MoveId) -> Option<&Problem> {
        self.failure_of(move_id).filter(|problem| problem.code != ProblemCode::StoreUnavailable)
    }
}
