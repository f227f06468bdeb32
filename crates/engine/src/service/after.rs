//! After the verdict: the old servers of releases that are over are kept for a while, and then ended.
//!
//! Guarantees: only while no release of the service is on, and nobody begins one meanwhile (the book is held while
//! anything is done, and looking holds nobody up); only what no later release has plans for; the same intents and
//! outcomes in the same stream as everything else.

use std::collections::BTreeSet;
use std::sync::Arc;

use segue_domain::decide::needs_after;
use segue_domain::decision::{Decision, Verdict};
use segue_domain::effect::Intent;
use segue_domain::event::Event;
use segue_domain::ids::{GroupArn, InstanceId, ReleaseId};
use segue_domain::plan::Kind;
use segue_domain::service::Service;
use segue_domain::service_state::{ReleaseSummary, ServiceState};
use segue_domain::state::ReleaseState;
use segue_domain::world::Needs;
use tokio::sync::Mutex;

use crate::act::act;
use crate::book::AddressBook;
use crate::decider::Decider;
use crate::ledger::{self, After, Ledger, LedgerError, OpenError};
use crate::observe::observe;
use crate::outside::Outside;
use crate::pen::{By, Pen, WriteError};
use crate::ports::{Clock, chain};
use crate::run::{is_too_old, put_off, say_unseen_ends, unlawful};
use crate::service::book::ServiceBook;

/// Releases that are looked after; older ones left nothing that is still kept.
const TENDED_MAX: usize = 50;
/// Decisions for one release in one round.
const PASSES_MAX: u32 = 4;

/// Releases that are over and may have left something, oldest first.
pub(super) struct Aftercare {
    tended: Vec<Tended>,
    /// Those before them whose journals were not read yet. Nothing is done before all were: each of them says what an
    /// older one may not touch.
    unread: Vec<ReleaseId>,
}

struct Tended {
    ledger: Arc<Ledger>,
    /// Nothing is left to be done for it. It still says what it has plans for.
    is_over: bool,
}

impl Aftercare {
    /// Reads nothing: whole journals of releases that are over keep none waiting that is on.
    pub(super) fn of(history: &ServiceState) -> Self {
        let left = history.releases.iter().filter(|it| leaves_something(it)).map(|it| it.release.clone());
        let mut unread: Vec<ReleaseId> = left.collect();
        unread.drain(..unread.len().saturating_sub(TENDED_MAX));
        Self { tended: Vec::new(), unread }
    }

    /// Reads the journals that were not read yet, latest first. May be left off anywhere, and goes on there.
    pub(super) async fn catch_up(&mut self, pen: &Pen) -> Result<(), OpenError> {
        while let Some(release) = self.unread.last() {
            let known = ledger::read(pen.store.as_ref(), release).await?;
            let ledger = Arc::new(Ledger::new(pen.clone(), known));
            self.tended.insert(0, Tended { ledger, is_over: false });
            self.unread.pop();
        }
        Ok(())
    }

    /// A release has just ended.
    pub(super) async fn take_over(&mut self, ledger: Arc<Ledger>) {
        let (_, state) = ledger.now().await;
        let is_released = matches!(state.verdict(), Some(Verdict::Released));
        if is_released && state.plan.kind != Kind::Canary {
            self.tended.push(Tended { ledger, is_over: false });
        }
        let excess = self.tended.len().saturating_add(self.unread.len()).saturating_sub(TENDED_MAX);
        let unread = excess.min(self.unread.len());
        self.unread.drain(..unread);
        self.tended.drain(..excess.saturating_sub(unread));
    }

    /// One round: whatever is due for each of them. It ends early when there is something better to do.
    pub(super) async fn tend(&mut self, round: &Round<'_>) -> Result<(), LedgerError> {
        let mut states = Vec::with_capacity(self.tended.len());
        for Tended { ledger, is_over } in &self.tended {
            if !is_over {
                say_unseen_ends(ledger).await?;
            }
            states.push(ledger.now().await.1);
        }
        // The first look is the same for all, and small; the second one only comes once something is due.
        let mut due = self.look(round, &states, &Needs::default()).await;
        if !due.is_empty() {
            let slots = due.iter().flat_map(|one| groups_of(&one.state.plan.service));
            due = self.look(round, &states, &Needs { slots: slots.collect(), ..Needs::default() }).await;
        }
        for one in due.iter().filter(|one| matches!(one.decision, Decision::Record(_) | Decision::Do(_))) {
            // Nobody begins a release while anything is done.
            let book = round.book.lock().await;
            if round.is_called_away() || book.state.active().is_some() {
                return Ok(());
            }
            let is_over = match round.clear_up(&one.ledger, &one.claimed).await {
                Ok(is_over) => is_over,
                Err(error @ LedgerError::Write(WriteError::Lost | WriteError::NotKnown)) => {
                    return Err(error);
                }
                // The others' old servers are not left running for it.
                Err(error) => {
                    let release = &one.state.plan.release;
                    tracing::error!(%release, error = chain(&error), "its old servers cannot be cleared up");
                    continue;
                }
            };
            self.tended.iter_mut().filter(|it| Arc::ptr_eq(&it.ledger, &one.ledger)).for_each(|it| {
                it.is_over = is_over;
            });
        }
        Ok(())
    }

    /// Looks once for all, marks those that are over, and answers those for which something is due.
    async fn look(&mut self, round: &Round<'_>, states: &[Arc<ReleaseState>], needs: &Needs) -> Vec<Due> {
        let mut due = Vec::new();
        if round.is_called_away() || self.tended.iter().all(|it| it.is_over) {
            return due;
        }
        let world = observe(round.outside, round.service, needs, round.clock.now()).await;
        for (index, (tended, state)) in self.tended.iter_mut().zip(states).enumerate() {
            if tended.is_over {
                continue;
            }
            let later = states.iter().skip(index.saturating_add(1));
            let claimed = later.flat_map(|state| claimed_by(state)).collect();
            let decision = round.decider.decide_after(state, &world, &claimed, &round.service.routing);
            match &decision {
                Decision::Over => tended.is_over = true,
                Decision::Wait(wait) if wait.until > world.at => {}
                Decision::Wait(_)
                | Decision::Record(_)
                | Decision::Do(_)
                | Decision::Ask(_)
                | Decision::Park(_)
                | Decision::Close(_) => {
                    let (ledger, state) = (Arc::clone(&tended.ledger), Arc::clone(state));
                    due.push(Due { ledger, state, claimed, decision });
                }
            }
        }
        due
    }
}

/// A release whose old servers have been kept for long enough.
struct Due {
    ledger: Arc<Ledger>,
    state: Arc<ReleaseState>,
    /// What later releases have plans for.
    claimed: BTreeSet<InstanceId>,
    decision: Decision,
}

async fn append(ledger: &Ledger, events: Vec<Event>) -> Result<(), LedgerError> {
    ledger.append(After::Anything, &By::engine(), events).await
}

/// Every group in which an old server may be, by the plan of its release.
fn groups_of(service: &Service) -> impl Iterator<Item = GroupArn> {
    let routing = &service.routing;
    routing.forwarded().chain(routing.slot_groups()).cloned()
}

/// What a release that was released still has plans for: its new servers, and its old ones.
fn claimed_by(state: &ReleaseState) -> BTreeSet<InstanceId> {
    state.blue.iter().cloned().chain(state.green()).collect()
}

fn leaves_something(summary: &ReleaseSummary) -> bool {
    let released = matches!(&summary.ended, Some((Verdict::Released, _)));
    released && summary.kind != Kind::Canary
}

/// One round of looking after all of them.
pub(super) struct Round<'a> {
    pub(super) service: &'a Service,
    pub(super) outside: &'a Outside,
    pub(super) clock: &'a dyn Clock,
    pub(super) decider: &'a dyn Decider,
    pub(super) book: &'a Mutex<ServiceBook>,
    /// Says that a release has begun, or that the daemon is to stop.
    pub(super) is_called_away: &'a (dyn Fn() -> bool + Send + Sync),
}

impl Round<'_> {
    fn is_called_away(&self) -> bool {
        (self.is_called_away)()
    }

    /// Whether nothing is left to be done. It is looked at again, now that nobody can begin a release.
    async fn clear_up(&self, ledger: &Ledger, claimed: &BTreeSet<InstanceId>) -> Result<bool, LedgerError> {
        for _ in 0..PASSES_MAX {
            if self.is_called_away() {
                return Ok(false);
            }
            let (_, state) = ledger.now().await;
            let (service, needs) = (&state.plan.service, needs_after(&state));
            let world = observe(self.outside, service, &needs, self.clock.now()).await;
            let decision = self.decider.decide_after(&state, &world, claimed, &self.service.routing);
            if let Some(broken) = unlawful(self.decider, &state, world.at, &decision) {
                tracing::error!(%broken, release = %state.plan.release, "a broken invariant: nothing is done");
                return Ok(false);
            }
            match decision {
                Decision::Record(events) => append(ledger, events).await?,
                Decision::Do(intents) => {
                    // One after a look: a call takes its time, and somebody may start an old server meanwhile. What AWS
                    // has no tokens for now has its turn at the next round.
                    let next = intents.into_iter().next();
                    let Some(intent) = next.filter(|it| self.outside.pacer.takes(&it.effect)) else {
                        return Ok(false);
                    };
                    append(ledger, vec![Event::Intended(intent.clone())]).await?;
                    // The journal may have taken long as well.
                    if is_too_old(&world, &state, self.clock) {
                        append(ledger, put_off(vec![intent])).await?;
                        continue;
                    }
                    let book = AddressBook::new(world.instances.known(), self.outside.term.epoch());
                    self.act(ledger, &book, intent).await?;
                }
                Decision::Over => return Ok(true),
                Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Close(_) => {
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }

    async fn act(&self, ledger: &Ledger, book: &AddressBook, intent: Intent) -> Result<(), LedgerError> {
        let acted = act(self.outside, book, &intent).await;
        let Intent { id, attempt, .. } = intent;
        append(ledger, vec![Event::Ended { id, attempt, outcome: acted.outcome }]).await
    }
}
