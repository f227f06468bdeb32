//! After the verdict: the old servers of releases that are over are kept for a while, and then ended.
//!
//! Guarantees: only while no release of the service is on, and nobody begins one meanwhile (the book is held
//! while anything is done); only what no later release has plans for; the same intents and outcomes in the same stream as
//! everything else.

use std::collections::BTreeSet;
use std::sync::Arc;

use segue_domain::decide::{decide_after, needs_after};
use segue_domain::decision::{Decision, Verdict};
use segue_domain::effect::Intent;
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::plan::Kind;
use segue_domain::service_state::{ReleaseSummary, ServiceState};
use segue_domain::state::ReleaseState;
use segue_domain::world::World;
use tokio::sync::Mutex;

use crate::act::act;
use crate::book::AddressBook;
use crate::ledger::{self, After, Ledger, LedgerError, OpenError};
use crate::observe::observe;
use crate::outside::Outside;
use crate::pen::{By, Pen};
use crate::ports::Clock;
use crate::run::unseen_ends;
use crate::service::book::ServiceBook;

/// Releases that are looked after; older ones left nothing that is still kept.
const TENDED_MAX: usize = 50;
/// Decisions for one release in one round.
const ROUND_MAX: u32 = 4;

/// Releases that are over and may have left something, oldest first.
pub(super) struct Aftercare {
    tended: Vec<Tended>,
}

struct Tended {
    ledger: Arc<Ledger>,
    /// Nothing is left to be done for it. It still says what it has plans for.
    is_over: bool,
}

impl Aftercare {
    pub(super) async fn open(pen: &Pen, history: &ServiceState) -> Result<Self, OpenError> {
        let left: Vec<&ReleaseSummary> = history.releases.iter().filter(|it| leaves_something(it)).collect();
        let mut tended = Vec::new();
        for summary in left.iter().rev().take(TENDED_MAX).rev() {
            let known = ledger::read(pen.store.as_ref(), &summary.release).await?;
            let ledger = Arc::new(Ledger::new(pen.clone(), known));
            tended.push(Tended { ledger, is_over: false });
        }
        Ok(Self { tended })
    }

    /// A release has just ended.
    pub(super) async fn take_over(&mut self, ledger: Arc<Ledger>) {
        let (_, state) = ledger.now().await;
        let is_released = matches!(state.verdict(), Some(Verdict::Released));
        if is_released && state.plan.kind != Kind::Canary {
            self.tended.push(Tended { ledger, is_over: false });
        }
        let excess = self.tended.len().saturating_sub(TENDED_MAX);
        self.tended.drain(..excess);
    }

    /// One round: whatever is due for each of them.
    pub(super) async fn tend(&mut self, outside: &Outside, clock: &dyn Clock, book: &Mutex<ServiceBook>) {
        let mut claims = Vec::new();
        for tended in &self.tended {
            let (_, state) = tended.ledger.now().await;
            claims.push(claimed_by(&state));
        }
        for (index, tended) in self.tended.iter_mut().enumerate().filter(|(_, tended)| !tended.is_over) {
            let later = claims.iter().skip(index.saturating_add(1));
            let claimed: BTreeSet<InstanceId> = later.flatten().cloned().collect();
            let round = Round { ledger: &tended.ledger, outside, clock, claimed };
            match round.tend(book).await {
                Ok(is_over) => tended.is_over = is_over,
                Err(error) => {
                    tracing::error!(%error, "what a release left behind could not be cleared up");
                    return;
                }
            }
        }
    }
}

/// What a release that was released still has plans for: its new servers, and its old ones.
fn claimed_by(state: &ReleaseState) -> BTreeSet<InstanceId> {
    state.plan.blue.iter().cloned().chain(state.green()).collect()
}

fn leaves_something(summary: &ReleaseSummary) -> bool {
    let released = matches!(&summary.ended, Some((Verdict::Released, _)));
    released && summary.kind != Kind::Canary
}

/// One release in one round.
struct Round<'a> {
    ledger: &'a Ledger,
    outside: &'a Outside,
    clock: &'a dyn Clock,
    /// What later releases have plans for.
    claimed: BTreeSet<InstanceId>,
}

impl Round<'_> {
    /// Whether nothing is left to be done. Looking holds nobody up; before anything is done, the book is
    /// taken, so that nobody begins a release meanwhile, and it is looked at again.
    async fn tend(&self, book: &Mutex<ServiceBook>) -> Result<bool, LedgerError> {
        let (_, state) = self.ledger.now().await;
        let unseen = unseen_ends(&state);
        if !unseen.is_empty() {
            self.append(unseen).await?;
        }
        let (decision, _) = self.look().await;
        match decision {
            Decision::Over => return Ok(true),
            Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Close(_) => {
                return Ok(false);
            }
            Decision::Record(_) | Decision::Do(_) => {}
        }
        let book = book.lock().await;
        if book.state.active().is_some() {
            return Ok(false);
        }
        self.clear_up().await
    }

    async fn clear_up(&self) -> Result<bool, LedgerError> {
        for _ in 0..ROUND_MAX {
            let (decision, world) = self.look().await;
            match decision {
                Decision::Record(events) => self.append(events).await?,
                Decision::Do(intents) => {
                    self.append(intents.iter().cloned().map(Event::Intended).collect()).await?;
                    let book = AddressBook::new(world.instances.known(), self.outside.term.epoch());
                    for intent in intents {
                        self.act(&book, intent).await?;
                    }
                }
                Decision::Over => return Ok(true),
                Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Close(_) => {
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }

    async fn look(&self) -> (Decision, World) {
        let (_, state) = self.ledger.now().await;
        let needs = needs_after(&state);
        let world = observe(self.outside, &state.plan.service, &needs, self.clock.now()).await;
        (decide_after(&state, &world, &self.claimed), world)
    }

    async fn act(&self, book: &AddressBook, intent: Intent) -> Result<(), LedgerError> {
        let acted = act(self.outside, book, &intent).await;
        let Intent { id, attempt, .. } = intent;
        self.append(vec![Event::Ended { id, attempt, outcome: acted.outcome }]).await
    }

    async fn append(&self, events: Vec<Event>) -> Result<(), LedgerError> {
        self.ledger.append(After::Anything, &By::engine(), events).await
    }
}
