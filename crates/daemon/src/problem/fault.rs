//! What the API itself refuses, or could not do.

use axum::http::StatusCode;

/// One kind of refusal, with what it says this time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{what}")]
    BodyInvalid { what: String },
    #[error("the body is longer than {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    #[error("the body is not declared as JSON")]
    ContentTypeUnknown,
    #[error("a page of {origin} may not change anything here")]
    CrossOrigin { origin: String },
    #[error("{id:?} is no id of an event of this stream")]
    EventIdUnknown { id: String },
    #[error("{what}")]
    HeaderInvalid { name: &'static str, what: String },
    #[error("this daemon is not known as {host}")]
    HostUnknown { host: String },
    /// Its cause is in the log, not here: it may name what nobody outside should read.
    #[error("the daemon could not do it; its log says why")]
    Internal,
    #[error("it is not known whether all tags were written: {why}")]
    AdoptionUnfinished { why: String },
    #[error("the journal cannot be read right now")]
    JournalAway,
    #[error("this path does not take this method")]
    MethodNotAllowed,
    #[error("{what}")]
    QueryInvalid { what: String },
    #[error("{what}")]
    ReleaseIdInvalid { what: String },
    #[error("there is nothing at {path}")]
    RouteUnknown { path: String },
    #[error("there was no answer within {limit_s} s")]
    TimedOut { limit_s: u64 },
    #[error("{limit} requests are waiting for changes already")]
    TooManyWatchers { limit: usize },
}

impl Fault {
    /// Stable; each has its page.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::AdoptionUnfinished { .. } => "adoption-unfinished",
            Self::BodyInvalid { .. } => "body-invalid",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::ContentTypeUnknown => "content-type-unknown",
            Self::CrossOrigin { .. } => "cross-origin",
            Self::EventIdUnknown { .. } => "event-id-unknown",
            Self::HeaderInvalid { .. } => "header-invalid",
            Self::HostUnknown { .. } => "host-unknown",
            Self::Internal => "internal",
            Self::JournalAway => "journal-away",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::QueryInvalid { .. } => "query-invalid",
            Self::ReleaseIdInvalid { .. } => "release-id-invalid",
            Self::RouteUnknown { .. } => "route-unknown",
            Self::TimedOut { .. } => "timed-out",
            Self::TooManyWatchers { .. } => "too-many-watchers",
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BodyInvalid { .. }
            | Self::EventIdUnknown { .. }
            | Self::HeaderInvalid { .. }
            | Self::QueryInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentTypeUnknown => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CrossOrigin { .. } => StatusCode::FORBIDDEN,
            Self::HostUnknown { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ReleaseIdInvalid { .. } | Self::RouteUnknown { .. } => StatusCode::NOT_FOUND,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::AdoptionUnfinished { .. } | Self::JournalAway | Self::TooManyWatchers { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::BodyInvalid { .. } | Self::HeaderInvalid { .. } | Self::QueryInvalid { .. } => {
                "/v1/openapi.json says what a request looks like"
            }
            Self::AdoptionUnfinished { .. } => "adopt again: it goes on from what is there",
            Self::MethodNotAllowed | Self::RouteUnknown { .. } => "/v1/openapi.json says what there is",
            Self::BodyTooLarge { .. } => "send a smaller body",
            Self::ContentTypeUnknown => "send it with `Content-Type: application/json`",
            Self::CrossOrigin { .. } => "use the command line, or a page of this daemon",
            Self::EventIdUnknown { .. } => "give back the last id as it came, or none to begin anew",
            Self::HostUnknown { .. } => {
                "ask by address or as localhost, or add the name to `daemon.hosts` in the configuration"
            }
            Self::Internal | Self::TimedOut { .. } => {
                "ask again; with the same Idempotency-Key nothing is done twice"
            }
            Self::JournalAway => "ask again in a moment; look at the daemon's disk if it stays so",
            Self::ReleaseIdInvalid { .. } => "`segue history` lists the releases by their names",
            Self::TooManyWatchers { .. } => "close the ones that nobody reads, or ask again later",
        }
    }

    /// Where in the request it is wrong.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            // The empty JSON pointer: the document as a whole.
            Self::BodyInvalid { .. } => Some(String::new()),
            Self::HeaderInvalid { name, .. } => Some(format!("header:{name}")),
            Self::AdoptionUnfinished { .. }
            | Self::BodyTooLarge { .. }
            | Self::ContentTypeUnknown
            | Self::CrossOrigin { .. }
            | Self::EventIdUnknown { .. }
            | Self::HostUnknown { .. }
            | Self::Internal
            | Self::JournalAway
            | Self::MethodNotAllowed
            | Self::QueryInvalid { .. }
            | Self::ReleaseIdInvalid { .. }
            | Self::RouteUnknown { .. }
            | Self::TimedOut { .. }
            | Self::TooManyWatchers { .. } => None,
        }
    }
}

/// What somebody sent, short enough to be said back.
pub(crate) fn said(text: &str) -> String {
    text.chars().take(64).collect()
}
