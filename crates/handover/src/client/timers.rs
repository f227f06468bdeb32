//! The few timers of one client: names with a time, and one sleep for the earliest.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::state::Timer;

/// See the module.
#[derive(Debug)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Instant>,
    /// Made when the first timer is set, and used again for every later one.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { due: BTreeMap::new(), sleep: None }
    }

    /// Replaces a timer of the same name. A rejoin is spread over the second half of its wait, so
    /// that those who lost one server do not come back as one.
    pub(super) fn set(&mut self, timer: Timer, after: Duration) {
        let after = match timer {
            Timer::Rejoin => after.mul_f64(0.5 + fastrand::f64() / 2.0),
            Timer::Join
            | Timer::OfferDeadline
            | Timer::Reattach
            | Timer::OldGrace
            | Timer::Resume
            | Timer::Silence
            | Timer::Held => after,
        };
        self.due.insert(timer, Instant::now() + after);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.due.remove(&timer);
    }

    /// The next timer that runs out; pending for ever when there is none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Timer> {
        let Some((timer, at)) = self.due.iter().min_by_key(|(_, at)| **at) else {
            return Poll::Pending;
        };
        let (timer, at) = (*timer, *at);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.due.remove(&timer);
                Poll::Ready(timer)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
