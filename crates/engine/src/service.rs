//! The desk of one service: it takes requests, carries its one active release, and clears up after those that
//! are over. One task for each service; everything in it is sequential except the effects.
//!
//! If killed here: the next desk folds the service's stream, and takes the active release up where it is.

mod adopt;
mod after;
mod book;
mod start;

use std::sync::Arc;

use async_trait::async_trait;
use segue_domain::decision::Verdict;
use segue_domain::event::{Event, ServiceEvent, Word};
use segue_domain::ids::ReleaseId;
use segue_domain::refusal::Refusal;
use segue_domain::request::may_say;
use segue_domain::service::Service;
use segue_domain::service_state::ServiceState;
use segue_domain::world::{Needs, World};
use segue_journal::ReadError;
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit, watch};

use crate::ask::AskError;
use crate::decider::Decider;
use crate::ledger::{self, After, Ledger, LedgerError, OpenError, Watch};
use crate::observe;
use crate::outside::{Limits, Outside, Pacer, Ports};
use crate::pen::{By, Pen};
use crate::ports::{ImageQuery, chain};
use crate::run::{Closer, Ended, ReleaseLoop, Rhythm, Tardy};

use after::{Aftercare, Round};
use book::ServiceBook;

pub use adopt::{Adopted, AdoptionEnd, Shown};
pub use book::BookError;
pub(crate) use book::read_history;

/// Ticks from one look after what earlier releases left to the next.
const IDLE_TICKS: u32 = 10;

/// Requests for a release or an adoption that are carried out one after the other. Each may look at AWS for half a
/// minute; who waits for more of them than this has gone.
const QUEUE_MAX: usize = 8;

/// A service and its ways out.
#[derive(Debug, Clone)]
pub struct ServiceSetup {
    pub service: Service,
    /// Which images are its versions.
    pub images: ImageQuery,
    pub ports: Ports,
    pub decider: Arc<dyn Decider>,
}

/// The desk of one service, under one term of the lease.
pub(crate) struct Desk {
    setup: ServiceSetup,
    pen: Pen,
    outside: Arc<Outside>,
    rhythm: Rhythm,
    book: Mutex<ServiceBook>,
    /// The history without waiting for whoever holds the book.
    history: watch::Sender<ServiceState>,
    active: std::sync::Mutex<Option<Arc<Ledger>>>,
    trouble: watch::Sender<Option<String>>,
    /// A release was begun.
    begun: Notify,
    /// Places for those who wait for the book, and for the one who has it.
    queue: Semaphore,
    aftercare: Mutex<Aftercare>,
}

/// Why a service cannot be served. The others go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error(transparent)]
    Service(#[from] BookError),
    #[error(transparent)]
    Release(#[from] OpenError),
}

impl DeskError {
    /// The journal only did not answer.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Service(error) => error.may_pass(),
            Self::Release(OpenError::Read { source, .. }) => matches!(source, ReadError::Unavailable(_)),
            Self::Release(OpenError::Fold { .. } | OpenError::Empty { .. }) => false,
        }
    }

    /// A newer daemon wrote it.
    pub(crate) fn is_newer(&self) -> bool {
        let newer = |error: &ReadError| matches!(error, ReadError::Newer { .. });
        match self {
            Self::Service(error) => newer(&error.source),
            Self::Release(OpenError::Read { source, .. }) => newer(source),
            Self::Release(OpenError::Fold { .. } | OpenError::Empty { .. }) => false,
        }
    }
}

impl Desk {
    /// Reads and folds what there is of the service.
    pub(crate) async fn open(
        setup: ServiceSetup,
        pen: Pen,
        limits: Limits,
        rhythm: Rhythm,
        stats: Arc<crate::outside::CallStats>,
        pacer: Arc<Pacer>,
    ) -> Result<Self, DeskError> {
        let (term, entropy) = (Arc::clone(&pen.term), Arc::clone(&pen.entropy));
        let outside = Outside::new(setup.ports.clone(), limits, term, entropy, stats);
        let outside = Arc::new(outside.paced_by(pacer).watched_since(pen.clock.now()));
        let book = ServiceBook::open(pen.store.as_ref(), &setup.service.name).await?;
        let active = match book.state.active() {
            None => None,
            Some(active) => {
                let known = ledger::read(pen.store.as_ref(), &active.release).await?;
                Some(Arc::new(Ledger::new(pen.clone(), known)))
            }
        };
        let aftercare = Aftercare::of(&book.state);
        Ok(Self {
            history: watch::Sender::new(book.state.clone()),
            book: Mutex::new(book),
            active: std::sync::Mutex::new(active),
            trouble: watch::Sender::new(None),
            begun: Notify::new(),
            queue: Semaphore::new(QUEUE_MAX),
            aftercare: Mutex::new(aftercare),
            setup,
            pen,
            outside,
            rhythm,
        })
    }

    pub(crate) fn history(&self) -> ServiceState {
        self.history.borrow().clone()
    }

    /// The release that is not over.
    pub(crate) fn active(&self) -> Option<Arc<Ledger>> {
        self.active.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set_active(&self, ledger: Arc<Ledger>) {
        *self.active.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(ledger);
    }

    /// A release is over. Since its last record was written another one may have begun: that one stays.
    fn let_go(&self, ledger: &Arc<Ledger>) {
        let mut active = self.active.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        active.take_if(|it| Arc::ptr_eq(it, ledger));
    }

    /// A place among those who want something begun. Words to a release need none: an abort never waits here.
    fn queue(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let why =
            || format!("{QUEUE_MAX} requests for the service are being carried out already; ask again later");
        self.queue.try_acquire().map_err(|_none_free| Refusal::NotServed { why: why() })
    }

    /// Why nothing is done for the service, until a person looks.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.send_replace(trouble);
    }

    /// Carries one release after the other, until the lease is lost or the daemon stops.
    pub(crate) async fn run(&self, mut stop: watch::Receiver<bool>) {
        let span = tracing::info_span!("service", service = %self.setup.service.name);
        tracing::Instrument::instrument(
            async {
                while !*stop.borrow_and_update() && !self.pen.term.is_lost() {
                    let active = self.active();
                    if let Some(ledger) = active {
                        self.carry(&ledger, &mut stop).await;
                    } else {
                        let is_called = async {
                            tokio::select! {
                                biased;
                                () = told_to(&mut stop) => {}
                                () = self.begun.notified() => {}
                            }
                        };
                        self.end_adoption(is_called).await;
                        if self.active().is_none() {
                            self.idle(&mut stop).await;
                        }
                    }
                }
            },
            span,
        )
        .await;
    }

    async fn carry(&self, ledger: &Arc<Ledger>, stop: &mut watch::Receiver<bool>) {
        let release = ReleaseLoop {
            ledger,
            outside: Arc::clone(&self.outside),
            clock: Arc::clone(&self.pen.clock),
            decider: self.setup.decider.as_ref(),
            rhythm: self.rhythm.clone(),
            closer: self,
            tardy: Tardy::default(),
        };
        match release.run(stop).await {
            Ended::Over => {
                ledger.forget_sight();
                self.aftercare.lock().await.take_over(Arc::clone(ledger)).await;
                self.let_go(ledger);
            }
            // Nothing is left to be done here: whoever holds the lease goes on, or a person looks.
            Ended::Lost => self.pen.term.loss().await,
            Ended::Stopped => told_to(stop).await,
            Ended::Stuck(why) => self.stuck(ledger, &why, stop).await,
        }
    }

    /// A release goes on when a person has said something to it: that could be written.
    async fn stuck(&self, ledger: &Ledger, why: &str, stop: &mut watch::Receiver<bool>) {
        let release = ledger.watch().borrow().release.clone();
        self.set_trouble(Some(format!("{release} cannot be written to its journal: {why}")));
        tokio::select! {
            biased;
            () = told_to(stop) => {}
            () = ledger.wake.notified() => self.set_trouble(None),
        }
    }

    /// No release is on: what earlier ones left is cleared up, now and then.
    async fn idle(&self, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = self.begun.notified() => return,
            () = tokio::time::sleep(self.rhythm.tick.saturating_mul(IDLE_TICKS)) => {}
        }
        let mut aftercare = self.aftercare.lock().await;
        let caught_up = tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = self.begun.notified() => return,
            caught_up = aftercare.catch_up(&self.pen) => caught_up,
        };
        if !self.is_caught_up(caught_up) {
            return;
        }
        let stop = &*stop;
        let is_called_away = || *stop.borrow() || self.active().is_some();
        let round = Round {
            service: &self.setup.service,
            outside: &self.outside,
            clock: self.pen.clock.as_ref(),
            decider: self.setup.decider.as_ref(),
            book: &self.book,
            is_called_away: &is_called_away,
        };
        if let Err(error) = aftercare.tend(&round).await {
            tracing::error!(%error, "what a release left behind could not be cleared up");
        }
    }

    /// Whether every earlier release could be read. Of one that somebody changed nobody knows what it has plans for:
    /// nothing is begun for the service, and it is read again.
    fn is_caught_up(&self, caught_up: Result<(), OpenError>) -> bool {
        let trouble = match caught_up {
            Ok(()) => None,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "an earlier release cannot be read; nothing is cleared up");
                let error = DeskError::from(error);
                if error.is_newer() {
                    // It is the newer daemon that serves here.
                    self.pen.term.give_up("a newer daemon wrote the journal".to_owned());
                }
                if error.may_pass() {
                    return false;
                }
                Some(why)
            }
        };
        let is_caught_up = trouble.is_none();
        if trouble != self.trouble() {
            self.set_trouble(trouble);
        }
        is_caught_up
    }

    /// A person's word to a release.
    pub(crate) async fn say(&self, release: &ReleaseId, word: Word, by: &By) -> Result<(), AskError> {
        if let Some(ledger) = self.active().filter(|it| it.watch().borrow().release == *release) {
            let judge = |state: &_| may_say(state, word, &by.actor, by.reason.as_deref());
            return ledger.say(by, judge).await;
        }
        let known = self.history().releases.into_iter().find(|it| it.release == *release);
        match known.and_then(|it| it.ended) {
            Some((verdict, _)) => Err(Refusal::ReleaseOver { release: release.clone(), verdict }.into()),
            None => Err(Refusal::ReleaseUnknown { release: release.to_string() }.into()),
        }
    }

    /// The service's servers as they are now: all that EC2 lists.
    pub(crate) async fn look(&self) -> World {
        let service = &self.setup.service;
        let listed = observe::instances(&self.outside, service).await;
        let everybody = listed.known().into_iter().flatten().map(|(id, _)| id.clone()).collect();
        let needs = Needs { instances: everybody, ..Needs::default() };
        observe::observe(&self.outside, service, &needs, self.pen.clock.now()).await
    }

    /// What can be seen of a release; one that is over is read from the journal.
    pub(crate) fn watch(&self, release: &ReleaseId) -> Option<watch::Receiver<Watch>> {
        self.active().map(|ledger| ledger.watch()).filter(|it| it.borrow().release == *release)
    }
}

#[async_trait]
impl Closer for Desk {
    async fn close(&self, ledger: &Ledger, after: After, verdict: Verdict) -> Result<(), LedgerError> {
        let mut book = self.book.lock().await;
        let release = ledger.watch().borrow().release.clone();
        let finished = ServiceEvent::Finished { release, verdict: verdict.clone() };
        let at = self.pen.clock.now();
        let part = book.part(at, &By::engine(), std::slice::from_ref(&finished));
        ledger.append_with(after, &By::engine(), vec![Event::Closed { verdict }], vec![part]).await?;
        book.applied(at, &[finished]);
        self.history.send_replace(book.state.clone());
        Ok(())
    }
}

/// Returns when the daemon is told to stop, or is gone.
pub(crate) async fn told_to(stop: &mut watch::Receiver<bool>) {
    // An error says that nobody is left who could say it.
    drop(stop.wait_for(|is_told| *is_told).await);
}

#[cfg(test)]
mod tests;
