//! What does not change any more, remembered: who asked for a release, and the view of one that is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use segue_api::ReleaseView;
use segue_domain::ids::ReleaseId;
use segue_journal::{Reader, Stream};

use super::{trouble, unknown};
use crate::problem::Refused;
use crate::views::Asked;

/// Releases that are remembered.
const RELEASES_MAX: usize = 512;

/// The journal, and what was read of it.
pub(super) struct Past {
    journal: Arc<dyn Reader>,
    asked: Mutex<BTreeMap<ReleaseId, Asked>>,
    /// With the place of the last record that is in it: even a closed release gets records, when its old
    /// servers are ended.
    views: Mutex<BTreeMap<ReleaseId, (u64, ReleaseView)>>,
}

impl Past {
    pub(super) fn new(journal: Arc<dyn Reader>) -> Self {
        Self { journal, asked: Mutex::default(), views: Mutex::default() }
    }

    pub(super) fn journal(&self) -> &Arc<dyn Reader> {
        &self.journal
    }

    /// Who asked for a release: what the envelope of its first record says.
    pub(super) async fn asked(&self, id: &ReleaseId) -> Result<Asked, Refused> {
        if let Some(asked) = lock(&self.asked).get(id) {
            return Ok(asked.clone());
        }
        let page = self.journal.page(&Stream::release(id), 0).await.map_err(|error| trouble::read(&error))?;
        let first = page.records.first().ok_or_else(|| unknown(id))?;
        let asked = Asked { actor: first.actor.to_string(), reason: first.reason.clone() };
        keep(&self.asked, id, asked.clone());
        Ok(asked)
    }

    /// The view of a release that is over, if nothing was added to it since.
    pub(super) async fn remembered(&self, id: &ReleaseId) -> Result<Option<ReleaseView>, Refused> {
        let Some((seq, view)) = lock(&self.views).get(id).cloned() else { return Ok(None) };
        let stream = Stream::release(id);
        let ends = self.journal.streams(stream.as_str()).await.map_err(|error| trouble::read(&error))?;
        let is_end = ends.iter().any(|end| end.stream == stream && end.seq == seq);
        Ok(is_end.then_some(view))
    }

    pub(super) fn remember(&self, id: &ReleaseId, seq: u64, view: &ReleaseView) {
        keep(&self.views, id, (seq, view.clone()));
    }
}

/// The releases of lowest name go first; what is gone is read again.
fn keep<T>(all: &Mutex<BTreeMap<ReleaseId, T>>, id: &ReleaseId, value: T) {
    let mut all = lock(all);
    if all.len() >= RELEASES_MAX {
        all.pop_first();
    }
    all.insert(id.clone(), value);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
