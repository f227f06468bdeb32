//! The loop of one release: observe, decide, append, act.
//!
//! Guarantees: nothing is done before its intent is in the journal; a decision is appended only onto the very
//! state on which it was made; nothing that was observed is remembered across an append. A broken invariant,
//! ours or another's, holds the release and calls a person; it never ends the daemon.
//!
//! Assumptions: the lease's keeper drops this loop when the lease is lost.
//!
//! If killed here: the next loop says that every intent in flight ended unknown, looks, and decides again.

mod decided;
mod flights;
mod fullness;
mod rest;
mod tardy;
mod unseen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::decide::{Slow, needs, needs_no_look, too_old};
use segue_domain::decision::{Decision, Then, Verdict, Wait, WaitingOn};
use segue_domain::effect::{Intent, Outcome};
use segue_domain::event::Event;
use segue_domain::state::{ReleaseState, Stance};
use segue_domain::time::Timestamp;
use segue_domain::world::World;
use segue_journal::append::STREAM_MAX;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::book::AddressBook;
use crate::decider::Decider;
use crate::ledger::{After, Ledger, LedgerError};
use crate::observe::observe;
use crate::outside::Outside;
use crate::pen::{By, WriteError};
use crate::ports::Clock;
use crate::service::told_to;

pub(crate) use decided::unlawful;
use decided::{decided, waiting};
use flights::{Flights, is_hook};
use fullness::lacks_room;
use rest::rest_after;
pub(crate) use tardy::{Tardy, is_too_old, put_off};
pub(crate) use unseen::say_unseen_ends;

/// Decisions in a row without any wait. A release has a few dozen steps and checks; more means that it turns
/// in a circle.
const PASSES_MAX: u32 = 200;

/// Events in one append, and effects begun whose end is not written: enough for a fleet of thousands to be closed in
/// a few looks, and below what an append takes with what comes beside it.
const AT_ONCE: usize = 500;

/// How a release's loop goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm {
    /// From the beginning of one look to that of the next, when nothing makes it earlier.
    pub tick: Duration,
    /// Commands and warm-ups of one release that may be in flight at once: they run on the daemon's own machine.
    pub effects_at_once: usize,
    /// Records that a release's stream takes: the last of them are for its way back and its end.
    pub records_max: u64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { tick: Duration::from_secs(1), effects_at_once: 32, records_max: STREAM_MAX }
    }
}

/// The loop of one release.
pub(crate) struct ReleaseLoop<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) outside: Arc<Outside>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) decider: &'a dyn Decider,
    pub(crate) rhythm: Rhythm,
    pub(crate) closer: &'a dyn Closer,
    pub(crate) tardy: Tardy,
}

/// Closes a release: its last record and the service's go into one append.
#[async_trait::async_trait]
pub(crate) trait Closer: Send + Sync {
    async fn close(&self, ledger: &Ledger, after: After, verdict: Verdict) -> Result<(), LedgerError>;
}

/// Why a loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The release is closed.
    Over,
    /// Somebody else has the lease.
    Lost,
    /// The daemon was asked to stop.
    Stopped,
    /// It cannot be written down, not even that it is held. It stays as it is until somebody looks.
    Stuck(String),
}

/// What comes after a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    /// Another pass at once.
    Again,
    /// Nothing to do before the next tick, signal or landing.
    Rest,
    End(Ended),
}

impl ReleaseLoop<'_> {
    /// Goes on until the release is over, the lease is lost or the daemon stops.
    pub(crate) async fn run(&self, stop: &mut watch::Receiver<bool>) -> Ended {
        let release = self.ledger.watch().borrow().release.clone();
        let span = tracing::info_span!("release", %release);
        async {
            if let Err(error) = self.recover().await {
                return Self::ended_by(&error);
            }
            self.go(stop).await
        }
        .instrument(span)
        .await
    }

    /// Whatever was in flight when the last daemon died: nobody saw its end.
    async fn recover(&self) -> Result<(), LedgerError> {
        let effects = say_unseen_ends(self.ledger).await?;
        if effects > 0 {
            tracing::warn!(effects, "effects were in flight when the daemon ended");
        }
        Ok(())
    }

    async fn go(&self, stop: &mut watch::Receiver<bool>) -> Ended {
        let mut flights = Flights::new();
        let mut passes = 0;
        loop {
            if *stop.borrow_and_update() {
                return self.land_all(&mut flights).await;
            }
            let looked = Instant::now();
            let next = match self.pass(&mut flights, stop).await {
                Ok(Next::Again) if passes >= PASSES_MAX => self.hold("it decides in a circle").await,
                Ok(next) => Ok(next),
                Err(LedgerError::Moved) => Ok(Next::Again),
                Err(error @ LedgerError::Illegal(_)) => self.hold(&error.to_string()).await,
                Err(error @ LedgerError::Write(_)) => Err(error),
            };
            match next {
                Ok(Next::Again) => passes += 1,
                Ok(Next::Rest) => {
                    passes = 0;
                    let rest = rest_after(looked, self.rhythm.tick);
                    if let Err(error) = self.rest(rest, &mut flights, stop).await {
                        return Self::ended_by(&error);
                    }
                }
                Ok(Next::End(ended)) => return ended,
                Err(error) => return Self::ended_by(&error),
            }
        }
    }

    /// Waits for the first of: a landing, a signal, the order to stop, the tick.
    async fn rest(
        &self,
        rest: Duration,
        flights: &mut Flights,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), LedgerError> {
        tokio::select! {
            biased;
            landed = flights.next_landings() => self.append_landings(landed).await,
            _ = stop.changed() => Ok(()),
            () = self.ledger.wake.notified() => Ok(()),
            () = tokio::time::sleep(rest) => Ok(()),
        }
    }

    /// One look and one decision.
    async fn pass(&self, flights: &mut Flights, stop: &watch::Receiver<bool>) -> Result<Next, LedgerError> {
        let landed = flights.landed_by_now();
        self.append_landings(landed).await?;
        let (seq, state) = self.ledger.now().await;
        let step = state.current().map_or("", |record| record.step.name());
        let span = tracing::info_span!("step", step);
        async {
            let at = self.clock.now();
            let unseen = World { watched_since: self.outside.watched_since, ..World::unseen(at) };
            let is_unseen = needs_no_look(&state, &unseen);
            let world =
                if is_unseen { Some(unseen) } else { self.look(&state, at, flights, stop.clone()).await };
            let Some(mut world) = world else { return Ok(Next::Again) };
            if self.outside.term.is_lost() {
                return Ok(Next::End(Ended::Lost));
            }
            let mut decision = decided(self.decider, &state, &world);
            if let Some(reason) = lacks_room(&state, seq, &decision, self.rhythm.records_max) {
                decision = Decision::Park(reason);
            }
            // Of a million boards there is one list at a time: who watches wants numbers, and those stay.
            world.board_lists = BTreeMap::new();
            let world = Arc::new(world);
            if !is_unseen {
                self.ledger.saw(Arc::clone(&world), waiting(&decision));
            }
            if let Some(broken) = unlawful(self.decider, &state, world.at, &decision) {
                return self.ledger.hold_at(seq, &broken.to_string()).await.map(|()| Next::Rest);
            }
            // What was put off rests, and is waited for: a wait is no end of the row, a person's turn is.
            if matches!(decision, Decision::Park(_) | Decision::Ask(_)) {
                self.tardy.reset();
            }
            self.follow(decision, seq, &state, &world, flights).await
        }
        .instrument(span)
        .await
    }

    /// What the release must see now. None when the daemon is to stop, or the last effect in flight landed
    /// meanwhile: a look at thousands of servers takes seconds, what it saw is from before that end, and the next one
    /// sees more. Nothing is begun in between, so no look is given up twice for the same effects.
    async fn look(
        &self,
        state: &ReleaseState,
        at: Timestamp,
        flights: &mut Flights,
        mut stop: watch::Receiver<bool>,
    ) -> Option<World> {
        let wanted = needs(state);
        tokio::select! {
            biased;
            () = told_to(&mut stop) => None,
            () = flights.last_landing() => None,
            world = observe(&self.outside, &state.plan.service, &wanted, at) => Some(world),
        }
    }

    /// Does what was decided on the state at `seq`.
    async fn follow(
        &self,
        decision: Decision,
        seq: u64,
        state: &ReleaseState,
        world: &World,
        flights: &mut Flights,
    ) -> Result<Next, LedgerError> {
        let after = After::Seq(seq);
        match decision {
            Decision::Record(events) => self.record(seq, events).await,
            Decision::Do(intents) => self.begin(intents, after, state, world, flights).await,
            Decision::Wait(_) => Ok(Next::Rest),
            Decision::Ask(gate) => {
                if !matches!(&state.stance, Stance::Asking { gate: asked, .. } if *asked == gate) {
                    self.append(after, vec![Event::Asked { gate }]).await?;
                }
                Ok(Next::Rest)
            }
            Decision::Park(reason) => {
                if !matches!(state.stance, Stance::Held { .. }) {
                    self.append(after, vec![Event::Held { reason }]).await?;
                }
                Ok(Next::Rest)
            }
            Decision::Close(verdict) => {
                self.closer.close(self.ledger, after, verdict).await?;
                Ok(Next::End(Ended::Over))
            }
            Decision::Over => Ok(Next::End(Ended::Over)),
        }
    }

    /// Appends facts. Those of thousands of servers go into several appends: each of them is true by itself, and what
    /// is left is found again.
    async fn record(&self, seq: u64, events: Vec<Event>) -> Result<Next, LedgerError> {
        let mut after = seq;
        for some in events.chunks(AT_ONCE) {
            self.append(After::Seq(after), some.to_vec()).await?;
            after = after.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
        }
        Ok(Next::Again)
    }

    /// Those that may be begun now: as many as may be in flight, and as AWS has tokens for. The others are decided
    /// again.
    fn admitted(&self, intents: Vec<Intent>, flights: &Flights) -> Vec<Intent> {
        let mut places = AT_ONCE.min(self.outside.limits.deeds_at_once).saturating_sub(flights.len());
        let mut hooks = self.rhythm.effects_at_once.saturating_sub(flights.hooks());
        let is_admitted = |intent: &Intent| {
            let is_hook = is_hook(&intent.effect);
            if places == 0 || (is_hook && hooks == 0) || !self.outside.pacer.takes(&intent.effect) {
                return false;
            }
            places -= 1;
            hooks -= usize::from(is_hook);
            true
        };
        intents.into_iter().filter(is_admitted).collect()
    }

    /// Appends the intents, then acts.
    async fn begin(
        &self,
        intents: Vec<Intent>,
        after: After,
        state: &ReleaseState,
        world: &World,
        flights: &mut Flights,
    ) -> Result<Next, LedgerError> {
        // A look at servers that do not answer may take long. Nothing is written that would not be begun.
        if is_too_old(world, state, self.clock.as_ref()) {
            return self.came_too_late(Slow::Look).await;
        }
        let wanted = intents.len();
        let intents = self.admitted(intents, flights);
        if intents.len() < wanted {
            self.ledger.waits(self.for_tokens(state, world));
        }
        if intents.is_empty() {
            return Ok(Next::Rest);
        }
        self.append(after, intents.iter().cloned().map(Event::Intended).collect()).await?;
        // The journal may have taken long. What was seen before is then no reason any more.
        if is_too_old(world, state, self.clock.as_ref()) {
            self.append(After::Anything, put_off(intents)).await?;
            return self.came_too_late(Slow::Journal).await;
        }
        self.tardy.reset();
        let book = Arc::new(AddressBook::new(world.instances.known(), self.outside.term.epoch()));
        for intent in intents {
            flights.begin(Arc::clone(&self.outside), Arc::clone(&book), intent);
        }
        Ok(Next::Rest)
    }

    /// The next look may be quicker. Where none is, the release holds when the step's patience is over.
    async fn came_too_late(&self, slow: Slow) -> Result<Next, LedgerError> {
        let (seq, state) = self.ledger.now().await;
        let at = self.clock.now();
        let entered = state.current().map_or(state.began_at, |record| record.entered_at);
        let since = self.tardy.again(at, state.plan.service.patience.step).max(entered);
        match too_old(&state, slow, since, at) {
            Ok(wait) => self.ledger.waits(wait),
            // What a person said meanwhile comes first.
            Err(_) if state.stance != Stance::Going => {}
            Err(reason) => self.append(After::Seq(seq), vec![Event::Held { reason }]).await?,
        }
        Ok(Next::Rest)
    }

    /// Some of it may not be begun now: what is in flight has to end, or AWS's tokens to come. The next look asks
    /// again.
    fn for_tokens(&self, state: &ReleaseState, world: &World) -> Wait {
        let what = "calls in flight and AWS's published rates";
        let on = WaitingOn::Settling { what, missing: Vec::new() };
        Wait { on, since: state.progress_at, until: world.at.after(self.rhythm.tick), then: Then::GoOn }
    }

    async fn append(&self, after: After, events: Vec<Event>) -> Result<(), LedgerError> {
        self.ledger.append(after, &By::engine(), events).await
    }

    /// Appends how effects ended, all that have by now in one append. Where one of them makes no sense each goes by
    /// itself.
    async fn append_landings(&self, landings: Vec<flights::Landing>) -> Result<(), LedgerError> {
        let mut landings = landings.into_iter().peekable();
        while landings.peek().is_some() {
            let some: Vec<flights::Landing> = landings.by_ref().take(AT_ONCE).collect();
            let ends = some.iter().map(flights::Landing::event).collect();
            match self.append(After::Anything, ends).await {
                Ok(()) => {
                    for bug in some.iter().filter_map(|landing| landing.acted.bug.as_ref()) {
                        self.hold(bug).await?;
                    }
                }
                Err(LedgerError::Illegal(_)) => self.append_one_by_one(some).await?,
                Err(error @ (LedgerError::Moved | LedgerError::Write(_))) => return Err(error),
            }
        }
        Ok(())
    }

    /// An outcome that makes no sense is unknown, and somebody is called.
    async fn append_one_by_one(&self, landings: Vec<flights::Landing>) -> Result<(), LedgerError> {
        for landing in landings {
            let flights::Landing { id, attempt, acted } = landing;
            let ended = Event::Ended { id: id.clone(), attempt, outcome: acted.outcome };
            match self.append(After::Anything, vec![ended]).await {
                Ok(()) => {}
                Err(LedgerError::Illegal(what)) => {
                    let outcome = Outcome::Unknown(format!("its outcome makes no sense: {what}"));
                    self.append(After::Anything, vec![Event::Ended { id, attempt, outcome }]).await?;
                    self.hold(what).await?;
                }
                Err(error @ (LedgerError::Moved | LedgerError::Write(_))) => return Err(error),
            }
            if let Some(bug) = acted.bug {
                self.hold(&bug).await?;
            }
        }
        Ok(())
    }

    async fn hold(&self, what: &str) -> Result<Next, LedgerError> {
        self.ledger.hold(what).await.map(|()| Next::Rest)
    }

    /// The daemon stops: nothing new is begun, and what is in flight may still end and be written down.
    async fn land_all(&self, flights: &mut Flights) -> Ended {
        let grace = self.outside.limits.write_timeout;
        let landing = async {
            while !flights.is_empty() {
                let landed = flights.next_landings().await;
                self.append_landings(landed).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(grace, landing).await {
            Ok(Err(error)) => Self::ended_by(&error),
            Ok(Ok(())) | Err(_) => Ended::Stopped,
        }
    }

    fn ended_by(error: &LedgerError) -> Ended {
        match error {
            LedgerError::Write(WriteError::Lost | WriteError::NotKnown) | LedgerError::Moved => Ended::Lost,
            LedgerError::Write(WriteError::Unwritable(_)) | LedgerError::Illegal(_) => {
                tracing::error!(%error, "the release cannot be written to its journal");
                Ended::Stuck(error.to_string())
            }
        }
    }
}
