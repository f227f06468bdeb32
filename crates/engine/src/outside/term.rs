//! How long this daemon may still act: the lease as the holder's own monotonic clock sees it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use segue_journal::{Lease, Moment};
use tokio::sync::Notify;

/// No lease changes hands so often: it is what a number in JSON can say without rounding (RFC 8259, section 6).
const GENERATION_MAX: u64 = 1 << 53;

/// One uninterrupted time of holding the lease, under one epoch. It ends by the lease's deadline, with no
/// message from anybody, so a stalled daemon knows it too; or when the store says that somebody else has it.
#[derive(Debug)]
pub struct Term {
    lease: Mutex<Lease>,
    lost: AtomicBool,
    /// It is this daemon's, and of no use to it: why.
    given_up: Mutex<Option<String>>,
    ended: Notify,
    /// The highest generation that a server was seen to have obeyed; none above its own ends a term.
    seen: AtomicU64,
}

impl Term {
    pub fn new(lease: Lease) -> Self {
        Self {
            lease: Mutex::new(lease),
            lost: AtomicBool::new(false),
            given_up: Mutex::new(None),
            ended: Notify::new(),
            seen: AtomicU64::new(0),
        }
    }

    /// Grows with every change of holder; it is the generation in every control call.
    pub fn epoch(&self) -> u64 {
        self.lease().epoch()
    }

    /// The lease to append under.
    pub fn lease(&self) -> Lease {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lease was renewed: its end moves on, never back.
    pub fn renew(&self, renewed: Lease) {
        let now = Moment::now();
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.left(now) > lease.left(now) {
            *lease = renewed;
        }
    }

    /// Nothing may be done any more: somebody else holds the lease, or may.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.ended.notify_waiters();
    }

    /// The lease is held, and this daemon cannot work under it: another one may be able to, and must not wait for
    /// as long as this one lives.
    pub fn give_up(&self, why: String) {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.lose();
    }

    /// Why it was given up, if it was.
    pub fn given_up(&self) -> Option<String> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A server has obeyed this generation. One that has obeyed a later one than this term's will obey nothing of
    /// it: its journal is newer than the server's memory, or comes from a backup. Then the term is over, and the
    /// next one begins above.
    pub fn saw_generation(&self, generation: u64) {
        if generation <= self.epoch() {
            return;
        }
        if generation > GENERATION_MAX {
            tracing::error!(generation, "a server claims to have obeyed what no journal can count to");
            return;
        }
        tracing::warn!(
            generation,
            epoch = self.epoch(),
            "servers have obeyed a later generation than this one"
        );
        self.seen.fetch_max(generation, Ordering::AcqRel);
        self.lose();
    }

    /// Above what the next term's epoch must be.
    pub fn highest_seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire).max(self.epoch())
    }

    /// The store said that it is lost. (A deadline that passed says nothing here: see [`Term::left`].)
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Returns when the lease was lost.
    pub async fn loss(&self) {
        loop {
            let ended = self.ended.notified();
            if self.is_lost() {
                return;
            }
            ended.await;
        }
    }

    /// Returns when nothing may be done any more: it was lost, or its deadline has passed.
    pub async fn end(&self) {
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = self.loss() => return,
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// The time in which this daemon may still act.
    pub fn left(&self) -> Duration {
        if self.is_lost() { Duration::ZERO } else { self.lease().left(Moment::now()) }
    }

    /// Whether a call that takes at most `limit` is over before the lease is.
    pub fn outlasts(&self, limit: Duration) -> bool {
        self.left() > limit
    }
}

#[cfg(test)]
mod tests {
    use segue_journal::{Owner, Scope, Store};
    use tokio::time::Instant;

    use super::*;
    use crate::fakes::FakeWorld;

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_by_its_own_clock_and_is_never_shortened_by_a_late_renewal() {
        let store = FakeWorld::new().store();
        let ttl = Duration::from_secs(30);
        let lease = store.acquire(&Scope::new("segue"), &Owner::new("me"), ttl).await.unwrap();
        let renewed = store.renew(&lease).await.unwrap();
        let term = Term::new(lease.clone());
        tokio::time::advance(Duration::from_secs(5)).await;
        let later = store.renew(&lease).await.unwrap();
        term.renew(later);
        let left = term.left();
        term.renew(renewed);
        assert_eq!(term.left(), left);
        tokio::time::advance(left.saturating_sub(Duration::from_secs(8))).await;
        assert!(!term.outlasts(Duration::from_secs(8)));
        assert!(term.outlasts(Duration::from_secs(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_that_nobody_renews_ends_at_its_deadline_and_not_later() {
        let term = FakeWorld::new().term(Duration::from_secs(30)).await;
        let left = term.left();
        let began = Instant::now();
        term.end().await;
        assert!(began.elapsed() <= left + Duration::from_millis(1), "{:?}", began.elapsed());
        assert!(!term.is_lost());
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_when_a_server_has_obeyed_a_later_one_and_not_for_a_number_that_is_none() {
        let term = FakeWorld::new().term(Duration::from_secs(30)).await;
        term.saw_generation(term.epoch());
        term.saw_generation(u64::MAX);
        assert!(!term.is_lost());
        term.saw_generation(40);
        assert_eq!((term.is_lost(), term.highest_seen()), (true, 40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_term_is_over_whatever_its_deadline_says() {
        let term = FakeWorld::new().term(Duration::from_secs(30)).await;
        assert!(term.outlasts(Duration::from_secs(8)));
        term.lose();
        term.loss().await;
        term.end().await;
        assert_eq!(term.left(), Duration::ZERO);
    }
}
