//! The one place that prints: data on stdout, talk on stderr. Readable without colour.

use std::io::Write as _;

use serde::Serialize;

use crate::args::Output;

/// Data, for people or for programs.
pub(crate) fn data<T: Serialize>(
    output: Output,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let written = match output {
        Output::Text => text(value),
        Output::Json => serde_json::to_string_pretty(value)?,
    };
    lines(&written)
}

/// Lines of data as they are.
pub(crate) fn lines(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()) {
        // Whoever reads has seen enough: `segue history | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A line of talk.
pub(crate) fn say(line: &str) {
    // A closed stderr is no reason to stop what is going on.
    let _closed = writeln!(std::io::stderr().lock(), "{line}");
}
