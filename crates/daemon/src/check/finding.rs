//! What a check comes to: a value with a stable name. The names are listed in docs/check.md.

use std::fmt;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable, in kebab case.
    pub name: &'static str,
    /// The service that it is about; none for what all share.
    pub service: Option<String>,
    pub state: CheckState,
    /// What was found, without any secret.
    pub sentence: String,
    /// What to do; there where something is to be done.
    pub hint: Option<String>,
}

/// What is not asked where AWS does not take the credentials.
pub(super) const OF_AWS: [&str; 15] = [
    "may-read",
    "may-launch",
    "may-start",
    "may-stop",
    "may-terminate",
    "may-tag",
    "may-route",
    "template",
    "images",
    "addresses",
    "forward",
    "slots",
    "targets",
    "strangers",
    "fleet",
];

/// What is asked of the servers that AWS lists.
pub(super) const OF_SERVERS: [&str; 6] = ["samples", "vitals", "control", "versions", "level", "formats"];

/// Every name, in the order in which checks are told.
#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    let of_the_machine = ["config", "journal", "lease", "listen"];
    let of_access = ["aws", "credentials", "region"];
    [&of_the_machine[..], &of_access, &OF_AWS, &["prometheus"], &OF_SERVERS, &["configure"]].concat()
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    Ok,
    /// It could not be looked at, or need not be; the sentence says why.
    Skip,
    /// A release can be asked for; somebody should know this. A fleet that is not there or not healthy is no more
    /// than that, though a release is refused: on the first day nobody is known yet.
    Warn,
    /// A release would be refused, or would fail.
    Fail,
}

impl CheckState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::of(name, CheckState::Ok, sentence, None)
    }

    pub(super) fn skip(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::of(name, CheckState::Skip, sentence, None)
    }

    pub(super) fn warn(name: &'static str, sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::of(name, CheckState::Warn, sentence, Some(hint.into()))
    }

    pub(super) fn fail(name: &'static str, sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::of(name, CheckState::Fail, sentence, Some(hint.into()))
    }

    fn of(name: &'static str, state: CheckState, sentence: impl Into<String>, hint: Option<String>) -> Self {
        Self { name, service: None, state, sentence: sentence.into(), hint }
    }

    pub(super) fn about(self, service: &str) -> Self {
        Self { service: Some(service.to_owned()), ..self }
    }
}

/// The first few of a list, and how many more there are.
pub(super) fn few<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 3;
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match words.get(..SHOWN) {
        Some(first) if words.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), words.len().saturating_sub(SHOWN))
        }
        Some(_) | None => words.join(", "),
    }
}
