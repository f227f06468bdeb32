//! The one way a call leaves this crate: limited in number, in a span, counted, its failure put into the
//! engine's terms.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use segue_engine::ports::Class;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::Instrument;

use crate::errors::Failure;

/// Calls to one service that may be under way at one time, of those that read and of those that change something;
/// more wait for their turn.
const AT_ONCE: usize = 8;
/// So long a call that changes something waits for its turn. It ends before the engine gives it up, so that a call that
/// was never sent is not taken for one that may have happened. Who reads waits as long as the engine does.
pub(crate) const TURN_WITHIN: Duration = Duration::from_secs(3);

/// What something is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Look,
    Change,
}

/// How often each AWS call was made and how it ended, since the process started.
#[derive(Debug, Default)]
pub struct CallCounts(Mutex<BTreeMap<&'static str, Tally>>);

/// The ends of one kind of call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub done: u64,
    pub retry: u64,
    pub refused: u64,
    pub unknown: u64,
    pub bug: u64,
}

impl CallCounts {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// By the call's name as AWS spells it: `RunInstances`.
    pub fn totals(&self) -> BTreeMap<&'static str, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, call: &'static str, failed: Option<Class>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = counts.entry(call).or_default();
        let end = match failed {
            None => &mut tally.done,
            Some(Class::Retry) => &mut tally.retry,
            Some(Class::Refused) => &mut tally.refused,
            Some(Class::Unknown) => &mut tally.unknown,
            Some(Class::Bug) => &mut tally.bug,
        };
        *end = end.saturating_add(1);
    }
}

/// Runs the calls of one client.
#[derive(Debug)]
pub(crate) struct Calls {
    counts: Arc<CallCounts>,
    readings: Semaphore,
    changes: Semaphore,
}

impl Calls {
    pub(crate) fn new(counts: Arc<CallCounts>) -> Self {
        Self { counts, readings: Semaphore::new(AT_ONCE), changes: Semaphore::new(AT_ONCE) }
    }

    /// A call that changes nothing.
    pub(crate) async fn read<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // Some requests have a hundred fields: what holds them belongs on the heap.
        let sending = Box::pin(sending);
        let _turn = self.readings.acquire().await.expect("nobody closes the semaphore");
        self.send(call, sending).await
    }

    /// A reading that belongs to a change and is made right before it: it waits for no other reading either, and one that
    /// was never sent has changed nothing.
    pub(crate) async fn read_to_change<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let reading = timeout(TURN_WITHIN, self.change(call, sending)).await;
        reading.unwrap_or_else(|_elapsed| Err(Failure::unread(call)))
    }

    /// A reading that is made by itself, or to change what it shows.
    pub(crate) async fn read_for<T, E>(
        &self,
        purpose: Purpose,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match purpose {
            Purpose::Look => self.read(call, sending).await,
            Purpose::Change => self.read_to_change(call, sending).await,
        }
    }

    /// A call that changes something: it waits for no reading.
    pub(crate) async fn change<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let sending = Box::pin(sending);
        let Ok(turn) = timeout(TURN_WITHIN, self.changes.acquire()).await else {
            self.counts.count(call, Some(Class::Retry));
            return Err(Failure::unsent(call));
        };
        let _turn = turn.expect("nobody closes the semaphore");
        self.send(call, sending).await
    }

    async fn send<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let result = sending.instrument(tracing::debug_span!("aws", call)).await;
        let result = result.map_err(|error| Failure::of(call, &error));
        self.counts.count(call, result.as_ref().err().map(|failure| failure.class));
        result
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::operation::stop_instances::StopInstancesError;
    use segue_domain::ids::InstanceId;

    use super::*;
    use crate::stub::{Stub, answer, elb_answer, refusal};

    #[tokio::test]
    async fn every_call_is_counted_by_its_name_and_its_end() {
        let stub = Stub::start([
            (200, answer("StopInstances", "")),
            (503, refusal("RequestLimitExceeded")),
            (500, refusal("InternalError")),
            (200, elb_answer("RegisterTargets", "")),
        ])
        .await;
        let (cloud, balancer) = (stub.cloud().await, stub.balancer().await);
        let ids = [InstanceId::new("i-a")];
        for _ in 0..3 {
            drop(cloud.stop(&ids).await);
        }
        balancer.register(&"tg-a".into(), &ids).await.expect("registered");
        let totals = stub.counts.totals();
        assert_eq!(totals.keys().copied().collect::<Vec<_>>(), ["RegisterTargets", "StopInstances"]);
        let stops = totals["StopInstances"];
        assert_eq!((stops.done, stops.retry, stops.unknown), (1, 1, 1));
        assert_eq!((stops.refused, stops.bug), (0, 0));
        assert_eq!(totals["RegisterTargets"].done, 1);
    }

    type Sent = Result<(), SdkError<StopInstancesError, HttpResponse>>;

    #[tokio::test(start_paused = true)]
    async fn whoever_changes_something_waits_for_no_reading() {
        let calls = Calls::new(CallCounts::new());
        let endless = || calls.read("DescribeTargetHealth", std::future::pending::<Sent>());
        let many = futures_util::future::join_all((0..2 * AT_ONCE).map(|_| endless()));
        tokio::select! {
            biased;
            _ = many => panic!("they never end"),
            changed = calls.change("RegisterTargets", std::future::ready::<Sent>(Ok(()))) => {
                changed.expect("it was sent at once");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_whose_turn_does_not_come_was_not_sent_and_says_so() {
        let calls = Calls::new(CallCounts::new());
        let endless = || calls.change("StopInstances", std::future::pending::<Sent>());
        let many = futures_util::future::join_all((0..AT_ONCE).map(|_| endless()));
        let unsent = tokio::select! {
            biased;
            _ = many => panic!("they never end"),
            changed = calls.change("RegisterTargets", std::future::pending::<Sent>()) => changed,
        };
        let failure = unsent.expect_err("there was no turn");
        assert_eq!(failure.class, Class::Retry);
        assert!(failure.what.contains("was not sent"), "{failure:?}");
        assert_eq!(calls.counts.totals()["RegisterTargets"].retry, 1);
    }
}
