//! Tells the store that this server lives, for as long as it does. Others take its boards when it is not
//! heard for too long, so one heartbeat that is slow to be taken must not hold up the next.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Inner;

/// The fastest that makes sense; a clock cannot tick every zero seconds.
const LEAST_PERIOD: Duration = Duration::from_millis(1);

pub(super) async fn beat(server: Weak<Inner>) {
    let Some(every) = server.upgrade().map(|server| server.config.heartbeat_every.max(LEAST_PERIOD)) else {
        return;
    };
    let mut due = tokio::time::interval(every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_heard = true;
    loop {
        due.tick().await;
        let Some(server) = server.upgrade() else { return };
        let connect = server.published_connect();
        let beat = server.store.heartbeat(&server.settings.server, connect.as_ref());
        let limit = every.min(server.config.store_timeout);
        let is_heard = matches!(tokio::time::timeout(limit, beat).await, Ok(Ok(())));
        if was_heard && !is_heard {
            tracing::warn!(server = %server.settings.server, "the store does not take heartbeats");
        }
        was_heard = is_heard;
    }
}
