//! The one layer that tries again. The SDKs' own retries are off, ports make one try, readings are read again
//! by the next tick; what is left are mutating calls, and they come through here.
//!
//! The lease is looked at right before each try, so a daemon that stalled does not act late.

use std::time::Duration;

use crate::outside::{Call, Line, Outside};
use crate::ports::{CallError, Class, Entropy};

/// Which failures may be followed by another try of the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Only what left nothing behind. What may have happened is observed first.
    NothingHappened,
    /// Also what may have happened: the other side knows the call by an id and does it once.
    KnownById,
}

impl Outside {
    /// A mutating call, tried until it goes through, is refused, or the tries are used up.
    pub(crate) async fn write<T, F>(
        &self,
        call: Call,
        repeat: Repeat,
        make: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.write_within(call, repeat, self.limits.write_timeout, make).await
    }

    /// The same with its own limit for one try, shorter than a write's.
    pub(crate) async fn write_within<T, F>(
        &self,
        call: Call,
        repeat: Repeat,
        limit: Duration,
        make: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.tried(Line::Deed, call, repeat, limit, make).await
    }

    /// The same for a call that ends the wait of a board's users: it waits for nobody.
    pub(crate) async fn relieve<T, F>(
        &self,
        call: Call,
        limit: Duration,
        make: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.tried(Line::Relief, call, Repeat::KnownById, limit, make).await
    }

    /// An operator's command. It is safe to repeat, and may run for longer than a lease: only its start is
    /// guarded.
    pub(crate) async fn hook<T, F>(&self, call: Call, make: impl FnMut() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.tried(Line::Hook, call, Repeat::NothingHappened, self.limits.hook_timeout, make).await
    }

    async fn tried<T, F>(
        &self,
        line: Line,
        call: Call,
        repeat: Repeat,
        limit: Duration,
        mut make: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut tries = 0;
        let mut happened = Happened::Never;
        loop {
            // This try is not sent; what became of those before it is another question.
            if !self.term.outlasts(limit.min(self.limits.write_timeout)) {
                let unsent = CallError::retry(format!("the lease ends before {} would", call.method));
                return Err(happened.colour(unsent));
            }
            // Made when it has its place: thousands may wait for theirs.
            let error = match self.ask(line, call, limit, async { make().await }).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            tries += 1;
            if error.class == Class::Unknown {
                happened = Happened::Perhaps;
            }
            if tries >= self.limits.tries || !may_follow(error.class, repeat) {
                return Err(happened.colour(error));
            }
            let pause = self.pause(tries);
            tracing::debug!(port = call.port, method = call.method, tries, %error, ?pause, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Full jitter: anywhere from nothing to a bound that doubles with each failed try.
    /// Source: "Exponential Backoff And Jitter", AWS Architecture Blog.
    fn pause(&self, tries: u32) -> Duration {
        full_jitter(self.limits.pause_first, self.limits.pause_max, tries, self.entropy.as_ref())
    }
}

/// What an earlier try may have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happened {
    Never,
    Perhaps,
}

impl Happened {
    /// After a try that may have happened no later one can say that nothing did, not even by refusing: a
    /// launch that is refused for want of room may have found the room at the first try.
    fn colour(self, error: CallError) -> CallError {
        match (self, error.class) {
            (Self::Perhaps, Class::Retry | Class::Refused) => CallError::unknown(error.what),
            (Self::Perhaps, Class::Unknown | Class::Bug) | (Self::Never, _) => error,
        }
    }
}

fn may_follow(class: Class, repeat: Repeat) -> bool {
    match class {
        Class::Retry => true,
        Class::Unknown => repeat == Repeat::KnownById,
        Class::Refused | Class::Bug => false,
    }
}

/// A pause after `tries` failed tries.
pub(crate) fn full_jitter(first: Duration, max: Duration, tries: u32, entropy: &dyn Entropy) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    let bound = first.saturating_mul(doubled).min(max);
    let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(entropy.below(bound_ms.saturating_add(1)))
}

#[cfg(test)]
mod tests;
