//! Where a journal is: a file, or a database.
//!
//! A password is never part of an address: addresses are written into configurations, logs and pages.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use thiserror::Error;
use url::Url;

/// The words that an address may have after its question mark, as `psql` knows them.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>
const WORDS: [&str; 5] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Where a journal is.
#[derive(Debug, Clone)]
pub enum Address {
    /// An SQLite file: one machine.
    File(PathBuf),
    /// A PostgreSQL database: several machines.
    Database(Database),
}

/// The address of a PostgreSQL database, and what to say to be let in.
#[derive(Debug, Clone)]
pub struct Database {
    url: Url,
    password: Option<SecretString>,
}

/// What is wrong with an address. The address itself is not repeated: it may hold what nobody should see.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("it is empty")]
    Empty,
    #[error("it is no address of a database: {0}")]
    NoUrl(String),
    #[error("{0}:// is no kind of journal")]
    UnknownKind(String),
    #[error("a password stands in it")]
    Password,
    #[error("it names no {0}")]
    Missing(&'static str),
    #[error("it has more after its database than `?` and words")]
    Surplus,
    #[error("it does not know `{0}`")]
    UnknownWord(String),
    #[error("{0:?} is no sslmode")]
    UnknownSslMode(String),
    #[error("`host` is for the folder of a socket, and {0:?} is no whole path")]
    NoSocket(String),
}

impl AddressError {
    /// How to mend it.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty | Self::NoUrl(_) | Self::Missing(_) | Self::UnknownKind(_) => {
                "write a file's path, or postgres://USER@HOST/DATABASE".to_owned()
            }
            Self::Password => {
                "take it out, and name the file or the variable that holds it; change it, for it was read by \
                 whoever could read this"
                    .to_owned()
            }
            Self::Surplus => "end it with the name of the database".to_owned(),
            Self::UnknownWord(_) => format!("after the question mark it may have {}", WORDS.join(", ")),
            Self::UnknownSslMode(_) => format!("write one of {}", SSL_MODES.join(", ")),
            Self::NoSocket(_) => {
                "write the server's name or address before the database: postgres://USER@HOST/DATABASE"
                    .to_owned()
            }
        }
    }
}

impl Address {
    /// Reads what a person wrote: a path, or `postgres://USER@HOST[:PORT]/DATABASE[?sslmode=verify-full]`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        match text.split_once("://") {
            None if text.is_empty() => Err(AddressError::Empty),
            None => Ok(Self::File(PathBuf::from(text))),
            Some(("postgres" | "postgresql", _)) => Database::parse(text).map(Self::Database),
            Some((kind, _)) => Err(AddressError::UnknownKind(kind.to_owned())),
        }
    }

    /// The same place, with what a database wants to hear; a file wants nothing.
    #[must_use]
    pub fn with_password(self, password: Option<SecretString>) -> Self {
        match self {
            Self::File(path) => Self::File(path),
            Self::Database(database) => Self::Database(Database { password, ..database }),
        }
    }
}

impl Database {
    fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|error| {
            // Before a socket's folder stands a name too: https://url.spec.whatwg.org/#host-missing
            if error == url::ParseError::EmptyHost {
                AddressError::Missing("host")
            } else {
                AddressError::NoUrl(error.to_string())
            }
        })?;
        if url.password().is_some() {
            return Err(AddressError::Password);
        }
        for (word, value) in url.query_pairs() {
            match &*word {
                "password" => return Err(AddressError::Password),
                "sslmode" if !SSL_MODES.contains(&&*value) => {
                    return Err(AddressError::UnknownSslMode(value.into_owned()));
                }
                "host" if !value.starts_with('/') => return Err(AddressError::NoSocket(value.into_owned())),
                known if WORDS.contains(&known) => {}
                unknown => return Err(AddressError::UnknownWord(unknown.to_owned())),
            }
        }
        for (is_there, what) in [
            (!url.username().is_empty(), "user"),
            (url.host_str().is_some_and(|host| !host.is_empty()), "host"),
            (url.path().len() > 1, "database"),
        ] {
            if !is_there {
                return Err(AddressError::Missing(what));
            }
        }
        let is_one_name = url.path_segments().is_some_and(|segments| segments.count() == 1);
        if !is_one_name || url.fragment().is_some() {
            return Err(AddressError::Surplus);
        }
        Ok(Self { url, password: None })
    }

    /// With everything but a password.
    #[cfg_attr(not(feature = "databases"), expect(dead_code, reason = "only a database is told it"))]
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    #[cfg_attr(not(feature = "databases"), expect(dead_code, reason = "only a database is told it"))]
    pub(crate) fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Database(database) => database.fmt(f),
        }
    }
}

impl fmt::Display for Database {
    /// Without what stands after the question mark: who it is and where, not how it is spoken to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, AddressError> {
        Address::parse(text).map(|address| address.to_string())
    }

    #[test]
    fn a_path_is_a_file_and_an_address_is_a_database() {
        assert!(matches!(Address::parse("/var/lib/segue/journal.db"), Ok(Address::File(_))));
        assert!(matches!(Address::parse("segue.journal.db"), Ok(Address::File(_))));
        assert_eq!(
            shown("postgres://segue@db.internal/segue"),
            Ok("postgres://segue@db.internal/segue".into())
        );
        assert_eq!(
            shown("postgresql://segue@db:5433/segue?sslmode=verify-full&sslrootcert=/etc/rds.pem"),
            Ok("postgresql://segue@db:5433/segue".into())
        );
        assert!(shown("postgres://segue@localhost/segue?host=/run/postgresql").is_ok());
    }

    #[test]
    fn what_cannot_be_an_address_says_why() {
        for (text, why) in [
            ("  ", AddressError::Empty),
            ("mysql://segue@db/segue", AddressError::UnknownKind("mysql".to_owned())),
            ("postgres://segue:word@db/segue", AddressError::Password),
            ("postgres://segue@db/segue?password=word", AddressError::Password),
            ("postgres://db/segue", AddressError::Missing("user")),
            ("postgres://segue@/segue", AddressError::Missing("host")),
            ("postgres://segue@db", AddressError::Missing("database")),
            ("postgres://segue@db/segue/more", AddressError::Surplus),
            ("postgres://segue@db/segue?ssl=on", AddressError::UnknownWord("ssl".to_owned())),
            ("postgres://segue@db/segue?sslmode=on", AddressError::UnknownSslMode("on".to_owned())),
            ("postgres://segue@db/segue?host=other", AddressError::NoSocket("other".to_owned())),
        ] {
            assert_eq!(shown(text), Err(why), "{text}");
        }
        assert!(matches!(shown("postgres://segue@db:port/segue"), Err(AddressError::NoUrl(_))));
    }

    #[test]
    fn a_password_is_nowhere_to_be_seen() {
        let address = Address::parse("postgres://segue@db/segue").expect("an address");
        let address = address.with_password(Some("hunter2hunter2".into()));
        assert!(!format!("{address} {address:?}").contains("hunter2"));
        let error = shown("postgres://segue:hunter2@db/segue").expect_err("a password");
        assert!(!format!("{error} {error:?} {}", error.hint()).contains("hunter2"));
    }
}
