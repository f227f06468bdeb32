//! The log: one line for each thing that happened, for people or for programs, on stderr.
//!
//! stdout stays free for what programs wait for: the line that says where the daemon listens.

use std::io::IsTerminal as _;

use segue_config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins the log of this process. A log that was begun before stays: a process has one.
pub(crate) fn begin(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    // Colours are for whoever looks at it, and not for a file.
    let coloured = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(coloured);
    let begun = match config.format {
        LogFormat::Human => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    if begun.is_err() {
        tracing::debug!("the log was begun before");
    }
}
