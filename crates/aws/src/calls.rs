//! The one way a call leaves this crate: limited in number, in a span, counted, its failure put into the
//! engine's terms.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use segue_engine::ports::Class;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::errors::Failure;

/// Calls to one service that may be under way at one time; more wait, each at most as long as the SDK's
/// limits allow those before it.
const AT_ONCE: usize = 8;

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
    turns: Semaphore,
}

impl Calls {
    pub(crate) fn new(counts: Arc<CallCounts>) -> Self {
        Self { counts, turns: Semaphore::new(AT_ONCE) }
    }

    pub(crate) async fn run<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let _turn = self.turns.acquire().await.expect("nobody closes the semaphore");
        let result = sending.instrument(tracing::debug_span!("aws", call)).await;
        let result = result.map_err(|error| Failure::of(call, &error));
        self.counts.count(call, result.as_ref().err().map(|failure| failure.class));
        result
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::InstanceId;

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
}
