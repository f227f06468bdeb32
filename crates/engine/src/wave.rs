//! Carrying out a wave: boards go from old servers to new ones by the handover contract.
//!
//! Guarantees: what is true is read from both sides first, so a wave that was cut off at any line is simply
//! carried out again: what has moved stays moved, what is sealed is finished or called off, the rest begins.
//! Nothing is sealed unless its standby was seen in the same poll. A board that stays is an exception with its
//! reason; the next wave takes it again.
//!
//! Assumptions: every call is idempotent by move; a sealed board that hears nothing re-opens by itself.
//!
//! If killed here: ttls clean up on both sides, and the next wave reads what is true.

mod attach;
mod sides;
mod standing;
mod switch;

use std::sync::{Mutex, PoisonError};

use segue_domain::effect::MoveWave;
use segue_domain::moves::{Move, MoveException, WaveResult};

use crate::book::AddressBook;
use crate::outside::Outside;
use crate::ports::{CallError, EndOf, MoveItem, brief};

use sides::Sides;
use standing::Standing;
use switch::Ready;

/// The longest reason for which a board stays.
const WHY_MAX_BYTES: usize = 300;

/// One wave while it is carried out.
pub(crate) struct Carrying<'a> {
    outside: &'a Outside,
    effect: &'a MoveWave,
    sides: Sides<'a>,
    tally: Mutex<Tally<'a>>,
}

/// What became of the moves so far.
#[derive(Default)]
struct Tally<'a> {
    result: WaveResult,
    released: Vec<&'a Move>,
    aborted: Vec<&'a Move>,
}

/// Carries a wave out. It fails as a whole only when the lease ends under it, or nobody on either side answers:
/// then nothing is known, and the world is looked at again.
pub(crate) async fn carry(
    outside: &Outside,
    book: &AddressBook,
    effect: &MoveWave,
) -> Result<WaveResult, CallError> {
    let _turn = outside.wave_turn()?;
    let carrying = Carrying {
        outside,
        effect,
        sides: Sides::new(outside, book, &effect.wave.moves),
        tally: Mutex::default(),
    };
    let begin = carrying.sort_out().await?;
    // Their clients are waiting already.
    carrying.switch_all(begin.sealed).await;
    carrying.attach_and_switch(begin.fresh).await?;
    carrying.say_the_end().await;
    carrying.still_ours()?;
    Ok(carrying.tally.into_inner().unwrap_or_else(PoisonError::into_inner).result)
}

/// Moves that are still to be done.
struct Begin<'a> {
    fresh: Vec<&'a Move>,
    sealed: Vec<Ready<'a>>,
}

impl<'a> Carrying<'a> {
    /// Reads both sides and says of each move where it stands. Old servers are read before new ones: a board
    /// that has left its old server by then is seen on the new one.
    async fn sort_out(&self) -> Result<Begin<'a>, CallError> {
        let old = self.sides.read_old().await;
        let new = self.sides.read_new().await;
        if old.is_blind() && new.is_blind() {
            return Err(CallError::unknown("no server on either side answers"));
        }
        let mut begin = Begin { fresh: Vec::new(), sealed: Vec::new() };
        for one in &self.effect.wave.moves {
            match standing::of(one, &old, &new) {
                Standing::Fresh => begin.fresh.push(one),
                Standing::SealedWithStandby { clients } => {
                    begin.sealed.push(Ready { one, clients, standby_ends: None });
                }
                Standing::Activated { clients } => self.moved(one, clients),
                Standing::Gone => self.gone(),
                Standing::SealedAlone => self.called_off(one, "it was sealed and nobody was ready for it"),
                Standing::Unclear(why) => self.stayed(one, why),
            }
        }
        Ok(begin)
    }

    /// Both sides are told how each move ended. What is not told ends by its ttl.
    async fn say_the_end(&self) {
        let (released, aborted) = {
            let mut tally = self.tally();
            (std::mem::take(&mut tally.released), std::mem::take(&mut tally.aborted))
        };
        self.sides.end(&released, EndOf::Release).await;
        self.sides.end(&aborted, EndOf::Abort).await;
    }

    /// The lease has not run out under this wave.
    fn still_ours(&self) -> Result<(), CallError> {
        if self.outside.term.outlasts(std::time::Duration::ZERO) {
            return Ok(());
        }
        Err(CallError::unknown("the lease ended during the wave"))
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally<'a>> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, one: &'a Move, clients: u64) {
        let mut tally = self.tally();
        tally.result.boards_moved += 1;
        let clients = u32::try_from(clients).unwrap_or(u32::MAX);
        tally.result.clients_moved = tally.result.clients_moved.saturating_add(clients);
        tally.released.push(one);
    }

    fn gone(&self) {
        self.tally().result.boards_gone += 1;
    }

    /// The board stayed, and neither side knows of a move that would have to be called off.
    fn stayed(&self, one: &'a Move, why: impl Into<String>) {
        // One failed call can keep a thousand boards where they are, and their reasons go into one record.
        let why = brief(why.into().replace(char::is_control, " "), WHY_MAX_BYTES);
        tracing::warn!(board = %one.board, %why, "a board stayed");
        self.tally().result.exceptions.push(MoveException { board: one.board.clone(), why });
    }

    /// The board stayed, and both sides are told.
    fn called_off(&self, one: &'a Move, why: impl Into<String>) {
        self.stayed(one, why);
        self.tally().aborted.push(one);
    }
}

/// A move as both servers know it.
fn item(one: &Move) -> MoveItem {
    MoveItem { id: one.id.clone(), board: one.board.clone(), from_epoch: one.epoch }
}

#[cfg(test)]
mod tests;
