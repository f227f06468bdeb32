//! What people asked for, while it is carried out.
//!
//! A request goes on to its end even if nobody waits for it any more: a caller that goes away in the middle must
//! not leave the journal and the memory apart. It never goes on beyond its term, and dies with the engine.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::ask::AskError;

/// The requests of one term. All are gone when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Requests {
    tasks: Mutex<JoinSet<()>>,
}

impl Requests {
    /// Begins to carry one out. The answer says how it ended.
    pub(super) fn carry<T: Send + 'static, F: Future<Output = Result<T, AskError>> + Send + 'static>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, AskError>> + use<T, F> {
        let (tell, told) = oneshot::channel();
        let mut tasks = self.lock();
        while tasks.try_join_next().is_some() {}
        // Who does not wait any more need not be told.
        tasks.spawn(async move { drop(tell.send(work.await)) });
        async move {
            let cut_off = || AskError::NotKnown { why: "it was cut off before its end".to_owned() };
            told.await.unwrap_or_else(|_dropped| Err(cut_off()))
        }
    }

    /// Returns when all have ended.
    pub(super) async fn all_ended(&self) {
        let mut tasks = std::mem::take(&mut *self.lock());
        while tasks.join_next().await.is_some() {}
    }

    /// Ends those that are left.
    pub(super) fn cut_off(&self) {
        self.lock().abort_all();
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
