//! What is read for the plan of an adoption. Nobody's book is held meanwhile: servers answer when they like.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use segue_domain::app::AppStatus;
use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::instance::InstanceState;
use segue_domain::reading::{Reading, Why};
use segue_domain::refusal::Refusal;
use segue_domain::stranger::Stranger;
use segue_domain::target::Targets;
use tokio::time::{Instant, sleep};

use super::super::Desk;
use super::super::start::seen;
use crate::observe;
use crate::outside::{Call, Line};
use crate::ports::Target;

const STRANGERS: Call = Call::new("cloud", "strangers");
/// What was seen longer ago is looked at anew: another service may have tagged a server since.
const FRESH: Duration = Duration::from_secs(10);
/// So many servers are seen within that time, also by an EC2 that is slow.
const SEEN_IN_TIME: usize = 1_000;
/// Servers that are asked for their version at once.
const AT_ONCE: usize = 32;
/// All of them together: whoever waits for the plan does so for some seconds only.
const ANSWERED_WITHIN: Duration = Duration::from_secs(6);

/// All of it, or there is no plan; only an application may be silent.
pub(super) struct Sight {
    pub(super) targets: BTreeMap<GroupArn, Targets>,
    pub(super) servers: BTreeMap<InstanceId, Stranger>,
    pub(super) apps: BTreeMap<InstanceId, Reading<AppStatus>>,
    /// When it was begun to be read.
    began: Instant,
}

impl Sight {
    /// Nothing of it is older than what is seen of a few may be, or than it takes to see so many.
    pub(super) fn is_fresh(&self) -> bool {
        let times = u32::try_from(self.servers.len() / SEEN_IN_TIME).unwrap_or(u32::MAX).saturating_add(1);
        self.began.elapsed() <= FRESH.saturating_mul(times)
    }
}

impl Desk {
    /// Reads what a plan needs of the servers that are chosen once it is known who is registered.
    pub(super) async fn adoption_sight(
        &self,
        choose: impl FnOnce(&BTreeMap<GroupArn, Targets>) -> BTreeSet<InstanceId>,
    ) -> Result<Sight, Refusal> {
        let began = Instant::now();
        let (routing, outside) = (&self.setup.service.routing, &self.outside);
        let groups = routing.forwarded().chain(routing.slot_groups()).cloned().collect();
        let targets = observe::targets(outside, groups).await;
        let targets = targets.into_iter().map(|(group, reading)| Ok((group, seen(reading)?)));
        let targets = targets.collect::<Result<_, Refusal>>()?;
        let chosen = choose(&targets);
        // Thousands are listed in many calls, one after the other.
        let listing = outside.ports.cloud.strangers(&chosen);
        let servers = outside.ask(Line::Reading, STRANGERS, outside.limits.list_timeout, listing).await;
        let servers = servers.map_err(|error| Refusal::CannotSee { what: error.what })?;
        let apps = self.ask_each(&servers).await;
        Ok(Sight { targets, servers, apps, began })
    }

    /// What each that runs says of itself.
    async fn ask_each(
        &self,
        servers: &BTreeMap<InstanceId, Stranger>,
    ) -> BTreeMap<InstanceId, Reading<AppStatus>> {
        let running = servers.values().filter(|it| it.state == InstanceState::Running);
        let late = || Reading::Unknown(Why::Unreachable("it was silent for too long".to_owned()));
        let mut all: BTreeMap<_, _> = running.clone().map(|it| (it.id.clone(), late())).collect();
        // Collected before anything waits: no borrowed closure lives across an await.
        let readings: Vec<_> = running.map(|it| self.ask_one(it.id.clone(), it.address.clone())).collect();
        let answers = stream::iter(readings).buffer_unordered(AT_ONCE);
        let mut answers = std::pin::pin!(answers.take_until(sleep(ANSWERED_WITHIN)));
        while let Some((id, reading)) = answers.next().await {
            all.insert(id, reading);
        }
        all
    }

    async fn ask_one(
        &self,
        instance: InstanceId,
        address: Option<String>,
    ) -> (InstanceId, Reading<AppStatus>) {
        let Some(address) = address else {
            let why = Why::Unreachable("EC2 knows no address of it".to_owned());
            return (instance, Reading::Unknown(why));
        };
        let at = Target { instance, address, generation: self.outside.term.epoch() };
        let status = observe::status_at(&self.outside, &at).await;
        (at.instance, status)
    }
}
