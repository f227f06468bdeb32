//! What each command does.

mod adopt;
mod ask;
mod check;
mod journal;
mod plan;
mod sandbox;
mod status;
mod verb;
mod wait;

use anyhow::Result;
use segue_api::{Client, Error as ClientError, HistoryQuery, Limits, ReleaseKind, Verb};

use crate::args::{Cli, Command, Common, JournalCommand, Signed};
use crate::exit::Exit;
use crate::{bench, demo, output, text};

pub(crate) async fn run(cli: Cli) -> Result<Exit> {
    let common = cli.common;
    match cli.command {
        Command::Serve { config } => serve(&config).await,
        Command::Check { config } => check::run(&common, &config).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) => bench::run(&common, args).await,
        Command::Sandbox(args) => done(sandbox::run(args).await),
        Command::DemoApp(args) => done(segue_sandbox::app::run(args).await),
        Command::DemoStore(args) => done(segue_sandbox::store::run(args).await.map_err(Into::into)),
        Command::InstanceInit(_) => Ok(Exit::Error),
        Command::Plan(args) => plan::run(&common, args).await,
        Command::Canary(args) => ask::release(&common, ReleaseKind::Canary, args).await,
        Command::Release(args) => ask::release(&common, ReleaseKind::Full, args).await,
        Command::Rollback(args) => ask::rollback(&common, args).await,
        Command::Status { what, watch } => status::run(&common, what.as_deref(), watch).await,
        Command::Promote(args) => verb::say(&common, Verb::Promote, args).await,
        Command::Pause(args) => verb::say(&common, Verb::Pause, args).await,
        Command::Resume(args) => verb::say(&common, Verb::Resume, args).await,
        Command::Abort(args) => verb::say(&common, Verb::Abort, args).await,
        Command::Retry(args) => verb::say(&common, Verb::Retry, args).await,
        Command::Adopt(args) => adopt::run(&common, args).await,
        Command::Journal(JournalCommand::Show { what, journal }) => {
            journal::show(&common, &journal, what.as_deref()).await
        }
        Command::History { service, limit } => history(&common, service, limit).await,
    }
}

fn done(ended: Result<()>) -> Result<Exit> {
    ended.map(|()| Exit::Done)
}

async fn serve(config: &std::path::Path) -> Result<Exit> {
    match segue_daemon::serve(config).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            output::say(error.told().trim_end());
            Ok(if error.is_refusal() { Exit::Refused } else { Exit::Error })
        }
    }
}

async fn history(common: &Common, service: Option<String>, limit: u32) -> Result<Exit> {
    let history = client(common)?.history(&HistoryQuery { service, limit: Some(limit) }).await?;
    output::data(common.output, &history, text::history)?;
    Ok(Exit::Done)
}

pub(crate) fn client(common: &Common) -> Result<Client> {
    Ok(Client::new(&common.daemon, Limits::INTERACTIVE)?)
}

/// A client for what the journal keeps with a name.
fn client_by(common: &Common, signed: &Signed) -> Result<Client> {
    let client = client(common)?;
    Ok(match signed.actor() {
        Some(actor) => client.by(actor),
        None => client,
    })
}

/// Says what went wrong and how to mend it; the exit code tells a refusal from an error.
pub(crate) fn explain(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Problem(problem)) => {
            output::say(&text::problem(problem));
            if problem.status < 500 { Exit::Refused } else { Exit::Error }
        }
        Some(other) => {
            output::say(&format!("error: {error:#}"));
            output::say(&format!("hint: {}", hint(other)));
            Exit::Error
        }
        None => {
            output::say(&format!("error: {error:#}"));
            Exit::Error
        }
    }
}

fn hint(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { url, .. } if url.starts_with("https:") => {
            "is there TLS? The daemon itself speaks http; https is for a proxy in front of it"
        }
        ClientError::BadAnswer { .. } | ClientError::BadAddress { .. } => {
            "does a Segue daemon of this version answer there? --daemon or SEGUE_DAEMON names the address that \
             `segue serve` told when it was ready"
        }
        ClientError::Silent { .. } => {
            "the network, or a proxy, may have cut it off: ask again with `segue status`"
        }
        ClientError::Unreachable { .. } | ClientError::Problem(_) => {
            "is the daemon running? `segue serve --config FILE` starts it, --daemon names another address"
        }
    }
}
