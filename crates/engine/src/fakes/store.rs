//! A journal behind the choke point: a daemon can die before and after each append.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use segue_journal::{
    AcquireError, Append, AppendError, Appended, Claim, Holder, JournalId, Lease, Newest, OutboxError,
    OutboxId, Owner, Page, ReadError, Reader, RenewError, Scope, Settled, Store, Stream, StreamEnd,
    Unwritable,
};

use super::choke::{Life, Passing};
use super::{FakeWorld, Method};
use crate::ports::{CallError, Class};

/// One daemon's hold of the journal.
#[derive(Clone)]
pub struct ChokedStore {
    store: Arc<dyn Store>,
    world: FakeWorld,
    life: Life,
}

impl std::fmt::Debug for ChokedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChokedStore").field("life", &self.life).finish_non_exhaustive()
    }
}

impl FakeWorld {
    /// The journal as one life of a daemon sees it.
    pub fn store_of(&self, store: Arc<dyn Store>, life: &Life) -> ChokedStore {
        ChokedStore { store, world: self.clone(), life: life.clone() }
    }
}

impl ChokedStore {
    async fn before(&self, method: Method) -> Result<Passing, CallError> {
        let passing = self.world.choke.enter(method, self.world.now_ms());
        self.world.choke.before(&self.life, &passing, || self.world.now_ms()).await?;
        Ok(passing)
    }

    fn land_late(&self, late: Duration, lease: Lease, append: Append) {
        let (store, life) = (Arc::clone(&self.store), self.life.clone());
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            if !life.is_dead() {
                // Nobody hears how it ended.
                drop(store.append(&lease, &append).await);
            }
        });
    }

    async fn after(&self, passing: &Passing) -> Result<(), CallError> {
        self.world.choke.after(&self.life, passing, || self.world.now_ms()).await
    }
}

#[async_trait]
impl Reader for ChokedStore {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        let passing = self.before(Method::Page).await.map_err(not_read)?;
        let page = self.store.page(stream, after_seq).await;
        self.after(&passing).await.map_err(not_read)?;
        page
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        self.store.streams(prefix).await
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        let newest = self.store.newest().await?;
        Ok(newest.map(|it| if self.life.is_outdated() { Newest { schema: u32::MAX, ..it } } else { it }))
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        self.store.holder(scope).await
    }
}

#[async_trait]
impl Store for ChokedStore {
    fn journal_id(&self) -> JournalId {
        self.store.journal_id()
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError> {
        let unavailable = |error: CallError| AcquireError::Unavailable(error.into());
        let passing = self.before(Method::Acquire).await.map_err(unavailable)?;
        let acquired = self.store.acquire_above(scope, owner, ttl, floor).await;
        self.after(&passing).await.map_err(unavailable)?;
        acquired
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError> {
        let unavailable = |error: CallError| RenewError::Unavailable(error.into());
        let passing = self.before(Method::Renew).await.map_err(unavailable)?;
        let renewed = self.store.renew(lease).await;
        self.after(&passing).await.map_err(unavailable)?;
        renewed
    }

    async fn release(&self, lease: &Lease) -> Result<(), RenewError> {
        let unavailable = |error: CallError| RenewError::Unavailable(error.into());
        let passing = self.before(Method::GiveBack).await.map_err(unavailable)?;
        let given = self.store.release(lease).await;
        self.after(&passing).await.map_err(unavailable)?;
        given
    }

    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError> {
        let (choke, world) = (&self.world.choke, &self.world);
        let passing = choke.enter(Method::Append, world.now_ms());
        // A request that is on its way for long, or whose sender is frozen: it arrives when nobody waits for it.
        if let Some(late) = passing.lands_late() {
            let _waiting = world.waits_for_the_journal();
            self.land_late(late, lease.clone(), append.clone());
            return std::future::pending().await;
        }
        let _waiting = passing.is_late().then(|| world.waits_for_the_journal());
        if let Some(late) = self.life.frozen_for() {
            self.land_late(late, lease.clone(), append.clone());
            return std::future::pending().await;
        }
        choke.before(&self.life, &passing, || world.now_ms()).await.map_err(not_appended)?;
        let appended = self.store.append(lease, append).await;
        self.after(&passing).await.map_err(|error| AppendError::OutcomeUnknown(error.into()))?;
        appended
    }

    async fn claim_outbox(
        &self,
        lease: &Lease,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Claim>, OutboxError> {
        self.store.claim_outbox(lease, limit, hold).await
    }

    async fn settle_outbox(&self, lease: &Lease, settled: &[(OutboxId, Settled)]) -> Result<(), OutboxError> {
        self.store.settle_outbox(lease, settled).await
    }
}

/// What is made to fail as a bug would fail for ever.
fn not_read(error: CallError) -> ReadError {
    match error.class {
        Class::Bug => ReadError::TooManyStreams,
        Class::Retry | Class::Refused | Class::Unknown => ReadError::Unavailable(error.into()),
    }
}

/// What is made to fail as a bug would be refused for ever.
fn not_appended(error: CallError) -> AppendError {
    match error.class {
        Class::Bug => AppendError::Unwritable(Unwritable::TooMany { entries: 0 }),
        Class::Retry | Class::Refused | Class::Unknown => AppendError::Unavailable(error.into()),
    }
}
