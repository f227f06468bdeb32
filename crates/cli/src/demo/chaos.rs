//! What is done to a canary and a full release on purpose, drawn from a seed: the daemon is killed, one new
//! server is killed while it owns boards, the reply to a launch is lost, calls are throttled, Prometheus is away.
//!
//! It deliberately counts nothing by its own word alone. What was done is counted afterwards from others: the
//! keeper saw the daemon die and when, the journal's times say in which step, the ledger says that the reply was
//! lost and the server killed, and the store's ownership gave boards to it at that moment.

mod counted;
mod script;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use segue_api::{Direction, ReleaseId, ReleaseKind, StepState};
use segue_handover::store::BoardStore as _;
use segue_handover::wire::ServerId;
use segue_sandbox::faults::Fault;
use segue_sandbox::store::client::StoreClient;
use segue_sandbox::{InstanceId, Instances, Ready};

use super::faults;
use super::figures::fetch;
use super::hand::{Hand, LOOK, is_over};
use crate::output::say;

pub(super) use counted::{as_before, count};
use script::Script;

/// Chaos at work. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Chaos {
    task: tokio::task::JoinHandle<()>,
    done: Arc<Mutex<Done>>,
}

/// What was done and when, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    daemon_kills: u64,
    greens: Vec<(InstanceId, u64)>,
}

impl Done {
    /// New servers that were killed: by the word of who did it, or the sandbox had refused.
    pub(super) fn servers_killed(&self) -> u64 {
        u64::try_from(self.greens.len()).unwrap_or(u64::MAX)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Chaos {
    pub(super) fn start(seed: u64, ready: &Ready, hand: Hand) -> Result<Self> {
        let done = Arc::new(Mutex::new(Done::default()));
        let reach = Reach {
            hand,
            ready: ready.clone(),
            store: StoreClient::connect(ready.store.context("the sandbox has no store")?),
            done: Arc::clone(&done),
        };
        let script = Script::of(seed);
        say(&format!("chaos: {script}"));
        let task = tokio::spawn(async move {
            if let Err(error) = reach.play(script).await {
                say(&format!("chaos: {error:#}"));
            }
        });
        Ok(Self { task, done })
    }

    /// Ends it, and tells what it did.
    pub(super) fn end(self) -> Done {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that chaos can reach.
struct Reach {
    hand: Hand,
    ready: Ready,
    store: StoreClient,
    done: Arc<Mutex<Done>>,
}

impl Reach {
    async fn play(mut self, mut script: Script) -> Result<()> {
        if script.loses_in == ReleaseKind::Canary {
            self.lose_a_launch().await?;
        }
        let canary = self.hand.accepted(ReleaseKind::Canary).await?;
        self.fault(&Fault::Throttle {
            action: Some("DescribeInstances".to_owned()),
            calls: Some(5),
            for_ms: None,
        })
        .await?;
        for step in script.canary {
            if self.reach(&canary, step).await? {
                self.kill_daemon(step).await?;
            }
        }
        // The canary was launched long ago when it is watched: the next launch is the full release's.
        if script.loses_in == ReleaseKind::Full {
            self.lose_a_launch().await?;
        }
        let full = self.hand.accepted(ReleaseKind::Full).await?;
        if self.reach(&full, script.early).await? {
            self.kill_daemon(script.early).await?;
        }
        self.handover(&full, &script).await?;
        if self.reach(&full, script.green_in).await? {
            self.kill_green(&mut script.rng).await?;
        }
        if self.is_past_handover(&full).await? {
            self.kill_daemon("a later step").await?;
        }
        Ok(())
    }

    /// Two kills while boards are carried, and everything else that can be in the way then.
    async fn handover(&self, full: &ReleaseId, script: &Script) -> Result<()> {
        if !self.reach(full, "handover").await? {
            return Ok(());
        }
        self.kill_daemon("handover").await?;
        self.fault(&Fault::Throttle { action: None, calls: None, for_ms: Some(script.throttled_ms) }).await?;
        self.fault(&Fault::Prometheus { is: script.blind, for_ms: Some(script.blind_ms) }).await?;
        if self.carries_on(full).await? {
            self.kill_daemon("handover").await?;
        }
        Ok(())
    }

    /// The one that is back has to be at work again before it is killed, not only to be there: boards were moved
    /// since. False when the handover is over before that.
    async fn carries_on(&self, full: &ReleaseId) -> Result<bool> {
        let before = self.hand.view(full).await?.boards.moved;
        while self.is_on(full, "handover").await? {
            if self.hand.view(full).await?.boards.moved > before {
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(false)
    }

    async fn fault(&self, fault: &Fault) -> Result<()> {
        faults::set(&self.ready, fault).await
    }

    async fn lose_a_launch(&self) -> Result<()> {
        self.fault(&Fault::LoseResponse { action: "RunInstances".to_owned(), calls: 1 }).await
    }

    /// Waits until a step has begun; false when the release ends or turns back without it.
    async fn reach(&self, id: &ReleaseId, step: &str) -> Result<bool> {
        loop {
            let view = self.hand.view(id).await?;
            let begun = view.steps.iter().find(|it| it.name == step).map(|it| it.state);
            if is_over(&view) {
                return Ok(false);
            }
            match begun {
                Some(StepState::Running | StepState::Done) => return Ok(true),
                Some(StepState::Pending) if view.direction == Direction::Forward => {
                    tokio::time::sleep(LOOK).await;
                }
                Some(StepState::Pending | StepState::Failed) | None => return Ok(false),
            }
        }
    }

    /// Whether a step goes on at this moment.
    async fn is_on(&self, id: &ReleaseId, step: &str) -> Result<bool> {
        let view = self.hand.view(id).await?;
        let is_on = |it: &segue_api::StepView| it.name == step && it.state == StepState::Running;
        Ok(view.direction == Direction::Forward && !is_over(&view) && view.steps.iter().any(is_on))
    }

    /// Waits until no board is carried out any more; false when everything is over.
    async fn is_past_handover(&self, id: &ReleaseId) -> Result<bool> {
        while self.is_on(id, "handover").await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(!is_over(&self.hand.view(id).await?))
    }

    async fn kill_daemon(&self, when: &str) -> Result<()> {
        self.hand.kill_daemon(&format!("chaos: the daemon was killed in {when}")).await?;
        self.did(|done| done.daemon_kills = done.daemon_kills.saturating_add(1));
        Ok(())
    }

    /// One of those that own boards by the store's word, right now.
    async fn kill_green(&self, rng: &mut fastrand::Rng) -> Result<()> {
        let all: Instances = fetch(&self.ready.admin, "admin/instances").await?;
        let new = all.instances.into_iter().filter(|it| it.version.as_deref() == Some("2"));
        let mut holders = Vec::new();
        for instance in new.filter(|it| it.state == "running") {
            let server = ServerId::parse(instance.id.as_str())?;
            let boards = self.store.owners(&server, None, 1_000).await?.boards.len();
            if boards > 0 {
                holders.push((instance.id, boards));
            }
        }
        if holders.is_empty() {
            bail!("no new server has boards");
        }
        let (instance, boards) = holders.swap_remove(rng.usize(..holders.len()));
        let at_ms = now_ms();
        self.fault(&Fault::Kill { instance: instance.clone() }).await?;
        say(&format!("chaos: {instance} was killed with {boards} boards"));
        self.did(|done| done.greens.push((instance, at_ms)));
        Ok(())
    }

    fn did(&self, note: impl FnOnce(&mut Done)) {
        note(&mut self.done.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
