//! The fast half: seal on the old server, activate on the new one. Nothing is appended in between, and nothing
//! else is done either: from the seal on, the board's clients wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use segue_domain::moves::Move;

use super::{Carrying, item};
use crate::outside::Call;
use crate::ports::{CallError, Class, MoveItem, Sealed};
use crate::retry::Repeat;

const SEAL: Call = Call::new("boards", "seal");
const ACTIVATE: Call = Call::new("boards", "activate");

impl<'a> Carrying<'a> {
    /// Switches boards, so many at once as the policy allows. Each comes with its clients.
    pub(super) async fn switch_all(&self, ready: Vec<(&'a Move, u64)>) {
        let at_once = usize::try_from(self.effect.switching_at_once).unwrap_or(1).max(1);
        // What a switch needs while it goes on is kilobytes: only those under way have it.
        let ready = Mutex::new(ready.into_iter());
        join_all((0..at_once).map(|_| self.switch_in_turn(&ready))).await;
    }

    async fn switch_in_turn(&self, ready: &Mutex<std::vec::IntoIter<(&'a Move, u64)>>) {
        loop {
            let next = ready.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((one, clients)) = next else { return };
            self.switch(one, clients).await;
        }
    }

    async fn switch(&self, one: &'a Move, clients: u64) {
        let item = item(one);
        let _place = match self.outside.switching().await {
            Ok(place) => place,
            Err(error) => return self.called_off(one, format!("it was not switched: {error}")),
        };
        let sealed = match self.seal(one, &item).await {
            Ok(sealed) => sealed,
            // It may be sealed: calling it off opens it again, and so does its ttl.
            Err(why) => return self.called_off(one, format!("the old server did not seal it: {why}")),
        };
        match self.activate(one, &item, &sealed).await {
            Ok(()) => self.moved(one, clients),
            Err(error) => self.ask_who_holds(one, clients, &error).await,
        }
    }

    async fn seal(&self, one: &Move, item: &MoveItem) -> Result<Sealed, String> {
        let at = self.sides.target(&one.from)?;
        let (boards, ttl) = (&self.outside.ports.boards, self.effect.seal_ttl);
        let seal = || boards.seal(&at, item, ttl);
        let sealed = self.outside.write_within(SEAL, Repeat::KnownById, self.switch_limit(), seal).await;
        sealed.map_err(|error| error.what)
    }

    /// A lost answer is asked for again: same move, same answer.
    async fn activate(&self, one: &Move, item: &MoveItem, sealed: &Sealed) -> Result<(), CallError> {
        let at = self.sides.target(&one.to).map_err(CallError::refused)?;
        let boards = &self.outside.ports.boards;
        let activate = || boards.activate(&at, item, sealed);
        let epoch =
            self.outside.write_within(ACTIVATE, Repeat::KnownById, self.switch_limit(), activate).await?;
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
