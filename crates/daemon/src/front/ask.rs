//! A request of the API in the domain's terms, or why it contradicts itself.

use std::collections::BTreeMap;

use segue_api::{IdempotencyKey, Override, ReleaseKind, ReleaseRequest, Verb};
use segue_domain::event::{RequestKey, Word};
use segue_domain::ids::{CheckName, Version};
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::request::Request;
use sha2::{Digest, Sha256};

/// Longer texts of a request are refused: they go into the journal and stay there.
const TEXT_CHARS_MAX: usize = 1_000;
const OVERRIDES_MAX: usize = 50;

/// Reads what was asked for.
pub(super) fn read(
    request: &ReleaseRequest,
    key: Option<&IdempotencyKey>,
) -> Result<(Request, Option<RequestKey>), Refusal> {
    let kind = kind(request.kind);
    let (version, other, name) = match kind {
        Kind::Canary | Kind::Full => (&request.version, &request.to, "`to`"),
        Kind::Rollback => (&request.to, &request.version, "`version`: name it as `to`"),
    };
    if other.is_some() {
        return Err(Refusal::not_for(kind, name));
    }
    bounded("version", version.as_deref())?;
    bounded("reason", request.reason.as_deref())?;
    let key = key.map(|key| RequestKey { key: key.as_str().to_owned(), digest: digest(request) });
    let request = Request {
        kind,
        version: version.as_deref().map(Version::new),
        parent: None,
        overrides: overrides(&request.overrides)?,
    };
    Ok((request, key))
}

/// A text that may be kept: not empty, not endless.
pub(super) fn bounded(name: &str, text: Option<&str>) -> Result<(), Refusal> {
    let wrong = |what: &str| Err(Refusal::RequestInvalid { what: format!("{name} {what}") });
    match text {
        Some(text) if text.trim().is_empty() => wrong("is empty: leave it out"),
        Some(text) if text.chars().count() > TEXT_CHARS_MAX => {
            wrong(&format!("is longer than {TEXT_CHARS_MAX} characters"))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn word(verb: Verb) -> Word {
    match verb {
        Verb::Promote => Word::Promote,
        Verb::Pause => Word::Pause,
        Verb::Resume => Word::Resume,
        Verb::Abort => Word::Abort,
        Verb::Retry => Word::Retry,
    }
}

fn kind(kind: ReleaseKind) -> Kind {
    match kind {
        ReleaseKind::Canary => Kind::Canary,
        ReleaseKind::Full => Kind::Full,
        ReleaseKind::Rollback => Kind::Rollback,
    }
}

fn overrides(asked: &[Override]) -> Result<BTreeMap<CheckName, String>, Refusal> {
    let wrong = |what: String| Err(Refusal::RequestInvalid { what });
    if asked.len() > OVERRIDES_MAX {
        return wrong(format!("there are more than {OVERRIDES_MAX} overrides"));
    }
    let mut overrides = BTreeMap::new();
    for Override { check, reason } in asked {
        bounded("the name of an overridden check", Some(check))?;
        bounded(&format!("the reason for overriding {check}"), Some(reason))?;
        if overrides.insert(CheckName::new(check.clone()), reason.clone()).is_some() {
            return wrong(format!("{check} is overridden twice"));
        }
    }
    Ok(overrides)
}

/// Two bodies that ask for the same are the same, however they are written.
fn digest(request: &ReleaseRequest) -> String {
    let canonical = serde_json::to_vec(request).unwrap_or_default();
    hex::encode(Sha256::digest(&canonical))
}
