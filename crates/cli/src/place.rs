//! The files of one run of several processes: configurations, the journal, logs. Removed at the end, unless
//! something failed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder of one's own, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    /// `prefix` is what the folder's name begins with.
    pub(crate) fn create(prefix: &str) -> Result<Self> {
        let root = tempfile::Builder::new().prefix(prefix).tempdir();
        let root = root.context("no folder could be made for this run's files")?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Keeps the folder for those who want to know what went wrong.
    pub(crate) fn keep(self) -> PathBuf {
        self.root.keep()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// The end of a log, for those who have to find out why something did not start.
    pub(crate) fn tail(&self, name: &str) -> String {
        const LINES: usize = 20;
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }
}
