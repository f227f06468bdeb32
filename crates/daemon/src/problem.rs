//! Every refusal and failure of the API as a problem document (RFC 9457).
//!
//! What the domain refuses brings its own code, sentence and hint. What the API itself refuses is a [`Fault`],
//! so that a code always comes with the same status and the same hint.

mod fault;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use segue_api::{PROBLEM_MEDIA_TYPE, Problem, ProblemItem};
use segue_domain::basis::{Difference, TOLD_MAX};
use segue_domain::refusal::Refusal;
use segue_engine::AskError;

pub(crate) use fault::{Fault, said};

/// The beginning of a problem's `type`. It is a name first, relative on purpose: whichever address a daemon is
/// asked by, the page is the code's under docs/errors, of its own version.
const PAGES: &str = "/errors/";

/// A problem on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(Box<Problem>);

impl Refused {
    fn new(status: StatusCode, code: &str, detail: String, hint: String) -> Self {
        Self(Box::new(Problem {
            kind: format!("{PAGES}{code}"),
            title: code.replace('-', " "),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            hint: Some(hint),
            errors: Vec::new(),
        }))
    }

    /// What the domain refused about a thing that the path names.
    pub(crate) fn of(refusal: &Refusal) -> Self {
        Self::new(status(refusal), refusal.code(), refusal.to_string(), refusal.hint())
    }

    /// What the engine did not do, about a thing that the path names.
    pub(crate) fn of_asked(error: &AskError) -> Self {
        match error {
            AskError::Refused(refusal) => Self::of(refusal),
            AskError::NotKnown { .. } => Self::not_known(error),
        }
    }

    /// The same about a thing that the body names.
    pub(crate) fn of_asked_in_body(error: &AskError) -> Self {
        match error {
            AskError::Refused(refusal) => Self::of_body(refusal),
            AskError::NotKnown { .. } => Self::not_known(error),
        }
    }

    /// As of a gateway whose other side gave no answer: nobody may ask again by itself as after a 503.
    fn not_known(error: &AskError) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, error.code(), error.to_string(), error.hint())
    }

    /// What the domain refused about a thing that the body names: the path is not at fault.
    pub(crate) fn of_body(refusal: &Refusal) -> Self {
        let status = match status(refusal) {
            StatusCode::NOT_FOUND => StatusCode::UNPROCESSABLE_ENTITY,
            status => status,
        };
        let mut refused = Self::new(status, refusal.code(), refusal.to_string(), refusal.hint());
        refused.0.errors = items(refusal);
        refused
    }
}

/// Each fact of a plan that is another one now, on a line of its own.
fn items(refusal: &Refusal) -> Vec<ProblemItem> {
    let Refusal::PlanStale { differences } = refusal else { return Vec::new() };
    let item = |it: &Difference| ProblemItem { place: it.fact.clone(), detail: it.change(), hint: None };
    differences.iter().take(TOLD_MAX).map(item).collect()
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let mut refused = Self::new(fault.status(), fault.code(), fault.to_string(), fault.hint().to_owned());
        if let Some(place) = fault.place() {
            let item = ProblemItem { place, detail: fault.to_string(), hint: None };
            refused.0.errors.push(item);
        }
        refused
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::ServiceUnknown { .. } | Refusal::ReleaseUnknown { .. } => StatusCode::NOT_FOUND,
        Refusal::ReleaseActive { .. }
        | Refusal::AdoptionChanged { .. }
        | Refusal::ReleaseOver { .. }
        | Refusal::NotNow { .. }
        | Refusal::PlanStale { .. }
        | Refusal::NoWayBack { .. } => StatusCode::CONFLICT,
        Refusal::CannotSee { .. } | Refusal::NotServed { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::VersionUnknown { .. }
        | Refusal::VersionRunning { .. }
        | Refusal::NothingNew { .. }
        | Refusal::NothingRuns {}
        | Refusal::StrangersServe { .. }
        | Refusal::TagsRefused { .. }
        | Refusal::Unfit(_)
        | Refusal::NothingBefore { .. }
        | Refusal::NoImages {}
        | Refusal::NoFreeColour { .. }
        | Refusal::NoFreeCanaryGroup {}
        | Refusal::GroupNotForwarded { .. }
        | Refusal::NobodyForBalancer { .. }
        | Refusal::AtTwoBalancers { .. }
        | Refusal::TemplateGone { .. }
        | Refusal::ImageGone { .. }
        | Refusal::KeyReused { .. }
        | Refusal::PlanInvalid { .. }
        | Refusal::RequestInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        Refused::from(self).into_response()
    }
}
