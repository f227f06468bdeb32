//! How the crowd is doing right now, for a picture in a terminal; and the crowd's one clock.
//!
//! It is for people to look at. The report is made from the records, never from here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::figures::{millis, percentile};

/// How far back the picture looks.
const WINDOW_US: u64 = 2_000_000;

/// Latencies that are kept for the picture at the most.
const KEPT: usize = 50_000;

/// A snapshot of the last two seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Live {
    /// Served right now.
    pub clients: u64,
    /// Boards that somebody is on.
    pub boards: u64,
    /// Edits that got into their board, per second.
    pub edits_per_s: f64,
    /// From made to applied; none when nothing was edited.
    pub p99_ms: Option<f64>,
    /// Users that had to join again, since the beginning.
    pub reconnects: u64,
}

/// What users and the crowd share.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    pub(super) clients: AtomicU64,
    pub(super) boards: AtomicU64,
    pub(super) reconnects: AtomicU64,
    /// (when, latency), both in microseconds.
    recent: Mutex<VecDeque<(u64, u64)>>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            clients: AtomicU64::new(0),
            boards: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            recent: Mutex::new(VecDeque::new()),
        }
    }

    /// Microseconds since the crowd began.
    pub(super) fn now_us(&self) -> u64 {
        micros(self.began.elapsed())
    }

    pub(super) fn applied(&self, now_us: u64, latency_us: u64) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.len() >= KEPT || recent.front().is_some_and(|(at, _)| at + WINDOW_US < now_us) {
            recent.pop_front();
        }
        recent.push_back((now_us, latency_us));
    }

    pub(super) fn live(&self) -> Live {
        let now_us = self.now_us();
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = recent.into_iter().filter(|(at, _)| at + WINDOW_US >= now_us);
        let mut latencies: Vec<u64> = fresh.map(|(_, latency_us)| latency_us).collect();
        latencies.sort_unstable();
        let seconds = Duration::from_micros(WINDOW_US.min(now_us).max(1)).as_secs_f64();
        let count = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
        Live {
            clients: self.clients.load(Ordering::Relaxed),
            boards: self.boards.load(Ordering::Relaxed),
            edits_per_s: f64::from(count) / seconds,
            p99_ms: percentile(&latencies, 99).map(millis),
            reconnects: self.reconnects.load(Ordering::Relaxed),
        }
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_picture_forgets_what_is_older_than_two_seconds() {
        let pulse = Pulse::new();
        pulse.applied(pulse.now_us(), 90_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(pulse.live().p99_ms, None);
        for _ in 0..10 {
            pulse.applied(pulse.now_us(), 2_000);
        }
        let live = pulse.live();
        assert_eq!((live.edits_per_s, live.p99_ms), (5.0, Some(2.0)));
    }
}
