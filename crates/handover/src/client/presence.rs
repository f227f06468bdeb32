//! How long a client was without any open socket: the figure that promise P2 is about.
//!
//! Counted where sockets open and close, from the moment the client is first served until it leaves:
//! being led from the front door to the right server is still joining. A socket that the server has
//! closed does not count, whatever it was for.

use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presence {
    open: u32,
    served: bool,
    since: Option<Instant>,
    longest: Duration,
}

impl Presence {
    pub(super) fn opened(&mut self, at: Instant) {
        self.open += 1;
        if let Some(since) = self.since.take() {
            let without = at.saturating_duration_since(since);
            self.longest = self.longest.max(without);
        }
    }

    /// A server serves the client: from here on it has something to lose.
    pub(super) fn served(&mut self) {
        self.served = true;
    }

    pub(super) fn closed(&mut self, at: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.open == 0 && self.served {
            self.since = Some(at);
        }
    }

    /// The client left; what follows is no loss.
    pub(super) fn left(&mut self) {
        self.since = None;
    }

    /// The longest time without an open socket up to `now`. Zero before the client was served: nobody
    /// loses what he never had.
    pub fn longest_without(&self, now: Instant) -> Duration {
        let current = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.longest.max(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_without_any_socket_counts() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut presence = Presence::default();
        assert_eq!(presence.longest_without(at(50)), Duration::ZERO);
        presence.opened(at(60));
        presence.closed(at(70));
        presence.opened(at(100));
        assert_eq!(presence.longest_without(at(105)), Duration::ZERO, "it was led on, and not served yet");
        presence.served();
        presence.opened(at(110));
        presence.closed(at(120));
        assert_eq!(presence.longest_without(at(130)), Duration::ZERO);
        presence.closed(at(140));
        assert_eq!(presence.longest_without(at(147)), Duration::from_millis(7));
        presence.opened(at(150));
        presence.closed(at(160));
        presence.opened(at(163));
        assert_eq!(presence.longest_without(at(900)), Duration::from_millis(10));
    }
}
