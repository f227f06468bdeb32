//! The query protocols of EC2 and Elastic Load Balancing, on one port.
//!
//! A call is a form (`Action`, `Version`, parameters); its service is told by the version, or by the scope of
//! the credential that signed it. Calls are read into typed requests and refused when they hold anything that
//! is not understood. Signatures are not verified yet, and no fault is made here: both belong between
//! [`service_of`] and the dispatch.

mod ec2;
mod elb;
mod filter;
mod page;
mod params;
#[cfg(test)]
mod tests;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::shared::Shared;
use crate::world::{At, Refusal, World};
use params::Params;
use xml::Call;

/// The largest call, in bytes: a thousand ids and room to spare.
const CALL_MAX: usize = 1024 * 1024;

/// The AWS endpoint.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(call).layer(DefaultBodyLimit::max(CALL_MAX)).with_state(shared)
}

/// Which service a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Ec2,
    Elb,
}

async fn call(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = request_id();
    let form = if body.is_empty() { query.unwrap_or_default().into_bytes() } else { body.to_vec() };
    let mut params = Params::parse(&form);
    let service = service_of(params.take("Version").as_deref(), &headers);
    let action = params.take("Action").unwrap_or_default();
    let call = Call { action: &action, request: &request };
    let (status, xml) = match service {
        Some(Service::Ec2) => {
            let answer = |world: &mut World, now| ec2::answer(world, now, call, params);
            answered(&shared, call, xml::ec2_error, answer)
        }
        Some(Service::Elb) => {
            let answer = |world: &mut World, now| elb::answer(world, now, call, params);
            answered(&shared, call, xml::elb_error, answer)
        }
        None => {
            let text = "The requested version is not supported by this web service.";
            (400, xml::ec2_error("NoSuchVersion", text, &request))
        }
    };
    respond(status, xml, &request)
}

/// Has a call answered and counted: the status, and the answer or the error as the service writes it.
fn answered<R: Refusal>(
    shared: &Shared,
    call: Call<'_>,
    error: impl FnOnce(&str, &str, &str) -> String,
    answer: impl FnOnce(&mut World, At) -> Result<String, R>,
) -> (u16, String) {
    let answered = shared.with(|world, now| {
        let answered = answer(world, now);
        world.called(call.action, answered.as_ref());
        answered
    });
    match answered {
        Ok(xml) => (200, xml),
        Err(no) => (no.status(), error(no.code(), &no.to_string(), call.request)),
    }
}

/// The service by the call's version, else by the credential's scope
/// (`Credential=KEY/20260101/eu-west-1/ec2/aws4_request`).
fn service_of(version: Option<&str>, headers: &HeaderMap) -> Option<Service> {
    match version {
        Some("2016-11-15") => return Some(Service::Ec2),
        Some("2015-12-01") => return Some(Service::Elb),
        Some(_) => return None,
        None => {}
    }
    let signed = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let scope = signed.split_once("Credential=")?.1.split([',', ' ']).next()?;
    match scope.split('/').nth(3)? {
        "ec2" => Some(Service::Ec2),
        "elasticloadbalancing" => Some(Service::Elb),
        _ => None,
    }
}

fn respond(status: u16, xml: String, request: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, xml).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    if let Ok(id) = HeaderValue::from_str(request) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// A fresh id in the form of a UUID, as both services give one to every call.
fn request_id() -> String {
    let (a, b) = (fastrand::u64(..), fastrand::u64(..));
    let hex = format!("{a:016x}{b:016x}");
    let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
    cuts.map(|cut| hex.get(cut).unwrap_or_default().to_owned()).join("-")
}
