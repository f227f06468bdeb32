//! How long a client waits for what, and how much it keeps.

use std::time::Duration;

use crate::wire::OLD_SOCKET_GRACE_MS;

/// The client's patience.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From opening a socket to `welcome`.
    pub join: Duration,
    /// Between two joins that failed: the first wait, doubled up to the last.
    pub rejoin_first: Duration,
    pub rejoin_last: Duration,
    /// How long a client whose server died waits for `go` on a standby before it asks elsewhere too.
    pub standby_first: Duration,
    /// Between two attempts to attach, and how many there are.
    pub reattach: Duration,
    pub attach_attempts: u32,
    /// How long the old socket is read after `go`.
    pub old_grace: Duration,
    /// How long the answer to `resume` may take.
    pub resume: Duration,
    /// A server that says nothing for so long, pings included, is gone. Found out within twice the time.
    /// Servers ping every 20 s.
    pub silence: Duration,
    /// How long edits wait behind a seal before the client joins again. The seal ends by itself much
    /// sooner; this is for a client that was not told.
    pub held: Duration,
    /// The longest deadline of an offer that is believed.
    pub longest_offer: Duration,
    /// Edits that may wait for their durable acknowledgement.
    pub max_kept: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            join: Duration::from_secs(5),
            rejoin_first: Duration::from_millis(50),
            rejoin_last: Duration::from_secs(2),
            standby_first: Duration::from_millis(200),
            reattach: Duration::from_millis(250),
            attach_attempts: 5,
            old_grace: Duration::from_millis(OLD_SOCKET_GRACE_MS),
            resume: Duration::from_secs(2),
            silence: Duration::from_secs(45),
            held: Duration::from_secs(15),
            longest_offer: Duration::from_hours(2),
            max_kept: 10_000,
        }
    }
}
