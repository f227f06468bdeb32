//! A store that can be made to wait.

use async_trait::async_trait;
use segue_handover::store::memory::MemoryStore;
use segue_handover::store::{Append, BoardStore, Claim, Page, Release, Row, StoreError};
use segue_handover::wire::{BoardId, Connect, Entry, Epoch, OwnersPage, Seq, ServerId};
use tokio::sync::watch;

use super::PATIENCE;

/// The memory store behind three gates: what is behind one waits while it is shut.
#[derive(Default)]
pub(crate) struct GatedStore {
    pub(crate) inner: MemoryStore,
    pub(crate) claims: Gate,
    pub(crate) appends: Gate,
    pub(crate) heartbeats: Gate,
}

pub(crate) struct Gate {
    shut: watch::Sender<bool>,
    waiting: watch::Sender<u32>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { shut: watch::Sender::new(false), waiting: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Until `number` calls came and did not pass, though some may have been given up since.
    pub(crate) async fn wait_for_waiting(&self, number: u32) {
        let mut waiting = self.waiting.subscribe();
        let arrived = waiting.wait_for(|waiting| *waiting >= number);
        tokio::time::timeout(PATIENCE, arrived).await.expect("they come").expect("the gate is there");
    }

    async fn pass(&self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let mut shut = self.shut.subscribe();
        shut.wait_for(|shut| !shut).await.expect("the gate is there");
        self.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[async_trait]
impl BoardStore for GatedStore {
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError> {
        self.inner.row(board).await
    }

    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError> {
        self.claims.pass().await;
        self.inner.claim(board, expect, server).await
    }

    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError> {
        self.inner.load(board, after).await
    }

    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError> {
        self.appends.pass().await;
        self.inner.append(board, epoch, entries).await
    }

    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError> {
        self.inner.release(board, epoch, server).await
    }

    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError> {
        self.inner.owners(server, cursor, limit).await
    }

    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError> {
        self.heartbeats.pass().await;
        self.inner.heartbeat(server, connect).await
    }
}
