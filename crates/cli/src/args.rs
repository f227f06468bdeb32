//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use segue_api::{Actor, IdempotencyKey, Override, ReleaseId};
use segue_journal::Address;
use segue_sandbox::SandboxArgs;
use segue_sandbox::app::AppArgs;
use segue_sandbox::store::StoreArgs;
use url::Url;

use crate::bench::BenchArgs;
use crate::demo::DemoArgs;

/// Releases stateful websocket applications on AWS without anyone noticing.
#[derive(Debug, Parser)]
#[command(
    name = "segue",
    version,
    max_term_width = 100,
    after_help = "What is refused has a code in brackets: docs/errors/README.md says what each means."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The daemon's address
    #[arg(
        long,
        global = true,
        env = "SEGUE_DAEMON",
        value_name = "URL",
        default_value = "http://127.0.0.1:7788",
        value_parser = parse_daemon
    )]
    pub(crate) daemon: Url,
    /// How data is written to stdout
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon
    Serve {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Look whether everything that a release needs is there; no daemon need run
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show it all on this machine: a canary and a full release under live users
    Demo(DemoArgs),
    /// Measure a release of thousands of simulated servers on this machine
    Bench(BenchArgs),
    /// Run a stand-in for AWS on this machine
    Sandbox(SandboxCommand),
    /// Tell what a release would do, call by call; nothing is done
    Plan(PlanArgs),
    /// Bring one new version up beside the fleet, and watch it under real traffic
    Canary(ReleaseArgs),
    /// Carry a whole service to a version
    Release(ReleaseArgs),
    /// Carry a whole service back to the version before
    Rollback(RollbackArgs),
    /// Tell what runs and what a release waits for
    Status {
        /// A service or a release; everything when it is left out
        what: Option<String>,
        /// Stay, and show every change, until the release ends
        #[arg(long)]
        watch: bool,
    },
    /// Say yes where a gate is open, to a canary that could not be judged, or to fewer old servers
    Promote(VerbArgs),
    /// Begin nothing new until `resume`
    Pause(VerbArgs),
    /// Go on after a pause
    Resume(VerbArgs),
    /// Turn a release back
    Abort(VerbArgs),
    /// Try again what a release holds on
    Retry(VerbArgs),
    /// Take in running servers that Segue did not launch, after a look at which
    Adopt(AdoptArgs),
    /// List releases, the newest first
    History {
        /// Only of this service
        service: Option<String>,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Read a journal, without a daemon
    #[command(subcommand)]
    Journal(JournalCommand),
    #[command(hide = true)]
    DemoApp(AppArgs),
    #[command(hide = true)]
    DemoStore(StoreArgs),
    #[command(hide = true)]
    InstanceInit(segue_sandbox::InstanceInitArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Tell what happened, a line for each record; the file is only read, and may be in use
    Show {
        /// A release or a service; a list of both when it is left out
        what: Option<String>,
        /// The journal, `daemon.journal` of the configuration: a file, or postgres://USER@HOST/DATABASE
        #[arg(long, value_name = "JOURNAL", value_parser = parse_journal)]
        journal: Address,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SandboxCommand {
    #[command(flatten)]
    pub(crate) sandbox: SandboxArgs,
    /// Simulated users who edit boards on the fleet, five on each
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) clients: u32,
    /// Write a configuration for `segue serve` that fits the sandbox; its key and journal lie beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) serve_config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// As it is configured
    pub(crate) service: String,
    /// Which kind of release is planned
    #[arg(long, value_name = "KIND", default_value = "full")]
    pub(crate) kind: Kind,
    /// The version to bring in, or to go back to; the daemon chooses when it is left out
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// Keep the plan in this file, for `--plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Which release a plan is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Full,
    Canary,
    Rollback,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// As it is configured
    pub(crate) service: String,
    /// The version; when it is left out that of the newest AMI, for a release before it the one whose canary passed
    /// last
    #[arg(long)]
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// As it is configured
    pub(crate) service: String,
    /// The version to go back to; the one before when it is left out
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// As it is configured
    pub(crate) service: String,
    /// Only this instance; may be given more than once; whoever is registered in a colour or canary group when it is
    /// left out
    #[arg(long = "instance", value_name = "ID")]
    pub(crate) instances: Vec<String>,
    /// The version of servers of which neither AMI nor application says it
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) signed: Signed,
}

/// What the journal keeps of whoever asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Signed {
    /// Why, for the journal
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Who, for the journal; whoever is logged in when it is left out
    #[arg(long, env = "SEGUE_ACTOR", value_name = "NAME")]
    actor: Option<Actor>,
    #[arg(long, env = "USER", hide = true)]
    logged_in: Option<String>,
}

impl Signed {
    /// Nobody where the name of who is logged in is none that the daemon takes: it is not worth a refusal.
    pub(crate) fn actor(&self) -> Option<Actor> {
        let logged_in = || self.logged_in.clone().or_else(|| whoami::username().ok());
        self.actor.clone().or_else(|| logged_in()?.parse().ok())
    }
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) signed: Signed,
    /// Set a preflight check aside, with the reason
    #[arg(long = "override", value_name = "CHECK=REASON", value_parser = parse_override)]
    pub(crate) overrides: Vec<Override>,
    /// Do what this plan says (`segue plan --out`), or nothing if the world has changed since
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Makes the request repeatable: the same key and request give the same release
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Stay until the release ends or needs a person; the exit code says how
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: stay at most so long (90s, 10m, 4h)
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct VerbArgs {
    pub(crate) release: ReleaseId,
    #[command(flatten)]
    pub(crate) signed: Signed,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

fn parse_daemon(text: &str) -> Result<Url, String> {
    let url: Option<Url> = text.parse().ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        "write it as http://HOST:PORT; `segue serve` tells its own when it is ready".to_owned()
    })
}

fn parse_journal(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| format!("{error}; {}", error.hint()))
}

fn parse_override(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((check, reason)) if !check.is_empty() && !reason.trim().is_empty() => {
            Ok(Override { check: check.to_owned(), reason: reason.to_owned() })
        }
        Some(_) | None => Err("write the check's name, = and the reason: canary=\"hot fix\"".to_owned()),
    }
}

/// A span as people write it: `10s`, `5m`, `4h`, `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_unread| "write 10s, 5m or 4h".to_owned())?;
    Duration::try_from(span).map_err(|error| format!("a time span is not negative: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_span_is_read_as_people_write_it() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert!(parse_duration("-3s").is_err() && parse_duration("soon").is_err());
    }

    #[test]
    fn a_daemons_address_has_a_scheme_and_a_host() {
        assert!(
            parse_daemon("http://127.0.0.1:7788").is_ok() && parse_daemon("https://segue.internal/").is_ok()
        );
        for wrong in ["127.0.0.1:7788", "localhost:7788", "segue.internal", "ftp://segue.internal", ""] {
            assert!(parse_daemon(wrong).is_err_and(|why| why.contains("http://HOST:PORT")), "{wrong:?}");
        }
    }

    #[test]
    fn an_override_needs_its_reason() {
        assert!(parse_override("canary=hot fix").is_ok());
        assert!(parse_override("canary").is_err() && parse_override("canary= ").is_err());
    }
}
