//! One release as this daemon knows it: the fold of its stream, the place at which the stream ends, and what
//! was decided last.
//!
//! Everything is appended through here, one append at a time. An event that would not fold is never written:
//! it is tried on a copy of the state first.

use std::sync::Arc;

use segue_domain::decision::{Reason, Wait};
use segue_domain::event::Event;
use segue_domain::fold::Folding;
use segue_domain::ids::ReleaseId;
use segue_domain::refusal::Refusal;
use segue_domain::state::{ReleaseState, Stance};
use segue_domain::world::World;
use segue_journal::{Append, ReadError, Reader, Records, Stream, StreamAppend};
use tokio::sync::{Mutex, Notify, watch};

use crate::ask::AskError;
use crate::pen::{By, Pen, WriteError};
use crate::ports::{WHAT_MAX_BYTES, brief};

/// What anybody can see of a release.
#[derive(Debug, Clone)]
pub struct Watch {
    pub release: ReleaseId,
    /// The last record of its stream.
    pub seq: u64,
    pub state: Arc<ReleaseState>,
    /// On what it waits, if it does.
    pub waiting: Option<Wait>,
    /// What the last pass saw; none before the first.
    pub world: Option<Arc<World>>,
}

/// The ledger of one release, held by the one daemon that may write it.
pub(crate) struct Ledger {
    pen: Pen,
    stream: Stream,
    entry: Mutex<Entry>,
    watch: watch::Sender<Watch>,
    /// Makes the next tick earlier, and carries nothing.
    pub(crate) wake: Notify,
}

struct Entry {
    seq: u64,
    state: Arc<ReleaseState>,
}

impl Entry {
    fn is_at(&self, after: After) -> Result<(), LedgerError> {
        match after {
            After::Seq(seq) if seq != self.seq => Err(LedgerError::Moved),
            After::Seq(_) | After::Anything => Ok(()),
        }
    }
}

/// Where the stream must end for an append to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Exactly there: it was decided on that state.
    Seq(u64),
    /// Anywhere: it is true whatever was said meanwhile.
    Anything,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LedgerError {
    /// Something was appended since: decide again.
    #[error("the release went on meanwhile")]
    Moved,
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It would not fold.
    #[error("the event makes no sense here: {0}")]
    Illegal(&'static str),
}

/// Why a release cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the stream of {release} cannot be read")]
    Read {
        release: String,
        #[source]
        source: ReadError,
    },
    #[error("the stream of {release} does not fold")]
    Fold {
        release: String,
        #[source]
        source: segue_domain::fold::Illegal,
    },
    #[error("the stream of {release} is empty")]
    Empty { release: String },
}

/// It goes the same way, in the same step and in the same stance: on what it waited it waits still.
fn is_where_it_was(before: &ReleaseState, after: &ReleaseState) -> bool {
    let step = |state: &ReleaseState| state.current().map(|record| (record.step, record.entered_at));
    step(before) == step(after) && before.stance == after.stance && before.leg == after.leg
}

/// Reads and folds a release's stream: what it is now, without a lease.
pub(crate) async fn read(reader: &dyn Reader, release: &ReleaseId) -> Result<Watch, OpenError> {
    let name = || release.to_string();
    let stream = Stream::release(release);
    let (mut records, mut folding, mut seq) = (Records::new(reader, &stream, 0), Folding::default(), 0);
    let unread = |source| OpenError::Read { release: name(), source };
    while let Some(record) = records.next().await.map_err(unread)? {
        seq = record.seq;
        if let Some(event) = record.fact.release() {
            let taken = folding.take(record.at, event);
            taken.map_err(|source| OpenError::Fold { release: name(), source })?;
        }
    }
    let state = folding.end().ok_or_else(|| OpenError::Empty { release: name() })?;
    Ok(Watch { release: release.clone(), seq, state: Arc::new(state), waiting: None, world: None })
}

impl Ledger {
    pub(crate) fn new(pen: Pen, known: Watch) -> Self {
        let entry = Entry { seq: known.seq, state: Arc::clone(&known.state) };
        let stream = Stream::release(&known.release);
        Self { pen, stream, entry: Mutex::new(entry), watch: watch::Sender::new(known), wake: Notify::new() }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Watch> {
        self.watch.subscribe()
    }

    /// The state, and the place at which it was true.
    pub(crate) async fn now(&self) -> (u64, Arc<ReleaseState>) {
        let entry = self.entry.lock().await;
        (entry.seq, Arc::clone(&entry.state))
    }

    pub(crate) async fn append(&self, after: After, by: &By, events: Vec<Event>) -> Result<(), LedgerError> {
        self.append_with(after, by, events, Vec::new()).await
    }

    /// Appends to this stream, and in the same transaction to others.
    pub(crate) async fn append_with(
        &self,
        after: After,
        by: &By,
        events: Vec<Event>,
        others: Vec<StreamAppend>,
    ) -> Result<(), LedgerError> {
        let mut entry = self.entry.lock().await;
        entry.is_at(after)?;
        self.write(&mut entry, by, events, others).await
    }

    /// A person's word: what it leads to is judged on the state as it is when it is written.
    pub(crate) async fn say(
        &self,
        by: &By,
        judge: impl FnOnce(&ReleaseState) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), AskError> {
        let mut entry = self.entry.lock().await;
        let events = judge(&entry.state)?;
        self.write(&mut entry, by, events, Vec::new()).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// A broken invariant, ours or another's: everything stays as it is, and a person is called. A release that
    /// is held already says so once.
    pub(crate) async fn hold(&self, what: &str) -> Result<(), LedgerError> {
        self.hold_after(After::Anything, what).await
    }

    /// The same, unless something was said meanwhile: then it is decided again.
    pub(crate) async fn hold_at(&self, seq: u64, what: &str) -> Result<(), LedgerError> {
        self.hold_after(After::Seq(seq), what).await
    }

    async fn hold_after(&self, after: After, what: &str) -> Result<(), LedgerError> {
        let mut entry = self.entry.lock().await;
        entry.is_at(after)?;
        if matches!(entry.state.stance, Stance::Held { .. } | Stance::Closed { .. }) {
            return Ok(());
        }
        tracing::error!(what, "a broken invariant holds the release");
        let reason = Reason::Bug { what: brief(what, WHAT_MAX_BYTES) };
        self.write(&mut entry, &By::engine(), vec![Event::Held { reason }], Vec::new()).await
    }

    async fn write(
        &self,
        entry: &mut Entry,
        by: &By,
        events: Vec<Event>,
        others: Vec<StreamAppend>,
    ) -> Result<(), LedgerError> {
        let at = self.pen.clock.now();
        let mut next = ReleaseState::clone(&entry.state);
        for event in &events {
            next.apply(at, event).map_err(LedgerError::Illegal)?;
        }
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let records = events.into_iter().map(|event| by.record(at, event)).collect();
        let mine = StreamAppend { stream: self.stream.clone(), expected_seq: entry.seq, records };
        let streams = std::iter::once(mine).chain(others).collect();
        let written = self.pen.write(&Append { streams, outbox: Vec::new() }).await?;
        let goes_on = is_where_it_was(&entry.state, &next);
        entry.seq = entry.seq.saturating_add(count);
        entry.state = Arc::new(next);
        self.watch.send_modify(|watch| {
            watch.seq = entry.seq;
            watch.state = Arc::clone(&entry.state);
            // The next look says on what the next step waits.
            watch.waiting = watch.waiting.take().filter(|_| goes_on);
        });
        self.pen.herald.tell(written);
        Ok(())
    }

    /// What the last pass saw and decided to wait for.
    pub(crate) fn saw(&self, world: Arc<World>, waiting: Option<Wait>) {
        self.watch.send_modify(|watch| {
            watch.world = Some(world);
            watch.waiting = waiting;
        });
    }

    /// The release is over. What its last pass saw has megabytes where servers are many, and nobody asks for it any more.
    pub(crate) fn forget_sight(&self) {
        self.watch.send_modify(|watch| {
            watch.world = None;
            watch.waiting = None;
        });
    }

    /// What was decided could not be begun.
    pub(crate) fn waits(&self, waiting: Wait) {
        self.watch.send_modify(|watch| watch.waiting = Some(waiting));
    }
}
