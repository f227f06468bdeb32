//! The query protocols of EC2 and Elastic Load Balancing, on one port.
//!
//! A call is a form (`Action`, `Version`, parameters); its service is told by the version, or by the scope of
//! the credential that signed it. A call is refused when it is not signed as AWS wants it, and when it holds
//! anything that is not understood. A fault may take the answer to a call that was done.

mod denied;
mod ec2;
mod elb;
mod filter;
mod page;
mod params;
#[cfg(test)]
mod tests;
mod unproven;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::clock;
use crate::credentials::Credentials;
use crate::serve::cut;
use crate::shared::Shared;
use crate::signature::{Access, Parts, Unproven, verify};
use crate::world::{At, Refusal, World};
use params::Params;
use unproven::{Ec2Unproven, ElbUnproven};
use xml::Call;

/// The largest call, in bytes: a thousand ids and room to spare.
const CALL_MAX: usize = 1024 * 1024;

/// What the AWS endpoint answers from, and whose calls it takes.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) shared: Arc<Shared>,
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
}

/// The AWS endpoint.
pub(crate) fn router(endpoint: Endpoint) -> Router {
    Router::new().fallback(call).layer(DefaultBodyLimit::max(CALL_MAX)).with_state(Arc::new(endpoint))
}

/// Which service a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Ec2,
    Elb,
}

impl Service {
    /// Its name in the scope of a signature.
    const fn scope(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb => "elasticloadbalancing",
        }
    }
}

async fn call(
    State(endpoint): State<Arc<Endpoint>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = request_id();
    let form = if body.is_empty() { uri.query().unwrap_or_default().as_bytes() } else { &body };
    let mut params = Params::parse(form);
    let service = service_of(params.take("Version").as_deref(), &headers);
    let action = params.take("Action").unwrap_or_default();
    let call = Call { action: &action, request: &request };
    let Some(service) = service else {
        let text = "The requested version is not supported by this web service.";
        return respond(400, xml::ec2_error("NoSuchVersion", text, &request), &request);
    };
    let proof =
        endpoint.proof(service, &Parts { method: &method, uri: &uri, headers: &headers, body: &body });
    match endpoint.answer(service, proof, call, params) {
        Some((status, xml)) => respond(status, xml, &request),
        None => cut(),
    }
}

/// Whether there is an action of this name.
pub(crate) fn knows(action: &str) -> bool {
    ec2::ACTIONS.contains(&action) || elb::ACTIONS.contains(&action)
}

impl Endpoint {
    /// Whether a call was made by who may make it.
    fn proof(&self, service: Service, parts: &Parts<'_>) -> Result<(), Unproven> {
        let (credentials, region) = (&self.credentials, self.region.as_str());
        verify(parts, &Access { credentials, region, service: service.scope() }, clock::wall())
    }

    fn answer(
        &self,
        service: Service,
        proof: Result<(), Unproven>,
        call: Call<'_>,
        params: Params,
    ) -> Option<(u16, String)> {
        let shared = &self.shared;
        let proof = proof.and_then(|()| match shared.with(|world, now| world.expires(call.action, now)) {
            true => Err(Unproven::ExpiredToken),
            false => Ok(()),
        });
        match (service, proof) {
            (Service::Ec2, Ok(())) => {
                if let Some(no) = denied::ec2(&self.credentials, call.action, denied::Tags::of(&params)) {
                    return answered(shared, call, xml::ec2_error, |_, _| Err(no));
                }
                let answer = |world: &mut World, now| ec2::answer(world, now, call, params);
                answered(shared, call, xml::ec2_error, answer)
            }
            (Service::Ec2, Err(why)) => answered(shared, call, xml::ec2_error, |_, _| Err(Ec2Unproven(why))),
            (Service::Elb, Ok(())) => {
                if let Some(no) = denied::elb(&self.credentials, call.action) {
                    return answered(shared, call, xml::elb_error, |_, _| Err(no));
                }
                let answer = |world: &mut World, now| elb::answer(world, now, call, params);
                answered(shared, call, xml::elb_error, answer)
            }
            (Service::Elb, Err(why)) => answered(shared, call, xml::elb_error, |_, _| Err(ElbUnproven(why))),
        }
    }
}

/// Has a call answered and counted: the status, and the answer or the error as the service writes it. None
/// when the answer is lost.
fn answered<R: Refusal>(
    shared: &Shared,
    call: Call<'_>,
    error: impl FnOnce(&str, &str, &str) -> String,
    answer: impl FnOnce(&mut World, At) -> Result<String, R>,
) -> Option<(u16, String)> {
    let (answered, is_lost) = shared.with(|world, now| {
        let answered = answer(world, now);
        world.called(call.action, answered.as_ref().err());
        let is_lost = answered.is_ok() && world.loses_response(call.action, now);
        (answered, is_lost)
    });
    match answered {
        Ok(_) if is_lost => None,
        Ok(xml) => Some((200, xml)),
        Err(no) => Some((no.status(), error(no.code(), &no.to_string(), call.request))),
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
    let name = scope.split('/').nth(3)?;
    [Service::Ec2, Service::Elb].into_iter().find(|service| service.scope() == name)
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
