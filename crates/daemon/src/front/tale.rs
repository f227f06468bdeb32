//! The journal as a stream of events that goes on as the journal grows.

use std::collections::BTreeMap;
use std::sync::Arc;

use segue_api::{EventView, Scope};
use segue_journal::{Page, ReadError, Reader, Record, Records, Stream};

use super::changes::Changes;
use super::{Front, named, trouble, unknown};
use crate::problem::{Fault, Refused};
use crate::views::{self, Cursor};

/// Where a reader of events is.
pub(crate) struct Tale {
    journal: Arc<dyn Reader>,
    changes: Changes,
    /// The only stream, or none for all of them.
    only: Option<Stream>,
    /// The last record of each stream that was told.
    told: BTreeMap<Stream, u64>,
}

impl Front {
    /// The events of a release from its beginning, or of everything from now on; or after `after`.
    pub(crate) async fn tale(&self, scope: &Scope, after: Option<&Cursor>) -> Result<Tale, Refused> {
        let journal = Arc::clone(self.past.journal());
        let changes = Changes::new(self.engine.events(), None);
        let mut tale = Tale { journal, changes, only: None, told: BTreeMap::new() };
        match scope {
            Scope::Release(id) => {
                let id = named(id)?;
                let stream = Stream::release(&id);
                let page = tale.journal.page(&stream, 0).await.map_err(|error| trouble::read(&error))?;
                if page.end_seq == 0 {
                    return Err(unknown(&id));
                }
                tale.told.insert(stream.clone(), seq_in(&stream, page.end_seq, after)?);
                tale.only = Some(stream);
            }
            Scope::All => match after {
                Some(after) => tale.find(after).await.map_err(|error| trouble::read(&error))?,
                None => tale.told = tale.ends().await.map_err(|error| trouble::read(&error))?,
            },
        }
        Ok(tale)
    }
}

/// The place in the stream that a caller was told last.
fn seq_in(stream: &Stream, end_seq: u64, after: Option<&Cursor>) -> Result<u64, Refused> {
    match after {
        None => Ok(0),
        Some(after) if after.stream == *stream && after.seq <= end_seq => Ok(after.seq),
        Some(after) => Err(Fault::EventIdUnknown { id: after.to_string() }.into()),
    }
}

impl Tale {
    /// The next events, at least one; none when the journal cannot be read any more. The caller asks again
    /// with the last id.
    pub(crate) async fn next(&mut self) -> Option<Vec<EventView>> {
        loop {
            let records = self.more().await.inspect_err(|error| drop(trouble::read(error))).ok()?;
            if !records.is_empty() {
                return Some(records.iter().map(views::event).collect());
            }
            self.changes.next().await;
        }
    }

    /// What was not told yet, in the order of time, up to the first end of a page.
    async fn more(&mut self) -> Result<Vec<Record>, ReadError> {
        let ends = match &self.only {
            Some(only) => BTreeMap::from([(only.clone(), u64::MAX)]),
            None => self.ends().await?,
        };
        let mut pages = Vec::new();
        for (stream, end) in ends {
            let told = self.told.get(&stream).copied().unwrap_or(0);
            if end > told {
                // One page: the rest comes with the next call, so that a long replay stays small.
                pages.push(self.journal.page(&stream, told).await?);
            }
        }
        let mut fresh = up_to_the_first_end(pages);
        fresh.sort_by(|a, b| (a.at, &a.stream, a.seq).cmp(&(b.at, &b.stream, b.seq)));
        for record in &fresh {
            let told = self.told.entry(record.stream.clone()).or_default();
            *told = (*told).max(record.seq);
        }
        Ok(fresh)
    }

    /// Stands right after `after`. Of a stream that ended before it only the last record is read.
    async fn find(&mut self, after: &Cursor) -> Result<(), ReadError> {
        for (stream, end) in self.ends().await? {
            let told = if stream == after.stream {
                after.seq.min(end)
            } else if self.is_over(&stream, end, after).await? {
                end
            } else {
                self.last_told(&stream, after).await?
            };
            self.told.insert(stream, told);
        }
        Ok(())
    }

    /// The last record that is not later than `after`.
    async fn last_told(&self, stream: &Stream, after: &Cursor) -> Result<u64, ReadError> {
        let (mut records, mut last) = (Records::new(self.journal.as_ref(), stream, 0), 0);
        while let Some(record) = records.next().await? {
            if !after.is_before(&record) {
                last = record.seq;
            }
        }
        Ok(last)
    }

    async fn is_over(&self, stream: &Stream, end: u64, after: &Cursor) -> Result<bool, ReadError> {
        let last = self.journal.page(stream, end.saturating_sub(1)).await?.records;
        Ok(last.last().is_none_or(|last| !after.is_before(last)))
    }

    async fn ends(&self) -> Result<BTreeMap<Stream, u64>, ReadError> {
        let ends = self.journal.streams("").await?;
        Ok(ends.into_iter().map(|end| (end.stream, end.seq)).collect())
    }
}

/// The records of each page that are not later than all that any page has which is not its stream's last.
///
/// What such a stream has after its page may be earlier than the rest. Told after it, it would be lost: who
/// goes on from the later one is not given what was earlier.
fn up_to_the_first_end(pages: Vec<Page>) -> Vec<Record> {
    let unfinished = pages.iter().filter(|page| page.records.last().is_some_and(|it| it.seq < page.end_seq));
    let first_end = unfinished.filter_map(|page| page.records.iter().map(|record| record.at).max()).min();
    let is_due = |record: &Record| first_end.is_none_or(|end| record.at <= end);
    pages.into_iter().flat_map(|page| page.records.into_iter().take_while(is_due)).collect()
}
