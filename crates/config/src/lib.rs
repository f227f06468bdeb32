//! The daemon's configuration: one TOML file, read once, checked as a whole.
//!
//! After [`Config::load`] nothing is unchecked: every name, address, ARN and duration is its own type, and
//! whatever is wrong was reported at once, each mistake with its place and how to mend it. It alone
//! reads the environment, but for what clap reads for the command line: secrets that the file names, and PATH for
//! `segue check`.
//!
//! Deliberately absent: reloading. A running release carries its own copy of its service's section, and a
//! changed file is read by a restart, which costs no release anything.

mod arn;
mod document;
mod file;
mod mistake;
mod outside;
mod place;
mod policy;
mod process;
mod routing;
mod secret;
mod service;
mod shape;
mod table;

use std::path::Path;

use segue_engine::Pacing;
use sha2::{Digest as _, Sha256};

pub use self::mistake::{Mistake, Mistakes};
pub use self::outside::{AwsConfig, HandoverConfig, PrometheusConfig};
pub use self::process::{DaemonConfig, LogConfig, LogFormat};
pub use self::secret::Environment;
pub use self::service::ServiceConfig;

use self::document::Document;

/// Longer than any sensible file; keeps a wrong path from filling the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Everything that the daemon was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Identifies the file's text: the first 16 hex digits of its SHA-256. Secrets are not in the text.
    pub digest: String,
    pub daemon: DaemonConfig,
    pub log: LogConfig,
    pub aws: AwsConfig,
    pub prometheus: PrometheusConfig,
    pub handover: HandoverConfig,
    /// In the order of the file; at least one, each name once.
    pub services: Vec<ServiceConfig>,
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the configuration {path} cannot be read")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration {path} is longer than {FILE_BYTES_MAX} bytes")]
    TooLong { path: String },
    #[error("{0}")]
    Wrong(Mistakes),
}

impl Config {
    /// Reads and checks the file. Secrets come from the files and variables that it names.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let unreadable = |source| LoadError::Unreadable { path: name.clone(), source };
        let Some(text) = file::text(path, FILE_BYTES_MAX).map_err(unreadable)? else {
            return Err(LoadError::TooLong { path: name });
        };
        Self::parse(&name, &text, &Environment::process()).map_err(LoadError::Wrong)
    }

    /// Variables that hold secrets of the daemon's own, for who has to keep them from others. libpq's is among
    /// them: whoever sets it for the daemon does not set it for what the daemon runs.
    pub fn secret_variables(&self) -> Vec<String> {
        let named = [&self.handover.key_variable, &self.daemon.password_variable].into_iter().flatten();
        named.cloned().chain(["PGPASSWORD".to_owned()]).collect()
    }

    /// Checks the text of a file that is called `name` in what is reported.
    pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Self, Mistakes> {
        let document = Document::parse(name, text);
        let read = read(&document, text, environment);
        match (document.finish(), read) {
            (Ok(()), Some(config)) => Ok(config),
            (Err(mistakes), _) => Err(mistakes),
            (Ok(()), None) => Err(Mistakes::unexplained(name)),
        }
    }
}

fn read(document: &Document<'_>, text: &str, environment: &Environment) -> Option<Config> {
    let mut root = document.root();
    let daemon = root.table("daemon").and_then(|table| DaemonConfig::read(table, environment));
    let log = root.table("log").and_then(LogConfig::read);
    let aws = root.table("aws").and_then(AwsConfig::read);
    let prometheus = root.table("prometheus").and_then(PrometheusConfig::read);
    let handover = root.table("handover").and_then(|table| HandoverConfig::read(table, environment));
    let pacing = aws.as_ref().map_or(Pacing::Published, |aws| aws.pacing);
    let services = service::read_all(&mut root, pacing);
    root.done();
    Some(Config {
        digest: digest(text),
        daemon: daemon?,
        log: log?,
        aws: aws?,
        prometheus: prometheus?,
        handover: handover?,
        services: services?,
    })
}

fn digest(text: &str) -> String {
    const CHARS: usize = 16;
    hex::encode(Sha256::digest(text)).chars().take(CHARS).collect()
}
