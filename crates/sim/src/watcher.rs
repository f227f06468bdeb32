//! Reads the journal as it grows, once for everybody: a stream is verified and folded as often as it is read, and
//! all of a run's people look at it all the time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use segue_domain::event::Event;
use segue_domain::ids::ReleaseId;
use segue_domain::state::ReleaseState;
use segue_journal::{About, MemoryStore, Reader, Stream};
use tokio::sync::watch;
use tokio::time::sleep;

/// From one look at the journal to the next.
const LOOK: Duration = Duration::from_millis(500);

/// What the journal says of every release.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) releases: BTreeMap<ReleaseId, Rc<ReleaseState>>,
    /// Steps that were entered, over all releases.
    pub(crate) steps: u32,
}

/// Goes on for ever; tells whatever is new.
pub(crate) async fn watch(store: &MemoryStore, told: &watch::Sender<Told>) {
    let mut read: BTreeMap<ReleaseId, u64> = BTreeMap::new();
    loop {
        let streams = store.streams(Stream::RELEASES).await.expect("the journal is whole");
        for end in streams {
            let About::Release(release) = end.stream.about() else { continue };
            let known = read.entry(release.clone()).or_default();
            if end.seq > *known {
                take(store, release, *known, told).await;
                *known = end.seq;
            }
        }
        sleep(LOOK).await;
    }
}

async fn take(store: &MemoryStore, release: &ReleaseId, known: u64, told: &watch::Sender<Told>) {
    let records = store.read(&Stream::release(release), known).await.expect("the journal is whole");
    let now = told.borrow().releases.get(release).cloned();
    let mut state = now.map(Rc::unwrap_or_clone);
    let mut steps = 0;
    for record in &records {
        let Some(event) = record.fact.release() else { continue };
        steps += u32::from(matches!(event, Event::StepEntered { .. }));
        match &mut state {
            Some(state) => state.apply(record.at, event).expect("what was written folds"),
            None => state = segue_domain::fold([(record.at, event)]).expect("what was written folds"),
        }
    }
    told.send_modify(|told| {
        told.steps += steps;
        told.releases.extend(state.map(|state| (release.clone(), Rc::new(state))));
    });
}
