//! The journal of one run as files: one for each stream, a line for each record, as a reader takes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use segue_journal::{Record, Stream};

use crate::run::Watcher;

/// Everything that was appended.
#[derive(Debug, Default)]
pub struct Kept(Mutex<BTreeMap<Stream, String>>);

impl Watcher for Kept {
    fn record(&self, _: u64, record: &Record) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = streams.entry(record.stream.clone()).or_default();
        writeln!(lines, "{}", record.line()).expect("a string takes what is written to it");
    }
}

impl Kept {
    /// Writes `release/boards-1.jsonl`, `service/boards.jsonl` and so on into a folder, which is made if it is not
    /// there.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (stream, lines) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let file = folder.join(format!("{stream}.jsonl"));
            let above = file.parent().unwrap_or(folder);
            std::fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
            std::fs::write(&file, lines).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}
