//! What has to be on this machine: the journal and its folder, the lease, the address, the commands.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use segue_api::Readiness;
use segue_config::{Config, Environment};
use segue_journal::{Address, Looked, OpenError, Scope};

use super::finding::Check;
use crate::serve::{SCOPE, understood};
use crate::start::StartError;

/// A daemon that is there answers at once.
const DAEMON_WITHIN: Duration = Duration::from_secs(2);

/// `journal`, `lease` and `listen`.
pub(super) async fn look(config: &Config) -> Vec<Check> {
    let address = &config.daemon.journal;
    let (looked, listen) = tokio::join!(address.look(), listen(config));
    let (journal, lease) = match looked {
        Ok(looked) => (
            journal(address, looked).await,
            match looked {
                Looked::Journal => lease(address, &config.daemon.name).await,
                Looked::Absent | Looked::Empty => Check::ok("lease", "nobody holds it"),
            },
        ),
        Err(error) => (refused(&error.into()), Check::skip("lease", "the journal cannot be read")),
    };
    vec![journal, lease, listen]
}

fn refused(error: &StartError) -> Check {
    // An error that says by itself what to do brings none.
    let hint =
        error.hint().map_or_else(|| format!("docs/errors/{}.md says more", error.code()), str::to_owned);
    let sentence = format!("{} ({})", segue_engine::ports::chain(error), error.code());
    Check::fail("journal", sentence, hint)
}

async fn journal(address: &Address, looked: Looked) -> Check {
    // A database says by itself, when it is looked at, whether it will do.
    if let Address::File(path) = address
        && let Err(error) = writable(path, looked)
    {
        let sentence = format!("{} and its folder cannot be written: {error}", path.display());
        return Check::fail(
            "journal",
            sentence,
            "make the folder, and let the user that runs the daemon write to it; check as that user",
        );
    }
    match looked {
        Looked::Absent => Check::ok("journal", format!("{address} will be made")),
        Looked::Empty => Check::ok("journal", format!("{address} is empty and will be filled")),
        Looked::Journal => match newest(address).await {
            Ok(streams) => Check::ok("journal", format!("{address} is a journal of {streams}")),
            Err(error) => refused(&error),
        },
    }
}

/// A file in its folder, which has no name and is gone at once; and the journal itself, if it is there.
fn writable(path: &Path, looked: Looked) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    tempfile::tempfile_in(folder)?;
    match looked {
        Looked::Absent => Ok(()),
        Looked::Empty | Looked::Journal => OpenOptions::new().append(true).open(path).map(drop),
    }
}

/// Every stream begins and ends in a record that this version understands. An older layout is read once it was brought up.
async fn newest(address: &Address) -> Result<String, StartError> {
    let reader = match address.open_to_read().await {
        Ok(reader) => reader,
        Err(OpenError::Older { .. }) => return Ok("an older version, which is brought up".to_owned()),
        Err(error) => return Err(error.into()),
    };
    understood(&*reader).await?;
    let streams = reader.streams("").await.map_err(StartError::JournalUnreadable)?;
    Ok(super::counted(streams.len(), "stream"))
}

/// Somebody else may hold the lease; a daemon of the same name takes it over, as after a restart.
async fn lease(address: &Address, name: &str) -> Check {
    let reader = match address.open_to_read().await {
        Ok(reader) => reader,
        Err(error) => return Check::skip("lease", format!("it cannot be read: {error}")),
    };
    match reader.holder(&Scope::new(SCOPE)).await {
        Ok(None) => Check::ok("lease", "nobody holds it"),
        Ok(Some(holder)) if holder.owner.as_str() == name => {
            Check::ok("lease", format!("{name}, this daemon's own name, holds it"))
        }
        Ok(Some(holder)) => Check::warn(
            "lease",
            format!("{} holds it; a daemon called {name} would wait until that one ends", holder.owner),
            "ask that one, or stop it; two daemons of one journal take turns and never act together",
        ),
        Err(error) => Check::skip("lease", format!("it cannot be read: {error}")),
    }
}

async fn listen(config: &Config) -> Check {
    let address = config.daemon.listen;
    let Err(error) = tokio::net::TcpListener::bind(address).await else {
        return Check::ok("listen", format!("{address} is free"));
    };
    match daemon_at(address).await {
        Some(Readiness { config_digest: Some(digest), .. }) if digest != config.digest => Check::warn(
            "listen",
            format!(
                "the daemon that answers at {address} read another configuration than this file holds now"
            ),
            "start that daemon anew, and it reads this file; a release goes on where it is",
        ),
        Some(_) => Check::ok("listen", format!("a daemon answers at {address}")),
        None => Check::fail(
            "listen",
            format!("the daemon cannot listen at {address}: {error}"),
            "stop what listens there, or write another port as `daemon.listen`",
        ),
    }
}

/// What the Segue daemon that listens there says of itself, if one does.
pub(crate) async fn daemon_at(address: SocketAddr) -> Option<Readiness> {
    let url = format!("http://{address}").parse().ok()?;
    let client = segue_api::Client::new(&url, segue_api::Limits::INTERACTIVE).ok()?;
    tokio::time::timeout(DAEMON_WITHIN, client.readiness()).await.ok()?.ok()
}

/// `configure`: the command that gets an instance ready can be run.
pub(super) fn command(configure: Option<&[String]>) -> Check {
    let Some(program) = configure.and_then(<[String]>::first) else {
        return Check::skip("configure", "no command is configured");
    };
    match found(program) {
        Some(path) => Check::ok("configure", format!("{} can be run", path.display())),
        None => Check::fail(
            "configure",
            format!("{program} cannot be run on this machine"),
            "install it here, where the daemon runs, or write its whole path as the first word of `launch.configure`",
        ),
    }
}

/// As a shell finds it: by its path, or in a folder of PATH.
fn found(program: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(runs);
    }
    let folders = Environment::process().get("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::CheckState;

    #[test]
    fn a_command_is_looked_for_as_a_shell_does() {
        let state = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            command(Some(&words)).state
        };
        assert_eq!(state(&["sh", "-c", "true"]), CheckState::Ok);
        assert_eq!(state(&["/bin/sh"]), CheckState::Ok);
        assert_eq!(state(&["/nowhere/configure"]), CheckState::Fail);
        assert_eq!(state(&["no-such-program-anywhere"]), CheckState::Fail);
        // A folder is no program.
        assert_eq!(state(&["/bin"]), CheckState::Fail);
        assert_eq!(command(None).state, CheckState::Skip);
    }

    #[test]
    fn a_journal_that_is_refused_is_never_told_without_a_hint() {
        let wrong = segue_config::Config::parse("segue.toml", "nothing = 1", &Environment::process());
        let mistakes = wrong.expect_err("it is no configuration");
        let bare = StartError::Config(segue_config::LoadError::Wrong(mistakes));
        assert_eq!(bare.hint(), None);
        assert_eq!(refused(&bare).hint.as_deref(), Some("docs/errors/config-invalid.md says more"));
        let foreign = StartError::Journal(OpenError::NotAJournal { place: "x".to_owned() });
        assert_eq!(refused(&foreign).hint.as_deref(), foreign.hint());
    }

    #[tokio::test]
    async fn a_journal_is_made_only_where_its_folder_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Address::File(folder.path().join("journal.db"));
        assert_eq!(journal(&path, Looked::Absent).await.state, CheckState::Ok);
        let nowhere = Address::File(folder.path().join("missing/journal.db"));
        assert_eq!(journal(&nowhere, Looked::Absent).await.state, CheckState::Fail);
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("it reads").collect();
        assert!(left.is_empty(), "a check left {left:?}");
    }
}
