//! Effects in flight: each a task of its own, all of them gone when the loop is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use segue_domain::effect::{Effect, Intent};
use segue_domain::event::Event;
use segue_domain::ids::EffectId;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument;

use crate::act::{Acted, act};
use crate::book::AddressBook;
use crate::outside::Outside;
use crate::ports::{WHAT_MAX_BYTES, brief};

/// The effects of one release that are under way.
pub(super) struct Flights {
    tasks: JoinSet<Acted>,
    /// Those that have ended, and were not told yet.
    landed: Vec<Landing>,
    intents: BTreeMap<Id, Arc<Intent>>,
}

/// An effect that ended.
pub(super) struct Landing {
    pub(super) id: EffectId,
    pub(super) attempt: u32,
    pub(super) acted: Acted,
}

impl Landing {
    pub(super) fn event(&self) -> Event {
        let Self { id, attempt, acted } = self;
        Event::Ended { id: id.clone(), attempt: *attempt, outcome: acted.outcome.clone() }
    }
}

impl Flights {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), landed: Vec::new(), intents: BTreeMap::new() }
    }

    /// Those whose end is not written yet.
    pub(super) fn len(&self) -> usize {
        self.tasks.len() + self.landed.len()
    }

    /// Those of them that run somebody's command, or send requests for minutes.
    pub(super) fn hooks(&self) -> usize {
        self.intents.values().filter(|intent| is_hook(&intent.effect)).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.landed.is_empty()
    }

    pub(super) fn begin(&mut self, outside: Arc<Outside>, book: Arc<AddressBook>, intent: Intent) {
        let intent = Arc::new(intent);
        let span = tracing::info_span!("effect", id = %intent.id, attempt = intent.attempt);
        let of_task = Arc::clone(&intent);
        let task = async move { act(&outside, &book, &of_task).await };
        let handle = self.tasks.spawn(task.instrument(span));
        self.intents.insert(handle.id(), intent);
    }

    /// Waits for one to end, and takes all that have by then. For ever when none is in flight. Nothing is lost when it
    /// is not waited for any more.
    pub(super) async fn next_landings(&mut self) -> Vec<Landing> {
        if self.is_empty() {
            return std::future::pending().await;
        }
        if self.landed.is_empty()
            && let Some(ended) = self.tasks.join_next_with_id().await
        {
            self.land(ended);
        }
        self.landed_by_now()
    }

    /// Waits for the last one to end. For ever when none is in flight. Nothing is lost when it is not waited for any
    /// more.
    pub(super) async fn last_landing(&mut self) {
        if self.is_empty() {
            return std::future::pending().await;
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.land(ended);
        }
    }

    /// All that have ended by now.
    pub(super) fn landed_by_now(&mut self) -> Vec<Landing> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.land(ended);
        }
        std::mem::take(&mut self.landed)
    }

    fn land(&mut self, ended: Result<(Id, Acted), JoinError>) {
        let (task, acted) = match ended {
            Ok((task, acted)) => (task, acted),
            Err(error) => (error.id(), broken(&error)),
        };
        if let Some(intent) = self.intents.remove(&task) {
            let acted = acted.for_effect(&intent.effect);
            self.landed.push(Landing { id: intent.id.clone(), attempt: intent.attempt, acted });
        }
    }
}

/// It runs on the daemon's own machine.
pub(super) fn is_hook(effect: &Effect) -> bool {
    matches!(effect, Effect::Configure { .. } | Effect::WarmUp { .. })
}

/// An executor that panicked. A panic's message can have any length.
fn broken(error: &JoinError) -> Acted {
    Acted::broken(brief(format!("an effect's executor broke down: {error}"), WHAT_MAX_BYTES))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use segue_domain::effect::{Done, Outcome};
    use segue_domain::ids::InstanceId;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// A close that takes so many seconds.
    fn begin(flights: &mut Flights, seconds: u64) {
        let task = flights.tasks.spawn(async move {
            sleep(Duration::from_secs(seconds)).await;
            Acted { outcome: Outcome::Done(Done::Nothing), bug: None }
        });
        let effect = Effect::CloseToNew { instance: InstanceId::new(format!("i-{seconds}")) };
        let intent = Intent { id: EffectId::new(seconds.to_string()), attempt: 1, effect };
        flights.intents.insert(task.id(), Arc::new(intent));
    }

    fn ids(landings: &[Landing]) -> Vec<&str> {
        landings.iter().map(|landing| landing.id.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_landed_while_the_last_one_was_waited_for_is_told_though_nobody_waited_to_the_end() {
        let mut flights = Flights::new();
        begin(&mut flights, 1);
        begin(&mut flights, 3);
        assert!(timeout(Duration::from_secs(2), flights.last_landing()).await.is_err(), "one is in flight");
        assert_eq!(ids(&flights.next_landings().await), ["1"]);
        flights.last_landing().await;
        assert!(!flights.is_empty(), "nobody was told of it");
        assert_eq!(ids(&flights.next_landings().await), ["3"]);
        assert!(flights.is_empty());
    }
}
