//! A queue whose items go one by one, as fast as its pace allows and no faster. Bounded; first come,
//! first served, but for those in haste; who no longer wants to go costs nothing.

use std::future::Future;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::pace::{Meter, Pace};
use super::slot::Slot;
use crate::board::{ConnId, Moment};
use crate::wire::{AttachFigures, MoveId};

/// Offers that may wait for their turn on one server.
pub(super) const MAX_PENDING_OFFERS: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

/// The most per second that is ever asked for: it bounds what a pace remembers.
pub(super) const MAX_RATE_PER_S: NonZeroU32 = NonZeroU32::new(1_000_000).expect("a million is not zero");

/// Something that waits for its turn.
pub(super) trait Turn: Send + 'static {
    /// Whether the turn still makes sense.
    fn is_wanted(&self) -> bool;
    fn take(self);
}

impl Turn for oneshot::Sender<()> {
    fn is_wanted(&self) -> bool {
        !self.is_closed()
    }

    fn take(self) {
        // Whoever waited may leave in this very moment; then its token is spent for nothing.
        let _ = self.send(());
    }
}

/// An offer to one client.
#[derive(Debug)]
pub(super) struct PendingOffer {
    pub(super) slot: Weak<Slot>,
    pub(super) conn: ConnId,
    pub(super) move_id: MoveId,
    pub(super) text: Utf8Bytes,
}

impl Turn for PendingOffer {
    fn is_wanted(&self) -> bool {
        self.slot
            .upgrade()
            .is_some_and(|slot| slot.look(|board| board.offer_stands(self.conn, &self.move_id)))
    }

    fn take(self) {
        if let Some(slot) = self.slot.upgrade() {
            slot.send_text(self.conn, self.text);
        }
    }
}

/// Whether somebody waits behind all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    None,
    /// Goes before those who have time, at the same pace.
    First,
}

#[derive(Debug)]
pub(super) struct Paced<T> {
    first: mpsc::Sender<T>,
    others: mpsc::Sender<T>,
    shared: Arc<Shared>,
}

/// The other end of a queue.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    first: mpsc::Receiver<T>,
    others: mpsc::Receiver<T>,
}

impl<T> Waiting<T> {
    async fn next(&mut self) -> Option<T> {
        tokio::select! {
            biased;
            Some(item) = self.first.recv() => Some(item),
            Some(item) = self.others.recv() => Some(item),
            else => None,
        }
    }
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    max_per_s: NonZeroU32,
    pace: Mutex<(Pace, Meter)>,
    /// The limit was changed.
    changed: Notify,
    refused_total: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (Pace, Meter)> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next turn: now, or not before the moment that is returned.
    fn next_turn(&self) -> Result<(), Moment> {
        let now = Moment(self.began.elapsed());
        let (pace, meter) = &mut *self.lock();
        pace.take(now)?;
        meter.count(now, pace.limit_per_s());
        Ok(())
    }

    async fn wait_for_turn(&self, is_wanted: impl Fn() -> bool) -> bool {
        loop {
            let changed = self.changed.notified();
            if !is_wanted() {
                return false;
            }
            match self.next_turn() {
                Ok(()) => return true,
                Err(at) => tokio::select! {
                    () = tokio::time::sleep_until(self.began + at.0) => {}
                    () = changed => {}
                },
            }
        }
    }
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueFull;

impl<T: Turn> Paced<T> {
    pub(super) fn new(max_per_s: NonZeroU32, queue: NonZeroUsize, began: Instant) -> (Self, Waiting<T>) {
        let (first, hasty) = mpsc::channel(queue.get());
        let (others, patient) = mpsc::channel(queue.get());
        let max_per_s = max_per_s.min(MAX_RATE_PER_S);
        let shared = Arc::new(Shared {
            began,
            max_per_s,
            pace: Mutex::new((Pace::new(max_per_s), Meter::default())),
            changed: Notify::new(),
            refused_total: AtomicU64::new(0),
        });
        (Self { first, others, shared }, Waiting { first: hasty, others: patient })
    }

    /// Gives turns until the queue is dropped.
    pub(super) fn run(&self, mut waiting: Waiting<T>) -> impl Future<Output = ()> + use<T> {
        let shared = Arc::clone(&self.shared);
        async move {
            while let Some(item) = waiting.next().await {
                if shared.wait_for_turn(|| item.is_wanted()).await {
                    item.take();
                }
            }
        }
    }

    pub(super) fn enqueue(&self, item: T, haste: Haste) -> Result<(), QueueFull> {
        let queue = match haste {
            Haste::None => &self.others,
            Haste::First => &self.first,
        };
        match queue.try_send(item) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => {
                self.shared.refused_total.fetch_add(1, Ordering::Relaxed);
                Err(QueueFull)
            }
        }
    }

    /// From now on; never above what the application allows.
    pub(super) fn set_limit(&self, per_s: NonZeroU32) {
        let limit = per_s.min(self.shared.max_per_s);
        self.shared.lock().0.set_limit(limit);
        self.shared.changed.notify_waiters();
    }

    pub(super) fn waiting(&self) -> u32 {
        let waiting = |queue: &mpsc::Sender<T>| queue.max_capacity() - queue.capacity();
        u32::try_from(waiting(&self.first) + waiting(&self.others)).unwrap_or(u32::MAX)
    }

    pub(super) fn figures(&self) -> AttachFigures {
        let (pace, meter) = &*self.shared.lock();
        AttachFigures {
            limit_per_s: pace.limit_per_s().get(),
            peak_in_100ms: meter.peak_in_window,
            overruns_total: meter.overruns_total,
            admitted_total: meter.total,
            refused_total: self.shared.refused_total.load(Ordering::Relaxed),
        }
    }
}

impl Paced<oneshot::Sender<()>> {
    /// Waits for one's turn.
    pub(super) async fn admit(&self, haste: Haste) -> Result<(), QueueFull> {
        let (turn, is_mine) = oneshot::channel();
        self.enqueue(turn, haste)?;
        match is_mine.await {
            Ok(()) => Ok(()),
            Err(_server_stops) => Err(QueueFull),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::time::Duration;

    fn room(for_items: usize) -> NonZeroUsize {
        NonZeroUsize::new(for_items).expect("not zero")
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_at_once_are_admitted_at_the_limit_and_in_any_window_not_above_it() {
        let limit = NonZeroU32::new(200).expect("not zero");
        let (admission, queue) = Paced::new(limit, room(1_000), Instant::now());
        let worker = tokio::spawn(admission.run(queue));
        let began = Instant::now();
        let admitted = join_all((0..1_000).map(|_| admission.admit(Haste::None))).await;
        assert!(admitted.iter().all(Result::is_ok));
        assert_eq!(began.elapsed().as_millis() / 100, 49, "1,000 at 20 per 100 ms");
        let figures = admission.figures();
        assert_eq!((figures.peak_in_100ms, figures.overruns_total), (20, 0));
        worker.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_left_costs_nothing_and_a_full_queue_refuses() {
        let limit = NonZeroU32::new(10).expect("not zero");
        let (admission, queue) = Paced::new(limit, room(2), Instant::now());
        let (gone, left) = oneshot::channel();
        drop(left);
        admission.enqueue(gone, Haste::None).expect("there is room");
        let (turn, is_mine) = oneshot::channel();
        admission.enqueue(turn, Haste::None).expect("there is room");
        let (too_many, _never) = oneshot::channel();
        assert_eq!(admission.enqueue(too_many, Haste::None), Err(QueueFull));
        let worker = tokio::spawn(admission.run(queue));
        let began = Instant::now();
        is_mine.await.expect("admitted");
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(admission.figures().admitted_total, 1);
        worker.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_in_haste_goes_before_the_others_at_the_same_pace() {
        let (admission, queue) =
            Paced::new(NonZeroU32::new(10).expect("not zero"), room(100), Instant::now());
        let began = Instant::now();
        let others = join_all((0..50).map(|_| admission.admit(Haste::None)));
        let late = async {
            tokio::time::sleep(Duration::from_millis(1_050)).await;
            admission.admit(Haste::First).await.expect("there is room");
            began.elapsed().as_millis()
        };
        let worker = tokio::spawn(admission.run(queue));
        let (admitted, late) = tokio::join!(others, late);
        assert_eq!((admitted.len(), late), (50, 1_200), "behind the one whose turn it was");
        let figures = admission.figures();
        assert_eq!((figures.peak_in_100ms, figures.admitted_total), (1, 51));
        worker.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_raised_limit_is_felt_by_who_waits_already() {
        let slow = NonZeroU32::new(1).expect("not zero");
        let (admission, queue) =
            Paced::new(NonZeroU32::new(100).expect("not zero"), room(10), Instant::now());
        admission.set_limit(slow);
        let worker = tokio::spawn(admission.run(queue));
        admission.admit(Haste::None).await.expect("the first");
        let began = Instant::now();
        let raise = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            admission.set_limit(NonZeroU32::new(100).expect("not zero"));
        };
        let (second, ()) = tokio::join!(admission.admit(Haste::None), raise);
        second.expect("the second");
        assert_eq!(began.elapsed().as_millis(), 150);
        worker.abort();
    }
}
