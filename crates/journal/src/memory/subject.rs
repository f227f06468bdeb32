//! The store in memory as the subject of the contract, and what only a given clock can show.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use crate::contract::{Subject, Tamper};
use crate::store::Store;
use crate::stream::Stream;

#[async_trait]
impl Subject for MemoryStore {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    async fn tamper(&self, stream: &Stream, seq: u64, how: Tamper) {
        self.tables().tamper(stream, seq, how);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use segue_domain::time::Timestamp;

    use super::*;
    use crate::lease::{AcquireError, Owner, Scope};

    fn at_rest() -> MemoryStore {
        MemoryStore::new(Arc::new(|| Timestamp::from_ms(0)))
    }

    crate::store_contract!(at_rest());

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_stalls_stops_acting_before_its_successor_begins() {
        let now_ms = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&now_ms);
        let store = MemoryStore::new(Arc::new(move || Timestamp::from_ms(clock.load(Ordering::Relaxed))));
        let (scope, ttl) = (Scope::new("boards"), Duration::from_secs(30));
        let first = store.acquire(&scope, &Owner::new("a"), ttl).await.expect("it is free");
        for second in 1..=30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            now_ms.store(second * 1_000, Ordering::Relaxed);
            let acts = !first.left(crate::Moment::now()).is_zero();
            let taken = store.acquire(&scope, &Owner::new("b"), ttl).await;
            assert_eq!(acts, second < 27, "the holder after {second} s");
            assert_eq!(taken.is_ok(), second == 30, "the successor after {second} s");
            assert!(matches!(taken, Ok(_) | Err(AcquireError::Held { .. })));
        }
    }
}
