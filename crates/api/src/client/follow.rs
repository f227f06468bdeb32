//! Seeing a release through to a state the caller waits for.
//!
//! The loop is the long poll, so a change shows within a round trip and a quiet release costs one request
//! per half minute. A daemon that is away for a while (it may be restarted in the middle of a release) is
//! waited for as long as `Patience` says.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use super::{Client, Fresh};
use crate::{ReleaseId, ReleaseView, Wait};

const LONG_POLL_S: u64 = 30;
/// A daemon, or a proxy, that answers long polls at once must not make a busy loop of us.
const POLL_EVERY_MS_MIN: u64 = 100;
const RETRY_EVERY_MS: u64 = 500;

/// How long to wait, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the release as a whole; `None` waits until it is done.
    pub total: Option<Duration>,
    /// For a daemon that does not answer, counted from its last answer.
    pub away: Duration,
}

impl Client {
    /// Shows `see` each new state of the release until it says `Break`.
    ///
    /// Returns the state at which it did, or `None` when the total patience ended first; the release goes
    /// on either way.
    pub async fn follow<F>(
        &self,
        id: &ReleaseId,
        patience: Patience,
        mut see: F,
    ) -> Result<Option<ReleaseView>, Error>
    where
        F: FnMut(&ReleaseView) -> ControlFlow<()> + Send,
    {
        let deadline = patience.total.map(|total| Instant::now() + total);
        let mut answered = Instant::now();
        let mut seen: Option<Fresh<ReleaseView>> = None;
        loop {
            let asked = Instant::now();
            let Some(wait) = next_wait(asked, deadline) else { return Ok(None) };
            match self.next_state(id, seen.as_ref(), wait).await {
                Ok(changed) => {
                    answered = Instant::now();
                    if let Some(fresh) = changed {
                        if see(&fresh.value).is_break() {
                            return Ok(Some(fresh.value));
                        }
                        seen = Some(fresh);
                    }
                    tokio::time::sleep_until(asked + Duration::from_millis(POLL_EVERY_MS_MIN)).await;
                }
                Err(error) if error.may_pass() && answered.elapsed() < patience.away => {
                    tracing::debug!(%error, release = %id, "asking again");
                    tokio::time::sleep(Duration::from_millis(RETRY_EVERY_MS)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn next_state(
        &self,
        id: &ReleaseId,
        seen: Option<&Fresh<ReleaseView>>,
        wait: Wait,
    ) -> Result<Option<Fresh<ReleaseView>>, Error> {
        match seen {
            Some(fresh) => self.release_after(id, &fresh.etag, wait).await,
            None => self.release(id).await.map(Some),
        }
    }
}

/// How long the next long poll may be held; `None` when the patience is at its end.
fn next_wait(now: Instant, deadline: Option<Instant>) -> Option<Wait> {
    let Some(deadline) = deadline else { return Some(Wait::at_most(LONG_POLL_S)) };
    let left = deadline.checked_duration_since(now).filter(|left| !left.is_zero())?;
    Some(Wait::at_most(left.as_secs().clamp(1, LONG_POLL_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_poll_never_outlasts_the_patience_by_more_than_a_second() {
        let now = Instant::now();
        assert_eq!(next_wait(now, None), Some(Wait::at_most(30)));
        assert_eq!(next_wait(now, Some(now + Duration::from_secs(7))), Some(Wait::at_most(7)));
        assert_eq!(next_wait(now, Some(now + Duration::from_millis(10))), Some(Wait::at_most(1)));
        assert_eq!(next_wait(now, Some(now)), None);
    }
}
