//! The daemon's own sections: `[daemon]` and `[log]`.

use std::net::SocketAddr;
use std::time::Duration;

use segue_journal::Address;

use super::secret::{self, Environment};
use super::shape::{self, Shape};
use super::table::Table;

/// `[daemon]`
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Where the API listens. Loopback only, because this version knows no authentication.
    pub listen: SocketAddr,
    /// Names by which it may be asked, besides addresses and `localhost`; in lower case.
    pub hosts: Vec<String>,
    /// The journal: an SQLite file or a PostgreSQL database; made when it is not there.
    pub journal: Address,
    /// The variable that holds the database's password, if it came from one.
    pub password_variable: Option<String>,
    /// Who holds the lease. Of one daemon alone, or two would take it from each other; the same after a
    /// restart, or the next life would wait for the last one's lease to end.
    pub name: String,
    /// From one look at the world to the next.
    pub tick: Duration,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As `tracing_subscriber::EnvFilter` reads it: `info,segue_engine=debug`.
    pub filter: String,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7788);

const LISTEN_HINT: &str = "listen at 127.0.0.1 or ::1; this version knows no authentication, so reach it through SSH or a proxy that has it";

impl DaemonConfig {
    pub(crate) fn read(mut table: Table<'_>, environment: &Environment) -> Option<Self> {
        let listen = table.or("listen", LISTEN_DEFAULT, &shape::listen());
        if let Some(address) = listen.filter(|address| !address.ip().is_loopback()) {
            table.report("listen", format!("{address} is no loopback address"), LISTEN_HINT);
        }
        let hosts = table.list_or_empty("hosts", &host());
        let journal = journal(&mut table, environment);
        let name = match &journal {
            // Nobody can tell by its address which machine a daemon is on: it listens on loopback.
            Some((Address::Database(_), _)) => own_name(&mut table),
            // Two daemons cannot listen at one address, and one that is started again listens where it did.
            Some((Address::File(_), _)) | None => {
                let own = format!("segue@{}", listen.unwrap_or(LISTEN_DEFAULT));
                table.or("name", own, &name())
            }
        };
        let second = Duration::from_secs(1);
        let tick = table.or("tick", second, &shape::duration(second / 20, 60 * second, "\"1s\""));
        table.done();
        let (journal, password_variable) = journal?;
        Some(Self {
            listen: listen?,
            hosts: hosts?.into_iter().map(|host| host.value).collect(),
            journal,
            password_variable,
            name: name?,
            tick: tick?,
        })
    }
}

impl LogConfig {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let formats = &[("human", LogFormat::Human), ("json", LogFormat::Json)];
        let format = table.or("format", LogFormat::Human, &shape::word(formats, "\"json\""));
        let filter = table.or("filter", "info".to_owned(), &filter());
        table.done();
        Some(Self { format: format?, filter: filter? })
    }
}

/// Where the journal is, and the variable of its password.
fn journal(table: &mut Table<'_>, environment: &Environment) -> Option<(Address, Option<String>)> {
    let what =
        shape::text("the path of a file or the address of a database", "\"/var/lib/segue/journal.db\"");
    let text = table.required("journal", &what);
    let (file_key, env_key) = ("journal_password_file", "journal_password_env");
    let found = secret::password(table, file_key, env_key, environment);
    match Address::parse(&text?) {
        Ok(Address::File(_)) if found.as_ref().is_ok_and(Option::is_some) => {
            table.report(
                file_key,
                "a file has no password",
                "take it out, or write the address of a database",
            );
            None
        }
        Ok(address) => {
            let (password, variable) = found.ok()?.map(|found| (found.secret, found.variable)).unzip();
            Some((address.with_password(password), variable.flatten()))
        }
        Err(error) => {
            table.report("journal", error.to_string(), error.hint());
            None
        }
    }
}

/// Daemons of several machines share a database, and each has to say who it is: two of one name would take the
/// lease from each other.
fn own_name(table: &mut Table<'_>) -> Option<String> {
    let given = table.optional("name", &name()).ok()?;
    if given.is_none() {
        let what = "it is missing: several daemons may share a database, and each needs a name of its own";
        table.report("name", what, "add `name = \"segue-1\"`, and another one on every other machine");
    }
    given
}

fn name() -> Shape<String> {
    Shape::text("a name of up to 64 letters, digits and dashes", "\"segue-1\"", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        ((1..=64).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
    })
}

fn host() -> Shape<String> {
    Shape::text("the name of a host, without a port", "\"segue.internal\"", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let is_name = (1..=253).contains(&text.len()) && text.chars().all(fits);
        is_name.then(|| text.to_ascii_lowercase())
    })
}

fn filter() -> Shape<String> {
    Shape::text("a log filter", "\"info,segue_engine=debug\"", |text| {
        tracing_subscriber::EnvFilter::try_new(text).is_ok().then(|| text.to_owned())
    })
}
