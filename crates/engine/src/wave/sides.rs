//! The servers of a wave: who they are, what boards they list, and the plural calls at them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use segue_domain::app::BoardRow;
use segue_domain::ids::{BoardId, InstanceId};
use segue_domain::moves::Move;

use crate::book::AddressBook;
use crate::outside::{Call, Outside};
use crate::ports::{CallError, EndOf, Target};
use crate::retry::Repeat;

const BOARDS: Call = Call::new("boards", "boards");
const END: Call = Call::new("boards", "end");

/// Lists that one wave reads at once; all waves together keep to the way out's own limit.
const LISTS_AT_ONCE: usize = 16;

/// Old and new servers of one wave.
pub(super) struct Sides<'a> {
    outside: &'a Outside,
    book: &'a AddressBook,
    old: BTreeSet<&'a InstanceId>,
    new: BTreeSet<&'a InstanceId>,
    /// The boards of this wave.
    boards: HashSet<&'a BoardId>,
}

/// The wave's boards on several servers, as far as they could be read. Servers have many others, which are not kept.
#[derive(Debug, Default)]
pub(super) struct Lists {
    rows: BTreeMap<InstanceId, Result<BTreeMap<BoardId, BoardRow>, String>>,
}

impl Lists {
    /// Not one of them could be read.
    pub(super) fn is_blind(&self) -> bool {
        self.rows.values().all(Result::is_err)
    }

    /// What a server says of a board; `Ok(None)` when it does not have it.
    pub(super) fn row(&self, on: &InstanceId, board: &BoardId) -> Result<Option<&BoardRow>, &str> {
        match self.rows.get(on) {
            Some(Ok(rows)) => Ok(rows.get(board)),
            Some(Err(why)) => Err(why),
            None => Err("it was not asked"),
        }
    }

    #[cfg(test)]
    pub(super) fn of(lists: Vec<(InstanceId, Result<Vec<BoardRow>, String>)>) -> Self {
        let by_board = |rows: Vec<BoardRow>| rows.into_iter().map(|row| (row.board.clone(), row)).collect();
        Self { rows: lists.into_iter().map(|(id, rows)| (id, rows.map(by_board))).collect() }
    }
}

impl<'a> Sides<'a> {
    pub(super) fn new(outside: &'a Outside, book: &'a AddressBook, moves: &'a [Move]) -> Self {
        let side = |of: fn(&Move) -> &InstanceId| moves.iter().map(of).collect();
        let boards = moves.iter().map(|one| &one.board).collect();
        Self { outside, book, old: side(|one| &one.from), new: side(|one| &one.to), boards }
    }

    pub(super) fn target(&self, id: &InstanceId) -> Result<Target, String> {
        self.book.reach(id).map_err(|error| error.what)
    }

    pub(super) async fn read_old(&self) -> Lists {
        self.read(self.old.iter().copied()).await
    }

    pub(super) async fn read_new(&self) -> Lists {
        self.read(self.new.iter().copied()).await
    }

    /// Lists of several servers at once.
    pub(super) async fn read(&self, servers: impl Iterator<Item = &InstanceId>) -> Lists {
        // Collected before anything waits: no borrowed closure lives across an await.
        let lists: Vec<_> = servers.map(|id| self.named(id)).collect();
        Lists { rows: stream::iter(lists).buffer_unordered(LISTS_AT_ONCE).collect().await }
    }

    async fn named(&self, id: &InstanceId) -> (InstanceId, Result<BTreeMap<BoardId, BoardRow>, String>) {
        (id.clone(), self.boards(id).await)
    }

    async fn boards(&self, id: &InstanceId) -> Result<BTreeMap<BoardId, BoardRow>, String> {
        let at = self.target(id)?;
        let answer = self.outside.read_in_turn(BOARDS, || self.outside.ports.boards.boards(&at)).await;
        let rows = answer.map_err(|error| error.what)?;
        let ours = rows.into_iter().filter(|row| self.boards.contains(&row.board));
        Ok(ours.map(|row| (row.board.clone(), row)).collect())
    }

    /// One call for each server and chunk of moves.
    pub(super) async fn end(&self, moves: &[&Move], outcome: EndOf) {
        let servers: BTreeSet<&InstanceId> = moves.iter().flat_map(|one| [&one.from, &one.to]).collect();
        join_all(servers.into_iter().map(|id| self.end_at(id, moves, outcome))).await;
    }

    async fn end_at(&self, id: &InstanceId, moves: &[&Move], outcome: EndOf) {
        let here = moves.iter().filter(|one| one.from == *id || one.to == *id);
        let items: Vec<_> = here.map(|one| (one.id.clone(), one.board.clone())).collect();
        let Ok(at) = self.target(id) else { return };
        for items in items.chunks(self.outside.limits.items_at_once.max(1)) {
            let told = self.tell(&at, items, outcome).await;
            if let Err(error) = told {
                tracing::warn!(instance = %id, %error, "the end of some moves was not heard; their ttl ends them");
                return;
            }
        }
    }

    async fn tell(
        &self,
        at: &Target,
        items: &[(segue_domain::ids::MoveId, BoardId)],
        outcome: EndOf,
    ) -> Result<(), CallError> {
        let boards = &self.outside.ports.boards;
        self.outside.write(END, Repeat::KnownById, || boards.end(at, items, outcome)).await
    }
}
