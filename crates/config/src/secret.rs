//! Secrets: read from a file or an environment variable that the configuration names, never from the
//! configuration itself, and never printed.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use segue_handover::auth::Key;

use super::file;
use super::shape::{self, Shape};
use super::table::{Noted, Table};

/// What the contract demands of a key; a shorter one can be found by trying.
const SECRET_BYTES_MIN: usize = Key::MIN_LEN;
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The environment as configuration sees it.
#[derive(Debug, Clone)]
pub struct Environment(Source);

#[derive(Debug, Clone)]
enum Source {
    Process,
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// The process's own.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// These variables and no others.
    pub fn given(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Source::Given(variables.into_iter().collect()))
    }

    /// A variable's value; none when it is not set, or is no text.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Source::Process => std::env::var(name).ok(),
            Source::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// A secret, and the variable that it came from, for who has to keep it from others.
pub(crate) struct Found {
    pub(crate) secret: SecretString,
    pub(crate) variable: Option<String>,
}

/// A key under `KEY_file` or `KEY_env`, exactly one of the two.
pub(crate) fn required(
    table: &mut Table<'_>,
    file_key: &'static str,
    env_key: &'static str,
    environment: &Environment,
) -> Option<Found> {
    match find(table, (file_key, env_key), SECRET_BYTES_MIN, environment) {
        Ok(None) => {
            let hint =
                format!("add `{file_key} = \"/etc/segue/secret\"`, or `{env_key}` with a variable's name");
            table.report(file_key, "it is missing", hint);
            None
        }
        found => found.ok().flatten(),
    }
}

/// A password under one of the two, or none at all. Somebody else chose it, and how long it is.
pub(crate) fn password(
    table: &mut Table<'_>,
    file_key: &'static str,
    env_key: &'static str,
    environment: &Environment,
) -> Result<Option<Found>, Noted> {
    find(table, (file_key, env_key), 1, environment)
}

fn find(
    table: &mut Table<'_>,
    (file_key, env_key): (&'static str, &'static str),
    bytes_min: usize,
    environment: &Environment,
) -> Result<Option<Found>, Noted> {
    let file = table.optional(file_key, &path())?;
    let variable = table.optional(env_key, &variable())?;
    match (file, variable) {
        (Some(file), None) => {
            let secret = keep(table, file_key, from_file(Path::new(&file)), bytes_min)?;
            Ok(Some(Found { secret, variable: None }))
        }
        (None, Some(name)) => {
            let secret = keep(table, env_key, from_variable(&name, environment), bytes_min)?;
            Ok(Some(Found { secret, variable: Some(name) }))
        }
        (Some(_), Some(_)) => {
            let what = format!("both `{file_key}` and `{env_key}` name the secret");
            table.report(env_key, what, "keep one of the two");
            Err(Noted)
        }
        (None, None) => Ok(None),
    }
}

fn keep(
    table: &Table<'_>,
    key: &'static str,
    read: Result<String, Unfit>,
    bytes_min: usize,
) -> Result<SecretString, Noted> {
    match read.and_then(|read| fit(&read, bytes_min)) {
        Ok(secret) => Ok(SecretString::from(secret)),
        Err(unfit) => {
            table.report(key, unfit.what, unfit.hint);
            Err(Noted)
        }
    }
}

struct Unfit {
    what: String,
    hint: String,
}

fn from_file(path: &Path) -> Result<String, Unfit> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| Unfit {
        what: format!("the file {shown} cannot be read: {error}"),
        hint: "write the secret into that file, readable by the daemon's user alone".to_owned(),
    };
    file::text(path, SECRET_BYTES_MAX).map_err(unreadable)?.ok_or_else(|| Unfit {
        what: format!("the file {shown} is longer than {SECRET_BYTES_MAX} bytes"),
        hint: "name the file that holds the secret and nothing else".to_owned(),
    })
}

fn from_variable(name: &str, environment: &Environment) -> Result<String, Unfit> {
    environment.get(name).ok_or_else(|| Unfit {
        what: format!("the environment has no variable {name}"),
        hint: format!("set {name} where the daemon is started"),
    })
}

/// The end of the file's last line belongs to the file, not to the secret.
fn fit(read: &str, bytes_min: usize) -> Result<String, Unfit> {
    let secret = read.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Unfit {
            what: "the secret is empty".to_owned(),
            hint: "write it there, and nothing else".to_owned(),
        });
    }
    if secret.len() < bytes_min {
        return Err(Unfit {
            what: format!("the secret is shorter than {bytes_min} bytes"),
            hint: "make one with `openssl rand -hex 32`".to_owned(),
        });
    }
    Ok(secret.to_owned())
}

fn path() -> Shape<String> {
    shape::text("the path of a file", "\"/etc/segue/secret\"")
}

fn variable() -> Shape<String> {
    Shape::text("the name of an environment variable", "\"SEGUE_SECRET\"", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
    })
}
