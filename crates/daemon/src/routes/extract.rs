//! From a request to checked values, or to a problem that says where it is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use segue_api::{ACTOR, Actor, IDEMPOTENCY_KEY, IdempotencyKey, ReleaseId, Verb};
use segue_journal::Via;
use serde::de::DeserializeOwned;

use super::BODY_BYTES_MAX;
use crate::front::Who;
use crate::problem::{Fault, said};

/// Who asks when nobody says. Who says is believed: this version knows no authentication.
const NOBODY: &str = "somebody";

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            return Err(Fault::ContentTypeUnknown);
        }
        parse(&read(request, state).await?).map(Self)
    }
}

/// A JSON body, or what stands for none.
pub(super) struct BodyOrDefault<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for BodyOrDefault<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let declared = is_json(request.headers());
        let bytes = read(request, state).await?;
        match (bytes.is_empty(), declared) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(Fault::ContentTypeUnknown),
        }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Fault> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fault::BodyTooLarge { limit_bytes: BODY_BYTES_MAX },
        _ => Fault::BodyInvalid { what: "the body broke off".to_owned() },
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| Fault::BodyInvalid { what: error.to_string() })
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What stands behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| Fault::QueryInvalid { what: bare(&rejection.body_text()) })
    }
}

/// What is wrong, without the framework's own introduction.
fn bare(text: &str) -> String {
    text.split_once("query string: ").map_or(text, |(_, what)| what).to_owned()
}

/// The release that the path names.
pub(super) struct Named(pub(super) ReleaseId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let id = segment(parts, state, "id").await;
        id.parse()
            .map(Self)
            .map_err(|error: segue_api::InvalidId| Fault::ReleaseIdInvalid { what: error.to_string() })
    }
}

/// The service that the path names, as it stands there: whether there is one, the configuration knows.
pub(super) struct NamedService(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NamedService {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        Ok(Self(segment(parts, state, "name").await))
    }
}

/// The word that the path ends with.
pub(super) struct NamedVerb(pub(super) Verb);

impl<S: Send + Sync> FromRequestParts<S> for NamedVerb {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let word = segment(parts, state, "verb").await;
        let known = Verb::ALL.into_iter().find(|verb| verb.word() == word);
        known.map(Self).ok_or_else(|| Fault::RouteUnknown { path: said(parts.uri.path()) })
    }
}

/// A named segment of the path; empty for one that is no text, which is the name of nothing.
async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S, wanted: &str) -> String {
    let segments = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    let segments = segments.map(|Path(segments)| segments).unwrap_or_default();
    segments.into_iter().find(|(name, _)| name == wanted).map(|(_, text)| text).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let actor: Actor = text(&parts.headers, ACTOR)?.unwrap_or(NOBODY).parse().map_err(
            |error: segue_api::InvalidId| Fault::HeaderInvalid { name: ACTOR, what: error.to_string() },
        )?;
        let agent = text(&parts.headers, "user-agent").ok().flatten().unwrap_or_default();
        let via = if agent.starts_with("segue/") { Via::Cli } else { Via::Api };
        Ok(Self { actor, via })
    }
}

/// The request's `Idempotency-Key`, if it has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Fault> {
    let Some(key) = text(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    key.parse().map(Some).map_err(|error: segue_api::InvalidId| Fault::HeaderInvalid {
        name: IDEMPOTENCY_KEY,
        what: error.to_string(),
    })
}

/// A header as text; an error for one that is none.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Fault> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Fault::HeaderInvalid { name, what: "it is not plain ASCII".to_owned() }),
    }
}
