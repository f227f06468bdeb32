//! What a server was told about itself as a whole: open or closed, its route, whether it is drained.

use tokio::task::AbortHandle;

use crate::board::Doors;
use crate::wire::{DrainAnswer, ReleaseId, Route, ServerState};

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) route: Option<Route>,
    mood: Mood,
}

#[derive(Debug)]
enum Mood {
    Serving,
    Closed,
    Draining(Drain),
}

/// A drain, by the release that asked for it. Its first answer stays.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) release: ReleaseId,
    pub(super) answer: DrainAnswer,
    /// What empties the server: as long as the drain is in force, and no longer.
    pub(super) work: AbortHandle,
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Desk {
    pub(super) fn new(route: Option<Route>) -> Self {
        Self { route, mood: Mood::Serving }
    }

    /// What `status` says of it.
    pub(super) fn told(&self) -> (ServerState, Option<Route>) {
        let state = match self.mood {
            Mood::Serving => ServerState::Serving,
            Mood::Closed => ServerState::Closed,
            Mood::Draining(_) => ServerState::Draining,
        };
        (state, self.route.clone())
    }

    pub(super) fn doors(&self) -> Doors {
        match self.mood {
            Mood::Serving => Doors::Open,
            Mood::Closed | Mood::Draining(_) => Doors::Closed,
        }
    }

    pub(super) fn open(&mut self, route: Option<Route>) {
        self.mood = Mood::Serving;
        if route.is_some() {
            self.route = route;
        }
    }

    /// A drain goes on: it is a stronger word than `close`.
    pub(super) fn close(&mut self) {
        match self.mood {
            Mood::Serving => self.mood = Mood::Closed,
            Mood::Closed | Mood::Draining(_) => {}
        }
    }

    /// The drain under way for this release, if there is one.
    pub(super) fn drain_of(&self, release: &ReleaseId) -> Option<&Drain> {
        match &self.mood {
            Mood::Draining(drain) if drain.release == *release => Some(drain),
            Mood::Draining(_) | Mood::Serving | Mood::Closed => None,
        }
    }

    pub(super) fn begin_drain(&mut self, drain: Drain) {
        self.mood = Mood::Draining(drain);
    }
}
