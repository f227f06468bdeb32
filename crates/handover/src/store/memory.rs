//! A store in this process's memory: for tests and for trying the library out. Everything is durable
//! until the process ends, and a server is dead when somebody says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Append, BoardStore, Claim, Liveness, Owner, Page, Release, Row, StoreError};
use crate::wire::{BoardId, Connect, Entry, Epoch, OwnedBoard, OwnersPage, Seq, ServerId};

/// Entries on one page of a log: few, so that whoever loads has to turn pages.
const PAGE: usize = 64;

/// The tables. Share it between servers in an `Arc`.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    boards: BTreeMap<BoardId, BoardTable>,
    servers: HashMap<ServerId, ServerTable>,
}

#[derive(Debug, Default)]
struct BoardTable {
    epoch: Epoch,
    owner: Option<ServerId>,
    log: Vec<Entry>,
}

#[derive(Debug)]
struct ServerTable {
    liveness: Liveness,
    connect: Option<Connect>,
}

impl BoardTable {
    fn last_seq(&self) -> Seq {
        self.log.last().map_or(Seq::ZERO, |entry| entry.seq)
    }
}

impl Tables {
    fn row(&self, board: &BoardId) -> Row {
        let Some(table) = self.boards.get(board) else {
            return Row { epoch: Epoch::ZERO, owner: None, last_seq: Seq::ZERO };
        };
        let owner = table.owner.clone().map(|server| {
            let seen = self.servers.get(&server);
            Owner {
                liveness: seen.map_or(Liveness::Dead, |seen| seen.liveness),
                connect: seen.and_then(|seen| seen.connect.clone()),
                server,
            }
        });
        Row { epoch: table.epoch, owner, last_seq: table.last_seq() }
    }
}

impl MemoryStore {
    /// From now on, until its next heartbeat, the server counts as dead.
    pub fn bury(&self, server: &ServerId) {
        if let Some(seen) = self.tables().servers.get_mut(server) {
            seen.liveness = Liveness::Dead;
        }
    }

    /// The whole log of a board.
    pub fn log(&self, board: &BoardId) -> Vec<Entry> {
        self.tables().boards.get(board).map(|table| table.log.clone()).unwrap_or_default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BoardStore for MemoryStore {
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError> {
        Ok(self.tables().row(board))
    }

    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        let row = tables.row(board);
        let claimed = Claim::Claimed { epoch: expect.next(), last_seq: row.last_seq };
        let is_ours = row.owner.as_ref().is_some_and(|owner| owner.server == *server);
        if row.epoch == expect.next() && is_ours {
            return Ok(claimed);
        }
        if row.epoch != expect {
            return Ok(Claim::Held(row));
        }
        let table = tables.boards.entry(board.clone()).or_default();
        table.epoch = expect.next();
        table.owner = Some(server.clone());
        Ok(claimed)
    }

    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError> {
        let tables = self.tables();
        let Some(table) = tables.boards.get(board) else {
            return Ok(Page { entries: Vec::new(), last_seq: Seq::ZERO });
        };
        let entries = table.log.iter().filter(|entry| entry.seq > after).take(PAGE).cloned().collect();
        Ok(Page { entries, last_seq: table.last_seq() })
    }

    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError> {
        let mut tables = self.tables();
        let row = tables.row(board);
        if row.epoch != epoch || row.owner.is_none() {
            return Ok(Append::Fenced(row));
        }
        let mut next = row.last_seq.next();
        for entry in entries {
            if entry.seq != next {
                return Ok(Append::OutOfPlace { last_seq: row.last_seq });
            }
            next = next.next();
        }
        let table = tables.boards.entry(board.clone()).or_default();
        table.log.extend_from_slice(entries);
        Ok(Append::Appended { last_seq: table.last_seq() })
    }

    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError> {
        let mut tables = self.tables();
        let row = tables.row(board);
        let is_other = row.owner.as_ref().is_some_and(|owner| owner.server != *server);
        if row.epoch != epoch || is_other {
            return Ok(Release::Fenced(row));
        }
        if let Some(table) = tables.boards.get_mut(board) {
            table.owner = None;
        }
        Ok(Release::Released)
    }

    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError> {
        let tables = self.tables();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut boards: Vec<OwnedBoard> = tables
            .boards
            .iter()
            .filter(|(board, table)| {
                cursor.is_none_or(|cursor| *board > cursor) && table.owner.as_ref() == Some(server)
            })
            .take(limit.saturating_add(1))
            .map(|(board, table)| OwnedBoard { board: board.clone(), epoch: table.epoch })
            .collect();
        let has_more = boards.len() > limit;
        boards.truncate(limit);
        let next = if has_more { boards.last().map(|row| row.board.clone()) } else { None };
        Ok(OwnersPage { boards, next })
    }

    async fn release_dead(&self, limit: u32) -> Result<u32, StoreError> {
        let tables = &mut *self.tables();
        let servers = &tables.servers;
        let is_dead = |owner: &ServerId| servers.get(owner).is_none_or(|it| it.liveness == Liveness::Dead);
        let orphans = tables.boards.values_mut().filter(|table| table.owner.as_ref().is_some_and(is_dead));
        let released = orphans.take(usize::try_from(limit).unwrap_or(usize::MAX));
        let released = released.map(|table| table.owner = None).count();
        Ok(u32::try_from(released).unwrap_or(u32::MAX))
    }

    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError> {
        let seen = ServerTable { liveness: Liveness::Alive, connect: connect.cloned() };
        self.tables().servers.insert(server.clone(), seen);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn boards_of_dead_owners_become_nobodys_and_keep_their_epoch() {
        let store = MemoryStore::default();
        let server = |name: &str| ServerId::parse(name).expect("an id");
        let board = |name: &str| BoardId::parse(name).expect("an id");
        for (name, owner) in [("b1", "dead"), ("b2", "alive"), ("b3", "dead")] {
            store.heartbeat(&server(owner), None).await.expect("it is taken");
            store.claim(&board(name), Epoch::ZERO, &server(owner)).await.expect("it is free");
        }
        assert_eq!(store.release_dead(10).await, Ok(0));
        store.bury(&server("dead"));
        assert_eq!(store.release_dead(1).await, Ok(1));
        assert_eq!(store.release_dead(10).await, Ok(1));
        let row = store.row(&board("b1")).await.expect("it is there");
        assert_eq!((row.epoch, row.owner), (Epoch(1), None));
        assert!(store.row(&board("b2")).await.expect("it is there").owner.is_some());
    }

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        super::super::contract::check(&MemoryStore::default()).await.expect("keeps it");
    }
}
