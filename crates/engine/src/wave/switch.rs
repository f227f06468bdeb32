//! The fast half: seal on the old server, activate on the new one. Nothing is appended in between, and nothing
//! else is done either: from the seal on, the board's clients wait.
//!
//! A board has its place among those that are switched just before its seal, and gives it up when its clients wait no
//! more. What ends their wait stands in no line.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use segue_domain::moves::Move;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::{Carrying, item};
use crate::outside::Call;
use crate::ports::{CallError, Class, EndOf, MoveItem, Sealed};
use crate::retry::Repeat;

const SEAL: Call = Call::new("boards", "seal");
const ACTIVATE: Call = Call::new("boards", "activate");
const TAKE_BACK: Call = Call::new("boards", "end");

/// A board that can be switched.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    pub(super) one: &'a Move,
    pub(super) clients: u64,
    /// When the new server lets go of it by itself. None for one that was found sealed: its clients wait already.
    pub(super) standby_ends: Option<Instant>,
}

/// Why a board was not switched.
enum Kept {
    /// Its clients work on where they were.
    Open(String),
    /// It was sealed, and who holds it now is to be found out.
    Sealed(CallError),
}

impl<'a> Carrying<'a> {
    /// Switches boards, so many at once as the policy allows.
    pub(super) async fn switch_all(&self, ready: Vec<Ready<'a>>) {
        let at_once = usize::try_from(self.effect.switching_at_once).unwrap_or(1).max(1);
        // What a switch needs while it goes on is kilobytes: only those under way have it.
        let ready = Mutex::new(ready.into_iter());
        join_all((0..at_once).map(|_| self.switch_in_turn(&ready))).await;
    }

    async fn switch_in_turn(&self, ready: &Mutex<std::vec::IntoIter<Ready<'a>>>) {
        loop {
            let next = ready.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(next) = next else { return };
            match self.switch(&next).await {
                Ok(()) => self.moved(next.one, next.clients),
                Err(Kept::Open(why)) => self.called_off(next.one, why),
                Err(Kept::Sealed(error)) => self.ask_who_holds(next.one, next.clients, &error).await,
            }
        }
    }

    async fn switch(&self, ready: &Ready<'_>) -> Result<(), Kept> {
        let (one, item) = (ready.one, item(ready.one));
        let _place = self.place(ready).await?;
        let sealed = match self.seal(ready, &item).await {
            Ok(sealed) => sealed,
            Err(error) => {
                match error.class {
                    // It may be sealed all the same.
                    Class::Unknown | Class::Bug => self.take_back(one, &item).await,
                    Class::Refused | Class::Retry => {}
                }
                return Err(Kept::Open(format!("the old server did not seal it: {}", error.what)));
            }
        };
        let Err(error) = self.activate(one, &item, &sealed).await else { return Ok(()) };
        match error.class {
            Class::Refused | Class::Retry => self.take_back(one, &item).await,
            // The new server may have it.
            Class::Unknown | Class::Bug => {}
        }
        Err(Kept::Sealed(error))
    }

    /// Where so many boards are switched that its standby would be gone before it is, a later wave takes it.
    async fn place(&self, ready: &Ready<'_>) -> Result<Option<SemaphorePermit<'_>>, Kept> {
        let Some(ends) = ready.standby_ends else { return Ok(None) };
        let until = ends.checked_sub(self.effect.seal_ttl).unwrap_or_else(Instant::now);
        let place = self.outside.switching(until).await;
        place.map(Some).map_err(|error| Kept::Open(format!("it was not switched: {}", error.what)))
    }

    async fn seal(&self, ready: &Ready<'_>, item: &MoveItem) -> Result<Sealed, CallError> {
        let at = self.sides.target(&ready.one.from).map_err(CallError::refused)?;
        let (boards, ttl) = (&self.outside.ports.boards, self.effect.seal_ttl);
        let (limit, seal) = (self.switch_limit(), || boards.seal(&at, item, ttl));
        match ready.standby_ends {
            Some(_) => self.outside.write_within(SEAL, Repeat::KnownById, limit, seal).await,
            None => self.outside.relieve(SEAL, limit, seal).await,
        }
    }

    /// Nobody takes it over: its clients need not wait until the seal ends by itself. Where that is not heard, it does.
    async fn take_back(&self, one: &Move, item: &MoveItem) {
        let Ok(at) = self.sides.target(&one.from) else { return };
        let (boards, items) = (&self.outside.ports.boards, [(item.id.clone(), item.board.clone())]);
        let end = || boards.end(&at, &items, EndOf::Abort);
        if let Err(error) = self.outside.relieve(TAKE_BACK, self.switch_limit(), end).await {
            tracing::warn!(board = %one.board, %error, "its seal was not taken back; its ttl ends it");
        }
    }

    /// A lost answer is asked for again: same move, same answer.
    async fn activate(&self, one: &Move, item: &MoveItem, sealed: &Sealed) -> Result<(), CallError> {
        let at = self.sides.target(&one.to).map_err(CallError::refused)?;
        let boards = &self.outside.ports.boards;
        let activate = || boards.activate(&at, item, sealed);
        let epoch = self.outside.relieve(ACTIVATE, self.switch_limit(), activate).await?;
        tracing::trace!(board = %one.board, epoch, "switched");
        Ok(())
    }

    /// The new server refused, or its answers were lost: what is true is in its list.
    async fn ask_who_holds(&self, one: &'a Move, clients: u64, error: &CallError) {
        let new = self.sides.read(std::iter::once(&one.to)).await;
        match (new.row(&one.to, &one.board), error.class) {
            (Ok(Some(row)), _) if row.state.is_owned_here() => self.moved(one, clients.max(row.clients)),
            (Ok(_), _) | (Err(_), Class::Refused | Class::Retry) => {
                self.called_off(one, format!("the new server did not take it: {error}"));
            }
            // Nobody knows who holds it: it is not called off, its ttls decide, and the next wave reads it.
            (Err(_), Class::Unknown | Class::Bug) => {
                self.stayed(one, format!("it is not known who holds it: {error}"));
            }
        }
    }

    /// One try lasts no longer than a seal does: a later answer is worth nothing.
    fn switch_limit(&self) -> Duration {
        self.outside.limits.write_timeout.min(self.effect.seal_ttl)
    }
}
