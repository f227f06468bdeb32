//! The way out: every call at a port goes through [`Outside::ask`], which gives it a limit of time, a place
//! among the calls that may run at once, a span and a line in the statistics.
//!
//! It deliberately does not repeat anything: [`crate::retry`] does, and nothing else may.

mod pacer;
mod ports;
mod stats;
mod term;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use segue_domain::service::WAVES_AT_ONCE_MAX;
use segue_domain::time::Timestamp;
use segue_journal::Moment;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::Instrument;

use crate::ports::{CallError, Entropy};

pub(crate) use pacer::Pacer;
pub use pacer::{BALANCER_CALLS_PER_S, Pacing};
pub use ports::Ports;
pub use stats::{CallStat, CallStats};
pub use term::Term;

/// So many servers are read within the limit of one reading.
const SERVERS_IN_TIME: usize = 1_000;

/// How long a call may take, how often it is tried and how many run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// One reading of one source.
    pub read_timeout: Duration,
    /// One listing of all instances: thousands come in many pages, one after the other.
    pub list_timeout: Duration,
    /// One try of one mutating call.
    pub write_timeout: Duration,
    /// One run of an operator's command or of the warm-up requests.
    pub hook_timeout: Duration,
    /// Tries of one mutating call, the first one included.
    pub tries: u32,
    /// The pause after the first failed try is at most this; it doubles with each one.
    pub pause_first: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
    /// Readings that run at once.
    pub readings_at_once: usize,
    /// Calls that run at once and change something. No more effects are in flight: a written intent waits for no place.
    pub deeds_at_once: usize,
    /// Lists of a server's boards that are read at once: each is a body and all its rows, and there are as many as
    /// servers. With half as many a wave waits for lists longer than for its boards.
    pub lists_at_once: usize,
    /// Waves that are carried out at once; the others of a large fleet wait for their turn. Each has
    /// connections to the servers of its lane.
    pub waves_at_once: usize,
    /// Boards that are between seal and activate at once, all waves of the service together; the policy's
    /// `switching_at_once` is for one wave.
    pub switches_at_once: usize,
    /// How often the new servers are asked who has attached.
    pub attach_poll: Duration,
    /// Items of one plural control call.
    pub items_at_once: usize,
    /// Whether calls at AWS keep to its token buckets.
    pub pacing: Pacing,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(5),
            list_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(8),
            hook_timeout: Duration::from_mins(10),
            tries: 4,
            pause_first: Duration::from_millis(200),
            pause_max: Duration::from_secs(5),
            readings_at_once: 256,
            deeds_at_once: 512,
            lists_at_once: 64,
            waves_at_once: usize::try_from(WAVES_AT_ONCE_MAX).unwrap_or(usize::MAX),
            switches_at_once: 200,
            attach_poll: Duration::from_millis(50),
            items_at_once: 200,
            pacing: Pacing::Published,
        }
    }
}

/// What a call is named in spans, statistics and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub port: &'static str,
    pub method: &'static str,
}

/// In which line a call waits for its place. Whoever changes something waits for no reading, who ends the wait of a
/// board's users for nobody, and nobody at all for somebody's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Reading,
    Deed,
    /// It ends somebody's wait: it takes a sealed board over, or back. There are no more of them than boards that are
    /// switched, so they need no places.
    Relief,
    /// It may take minutes; there are as many as there are effects in flight.
    Hook,
}

impl Call {
    pub(crate) const fn new(port: &'static str, method: &'static str) -> Self {
        Self { port, method }
    }
}

/// One service's outside world, spoken to under one term of the lease.
pub struct Outside {
    pub ports: Ports,
    pub limits: Limits,
    pub term: Arc<Term>,
    pub entropy: Arc<dyn Entropy>,
    pub stats: Arc<CallStats>,
    /// Shared by everybody who spends the same tokens.
    pub(crate) pacer: Arc<Pacer>,
    /// Since when it is looked at under this term: what was written before was so by another daemon's clock.
    pub(crate) watched_since: Timestamp,
    readings: Semaphore,
    deeds: Semaphore,
    lists: Semaphore,
    waves: Semaphore,
    switches: Semaphore,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside")
            .field("limits", &self.limits)
            .field("term", &self.term)
            .finish_non_exhaustive()
    }
}

impl Outside {
    pub fn new(
        ports: Ports,
        limits: Limits,
        term: Arc<Term>,
        entropy: Arc<dyn Entropy>,
        stats: Arc<CallStats>,
    ) -> Self {
        let readings = Semaphore::new(limits.readings_at_once);
        let deeds = Semaphore::new(limits.deeds_at_once);
        let lists = Semaphore::new(limits.lists_at_once);
        let waves = Semaphore::new(limits.waves_at_once);
        let switches = Semaphore::new(limits.switches_at_once);
        let pacer = Arc::new(Pacer::new(limits.pacing));
        let watched_since = Timestamp::from_ms(0);
        Self {
            ports,
            limits,
            term,
            entropy,
            stats,
            pacer,
            watched_since,
            readings,
            deeds,
            lists,
            waves,
            switches,
        }
    }

    /// It is looked at from now on.
    pub(crate) fn watched_since(self, now: Timestamp) -> Self {
        Self { watched_since: now, ..self }
    }

    /// Spends the tokens of others as well.
    pub(crate) fn paced_by(self, pacer: Arc<Pacer>) -> Self {
        Self { pacer, ..self }
    }

    /// One try of one call, over within `limit`, its wait for a place included. A call that gives no answer in
    /// time may have happened.
    pub(crate) async fn ask<T>(
        &self,
        line: Line,
        call: Call,
        limit: Duration,
        answer: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let span = tracing::debug_span!("call", port = call.port, method = call.method);
        let began = Instant::now();
        // Whoever looks only, or is told to run for minutes, needs no lease for that.
        let asked = matches!(line, Line::Deed | Line::Relief).then(Moment::now);
        let is_over = || asked.is_some_and(|asked| Moment::now().since(asked) >= limit);
        let result = async {
            let deadline = began + limit;
            let _place = self.place(line, deadline).await?;
            tokio::select! {
                biased;
                () = sleep_until(deadline) => Err(no_answer(call, limit)),
                answered = unless(is_over, answer) => answered.unwrap_or_else(|| Err(no_answer(call, limit))),
            }
        }
        .instrument(span)
        .await;
        self.stats.count(call, began.elapsed(), result.as_ref().err().map(|error| error.class));
        result
    }

    async fn place(&self, line: Line, deadline: Instant) -> Result<Option<SemaphorePermit<'_>>, CallError> {
        let places = match line {
            Line::Reading => &self.readings,
            Line::Deed => &self.deeds,
            Line::Relief | Line::Hook => return Ok(None),
        };
        match timeout_at(deadline, places.acquire()).await {
            Ok(Ok(place)) => Ok(Some(place)),
            Ok(Err(_closed)) => Err(CallError::bug("the places of calls were closed")),
            Err(_elapsed) => Err(CallError::retry("too many calls are under way")),
        }
    }

    /// One reading. It is not repeated here: the next tick reads again.
    pub(crate) async fn read<T>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.ask(Line::Reading, call, self.limits.read_timeout, answer).await
    }

    /// One reading of many servers at once: it may take the longer the more they are, up to a listing's limit.
    pub(crate) async fn read_of<T>(
        &self,
        servers: usize,
        call: Call,
        answer: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let times = u32::try_from(servers / SERVERS_IN_TIME).unwrap_or(u32::MAX).saturating_add(1);
        let limit = self.limits.read_timeout.saturating_mul(times);
        let limit = limit.min(self.limits.list_timeout.max(self.limits.read_timeout));
        self.ask(Line::Reading, call, limit, answer).await
    }

    /// One reading that takes much memory, and waits for its turn as long as a listing may take. Nothing of it is made
    /// before.
    pub(crate) async fn read_in_turn<T, F>(
        &self,
        call: Call,
        answer: impl FnOnce() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let Ok(Ok(_turn)) = timeout(self.limits.list_timeout, self.lists.acquire()).await else {
            return Err(CallError::retry("too many lists are being read"));
        };
        self.read(call, answer()).await
    }

    /// A place for one wave, or none. It is not waited for: a wave that begins later would not know of an abort.
    pub(crate) fn wave_turn(&self) -> Result<SemaphorePermit<'_>, CallError> {
        self.waves.try_acquire().map_err(|_full| CallError::retry("as many waves as may be are under way"))
    }

    /// A place for one board from its seal to its activate, if there is one before `until`.
    pub(crate) async fn switching(&self, until: Instant) -> Result<SemaphorePermit<'_>, CallError> {
        match timeout_at(until, self.switches.acquire()).await {
            Ok(Ok(place)) if Instant::now() < until => Ok(place),
            Ok(Ok(_)) | Err(_) => Err(CallError::retry("its turn came too late")),
            Ok(Err(closed)) => Err(CallError::bug(closed.to_string())),
        }
    }
}

/// The answer, unless its time is over: then nothing more is done for it. A daemon that was stopped, or whose machine
/// slept, finds the call's first request answered when it goes on, and would send the next one, under a lease that may be
/// another's by now. The clock of deadlines stands still in a sleep: it does not tell.
async fn unless<T>(is_over: impl Fn() -> bool, answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    poll_fn(|context| if is_over() { Poll::Ready(None) } else { answer.as_mut().poll(context).map(Some) })
        .await
}

fn no_answer(call: Call, limit: Duration) -> CallError {
    CallError::unknown(format!(
        "{}.{} gave no answer within {} ms",
        call.port,
        call.method,
        limit.as_millis()
    ))
}

#[cfg(test)]
mod tests;
