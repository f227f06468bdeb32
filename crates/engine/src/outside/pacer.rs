//! AWS's published token buckets, kept on our side as well: what would find its bucket empty is not begun.
//!
//! A call that AWS throttles costs its tries and brings nothing, and what was begun must end before a release can turn
//! back. So an effect takes its tokens before its intent is written, or waits for the next look. Others use the same
//! account: where they were quicker AWS throttles all the same, and the effect is tried again.
//!
//! Sources: EC2 developer guide, "Request throttling for the Amazon EC2 API"; Elastic Load Balancing, "API throttling".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use segue_domain::effect::Effect;
use tokio::time::Instant;

use crate::ports::CallError;

/// Whether there are buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// Those that AWS publishes, of an account without a raised limit.
    #[default]
    Published,
    /// None: a stand-in for AWS that counts nothing.
    Off,
}

/// A bucket: what it is for, how many tokens it holds, and how many flow in each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    name: &'static str,
    most: u32,
    per_s: u32,
}

impl Bucket {
    const fn of(name: &'static str, most: u32, per_s: u32) -> Self {
        Self { name, most, per_s }
    }
}

const RUN_CALLS: Bucket = Bucket::of("RunInstances", 5, 2);
const RUN_INSTANCES: Bucket = Bucket::of("instances of RunInstances", 1_000, 2);
const START_CALLS: Bucket = Bucket::of("StartInstances", 5, 2);
const START_INSTANCES: Bucket = Bucket::of("instances of StartInstances", 1_000, 2);
const STOP_CALLS: Bucket = Bucket::of("StopInstances", 50, 5);
const STOP_INSTANCES: Bucket = Bucket::of("instances of StopInstances", 1_000, 20);
const TERMINATE_CALLS: Bucket = Bucket::of("TerminateInstances", 100, 5);
const TERMINATE_INSTANCES: Bucket = Bucket::of("instances of TerminateInstances", 1_000, 20);
const TARGET_CALLS: Bucket = Bucket::of("RegisterTargets and DeregisterTargets", 20, 4);
const FORWARD_CALLS: Bucket = Bucket::of("changes of Elastic Load Balancing", 20, 3);

/// Calls in each second that an account may go on making in a region, all actions of Elastic Load Balancing together.
/// Source: Elastic Load Balancing, "API throttling".
pub const BALANCER_CALLS_PER_S: u32 = 10;

const BALANCER_CALLS: Bucket = Bucket::of("Elastic Load Balancing", 40, BALANCER_CALLS_PER_S);

/// A look that takes longer is too old to be acted on.
const TURN_MAX: Duration = Duration::from_secs(30);

/// The buckets of one account in one region.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    pacing: Pacing,
    left: Mutex<BTreeMap<&'static str, Left>>,
}

/// Tokens that were left at a time.
#[derive(Debug, Clone, Copy)]
struct Left {
    tokens: f64,
    at: Instant,
}

impl Pacer {
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self { pacing, left: Mutex::default() }
    }

    /// Takes the tokens of one try of an effect; whether all of them were there. Otherwise none is taken.
    pub(crate) fn takes(&self, effect: &Effect) -> bool {
        if self.pacing == Pacing::Off {
            return true;
        }
        let now = Instant::now();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = tokens_of(effect);
        let are_there = wanted.iter().all(|(bucket, count)| {
            // What is more than a bucket can hold begins when it is full.
            level(&left, *bucket, now) >= f64::from((*count).min(bucket.most))
        });
        if are_there {
            for (bucket, count) in wanted {
                let tokens = level(&left, bucket, now) - f64::from(count);
                left.insert(bucket.name, Left { tokens, at: now });
            }
        }
        are_there
    }

    /// Returns when one call more may be made at Elastic Load Balancing, in the order of those who asked. A look at
    /// a hundred groups takes its time: all at once would find the bucket empty.
    ///
    /// # Errors
    /// The turn would come later than a look can wait for: then nothing is read, and that is what is told.
    pub(crate) async fn balancer_turn(&self) -> Result<(), CallError> {
        self.balancer_turns(1).await
    }

    /// The same for so many calls, one after the other: a look that begins meanwhile does not come between them.
    ///
    /// # Errors
    /// As [`Self::balancer_turn`].
    pub(crate) async fn balancer_turns(&self, count: u32) -> Result<(), CallError> {
        if self.pacing == Pacing::Off || count == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let wait = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let tokens = level(&left, BALANCER_CALLS, now) - f64::from(count);
            let wait = Duration::from_secs_f64((-tokens).max(0.0) / f64::from(BALANCER_CALLS.per_s));
            if wait > TURN_MAX {
                return Err(CallError::retry(format!(
                    "the published rate of Elastic Load Balancing has no room for it within {} s",
                    TURN_MAX.as_secs()
                )));
            }
            left.insert(BALANCER_CALLS.name, Left { tokens, at: now });
            wait
        };
        let mut turn = Turn { pacer: self, count, has_come: false };
        tokio::time::sleep(wait).await;
        turn.has_come = true;
        Ok(())
    }
}

/// Tokens of the load balancer's that were taken beforehand. Whoever does not wait for its turn gives them back: a look
/// that is given up has made no call.
struct Turn<'a> {
    pacer: &'a Pacer,
    count: u32,
    has_come: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.has_come {
            self.pacer.take_back(self.count);
        }
    }
}

impl Pacer {
    /// Those behind keep their times, so the rate is never passed.
    fn take_back(&self, count: u32) {
        let now = Instant::now();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens =
            (level(&left, BALANCER_CALLS, now) + f64::from(count)).min(f64::from(BALANCER_CALLS.most));
        left.insert(BALANCER_CALLS.name, Left { tokens, at: now });
    }
}

fn level(left: &BTreeMap<&'static str, Left>, bucket: Bucket, now: Instant) -> f64 {
    let full = f64::from(bucket.most);
    left.get(bucket.name).map_or(full, |left| {
        let since = now.saturating_duration_since(left.at).as_secs_f64();
        (left.tokens + since * f64::from(bucket.per_s)).min(full)
    })
}

/// What one try of an effect takes. Calls at the application take nothing of AWS.
fn tokens_of(effect: &Effect) -> Vec<(Bucket, u32)> {
    let count = |instances: &[_]| u32::try_from(instances.len()).unwrap_or(u32::MAX);
    match effect {
        Effect::Launch(batch) => vec![(RUN_CALLS, 1), (RUN_INSTANCES, batch.count)],
        Effect::Start { instances } => vec![(START_CALLS, 1), (START_INSTANCES, count(instances))],
        Effect::Stop { instances } => vec![(STOP_CALLS, 1), (STOP_INSTANCES, count(instances))],
        Effect::Terminate { instances } => {
            vec![(TERMINATE_CALLS, 1), (TERMINATE_INSTANCES, count(instances))]
        }
        Effect::Register { .. } | Effect::Deregister { .. } => vec![(TARGET_CALLS, 1)],
        Effect::SetWeights { .. } => vec![(FORWARD_CALLS, 1)],
        Effect::Open { .. }
        | Effect::CloseToNew { .. }
        | Effect::Configure { .. }
        | Effect::WarmUp { .. }
        | Effect::Move(_)
        | Effect::Drain { .. }
        | Effect::Announce { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::InstanceId;

    use super::*;

    fn stop(count: usize) -> Effect {
        Effect::Stop { instances: (0..count).map(|n| InstanceId::new(format!("i-{n}"))).collect() }
    }

    /// An effect of two calls, and a look that begins while it waits for its turn.
    #[tokio::test(start_paused = true)]
    async fn a_look_does_not_come_between_the_calls_of_one_effect() {
        let pacer = Pacer::default();
        for _ in 0..40 {
            pacer.balancer_turn().await.unwrap();
        }
        let began = Instant::now();
        let effect = async {
            pacer.balancer_turns(2).await.unwrap();
            began.elapsed()
        };
        let look = futures_util::future::join_all((0..100).map(|_| pacer.balancer_turn()));
        let (took, turns) = futures_util::future::join(effect, look).await;
        assert!(took < Duration::from_millis(300), "two calls had their turn after {took:?}");
        assert!(turns.iter().all(Result::is_ok) && began.elapsed() > Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_nobody_waited_for_is_given_back() {
        let pacer = Pacer::default();
        for _ in 0..40 {
            pacer.balancer_turn().await.unwrap();
        }
        for _ in 0..50 {
            let gave_up = tokio::time::timeout(Duration::from_millis(1), pacer.balancer_turn()).await;
            assert!(gave_up.is_err());
        }
        let before = Instant::now();
        pacer.balancer_turn().await.unwrap();
        assert!(before.elapsed() <= Duration::from_millis(101), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_are_stopped_at_once_and_then_twenty_a_second() {
        let pacer = Pacer::default();
        assert_eq!((0..20).filter(|_| pacer.takes(&stop(100))).count(), 10);
        tokio::time::advance(Duration::from_millis(4_900)).await;
        assert!(!pacer.takes(&stop(100)));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(pacer.takes(&stop(100)));
        assert!(!pacer.takes(&stop(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_more_than_a_bucket_holds_is_begun_when_it_is_full() {
        let pacer = Pacer::default();
        assert!(pacer.takes(&stop(1_500)));
        tokio::time::advance(Duration::from_secs(74)).await;
        assert!(!pacer.takes(&stop(1_500)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pacer.takes(&stop(1_500)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_at_a_hundred_groups_takes_six_seconds() {
        let (pacer, began) = (Pacer::default(), Instant::now());
        let turns = futures_util::future::join_all((0..100).map(|_| pacer.balancer_turn())).await;
        assert!(turns.iter().all(Result::is_ok));
        assert_eq!(began.elapsed().as_millis(), 6_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_would_come_too_late_is_not_waited_for() {
        let (pacer, began) = (Pacer::default(), Instant::now());
        let turns = futures_util::future::join_all((0..1_000).map(|_| pacer.balancer_turn())).await;
        assert_eq!(turns.iter().filter(|turn| turn.is_ok()).count(), 40 + 300);
        assert_eq!(began.elapsed(), TURN_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_to_the_application_takes_nothing_of_aws() {
        let pacer = Pacer::default();
        let close = Effect::CloseToNew { instance: InstanceId::new("i-1") };
        assert!((0..10_000).all(|_| pacer.takes(&close)));
    }
}
