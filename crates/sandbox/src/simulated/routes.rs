//! What is heard at the two ports that all simulated instances share.
//!
//! Where nobody runs the connection is closed without an answer: it cannot be refused, because the sandbox listens
//! for everybody.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use segue_handover::auth::{Guard, UnixMs};
use segue_handover::wire::{
    ItemAnswer, MAX_CONTROL_BODY_BYTES, MAX_MOVES_PER_CALL, MoveRequest, Moves, MovesAnswer, PREFIX, Problem,
    ProblemCode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Simulated;
use super::fleet::{Fleet, ServerNo};
use crate::serve::{CalledAt, cut};
use crate::world::At;

/// The port for users: as much of the demo application as a load balancer and a warm-up ask for.
pub(crate) fn traffic(simulated: Arc<Simulated>) -> Router {
    Router::new().route("/health", get(health)).route("/version", get(version)).with_state(simulated)
}

/// The private port: control calls behind their signature, and metrics.
pub(crate) fn control(simulated: Arc<Simulated>) -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(call).with_state(simulated)
}

async fn health(State(simulated): State<Arc<Simulated>>, Extension(at): Extension<CalledAt>) -> Response {
    match simulated.door(at.address()) {
        Some(_) => "ok\n".into_response(),
        None => cut(),
    }
}

async fn version(State(simulated): State<Arc<Simulated>>, Extension(at): Extension<CalledAt>) -> Response {
    let told = simulated.with(|fleet, _| {
        let server = fleet.server(fleet.at_address(at.address())?)?;
        Some(serde_json::json!({ "version": server.version, "instance": server.id }))
    });
    told.map_or_else(cut, |told| Json(told).into_response())
}

async fn metrics(State(simulated): State<Arc<Simulated>>, Extension(at): Extension<CalledAt>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    simulated.metrics(at.address()).map_or_else(cut, |page| (kind, page).into_response())
}

/// Reads the body, checks the call, answers it.
async fn call(
    State(simulated): State<Arc<Simulated>>,
    Extension(at): Extension<CalledAt>,
    request: Request,
) -> Response {
    let Some((here, guard)) = simulated.door(at.address()) else { return cut() };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_CONTROL_BODY_BYTES).await else {
        return refuse(&Problem::new(ProblemCode::BadRequest, "the body is too large or was cut off"));
    };
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Err(problem) = admit(&simulated, &guard, &parts, path_and_query, &body) {
        return refuse(&problem);
    }
    let Some(name) = parts.uri.path().strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = Asked { simulated: &simulated, here, body: &body };
    let answered = match parts.method {
        Method::GET => asked.read(name, &parts.uri),
        Method::POST => asked.write(name),
        _ => Ok(None),
    };
    match answered {
        Ok(Some(json)) => ([(header::CONTENT_TYPE, "application/json")], Body::from(json)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(problem) => refuse(&problem),
    }
}

fn admit(
    simulated: &Simulated,
    guard: &Guard,
    parts: &axum::http::request::Parts,
    path_and_query: &str,
    body: &Bytes,
) -> Result<(), Problem> {
    let now = UnixMs(simulated.clock.now().ms());
    guard.check(&parts.method, path_and_query, &parts.headers, body, now).map_err(Problem::from)
}

fn refuse(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/problem+json")], json(problem)).into_response()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("answers have string keys and finite numbers only")
}

/// A call that was let in.
struct Asked<'a> {
    simulated: &'a Simulated,
    here: ServerNo,
    body: &'a Bytes,
}

/// The answer's JSON; none when there is no such call.
type Answered = Result<Option<Vec<u8>>, Problem>;

impl Asked<'_> {
    fn read(&self, name: &str, uri: &axum::http::Uri) -> Answered {
        let here = self.here;
        self.simulated.with(|fleet, now| match name {
            "status" => Ok(fleet.status(here, now).map(|status| json(&status))),
            "boards" => Ok(Some(json(&fleet.boards_page(here, &query(uri)?, now)))),
            "owners" => Ok(Some(json(&fleet.owners_page(&query(uri)?)))),
            _ => Ok(None),
        })
    }

    fn write(&self, name: &str) -> Answered {
        match name {
            "close" => self.told(|fleet, here, _: serde_json::Value| fleet.close(here)),
            "open" => self.told(|fleet, here, request| fleet.open(here, &request)),
            "drain" => Err(Problem::new(ProblemCode::Unsupported, "simulated servers carry boards by moves")),
            "prepare" => self.one(Fleet::prepare),
            "offer" => self.one(Fleet::offer),
            "seal" => self.one(Fleet::seal),
            "activate" => self.one(Fleet::activate),
            "end" => self.one(Fleet::end),
            "moves:prepare" => self.each(Fleet::prepare),
            "moves:offer" => self.each(Fleet::offer),
            "moves:seal" => self.each(Fleet::seal),
            "moves:activate" => self.each(Fleet::activate),
            "moves:end" => self.each(Fleet::end),
            _ => Ok(None),
        }
    }

    /// What concerns the whole server is answered with its status.
    fn told<Q: DeserializeOwned>(&self, tell: impl FnOnce(&mut Fleet, ServerNo, Q)) -> Answered {
        let request = self.request()?;
        self.simulated.with(|fleet, now| {
            tell(fleet, self.here, request);
            Ok(fleet.status(self.here, now).map(|status| json(&status)))
        })
    }

    fn one<Q: DeserializeOwned, A: Serialize>(
        &self,
        answer: impl FnOnce(&mut Fleet, ServerNo, &Q, At) -> Result<A, Problem>,
    ) -> Answered {
        let request = self.request()?;
        let answered = self.simulated.with(|fleet, now| answer(fleet, self.here, &request, now));
        answered.map(|answer| Some(json(&answer)))
    }

    /// The same for many moves, each answered for itself.
    fn each<Q: DeserializeOwned + MoveRequest, A: Serialize>(
        &self,
        answer: impl Fn(&mut Fleet, ServerNo, &Q, At) -> Result<A, Problem>,
    ) -> Answered {
        let moves: Moves<Q> = self.request()?;
        if moves.moves.len() > MAX_MOVES_PER_CALL {
            let detail = format!("{} moves in one call, at most {MAX_MOVES_PER_CALL}", moves.moves.len());
            return Err(Problem::new(ProblemCode::BadRequest, detail));
        }
        let item = |fleet: &mut Fleet, request: &Q, now| ItemAnswer {
            move_id: request.move_id().clone(),
            board: request.board().clone(),
            result: answer(fleet, self.here, request, now).into(),
        };
        let answers = self.simulated.with(|fleet, now| {
            moves.moves.iter().map(|request| item(fleet, request, now)).collect::<Vec<_>>()
        });
        Ok(Some(json(&MovesAnswer { answers })))
    }

    fn request<Q: DeserializeOwned>(&self) -> Result<Q, Problem> {
        serde_json::from_slice(self.body).map_err(|error| unreadable(&error))
    }
}

fn query<Q: DeserializeOwned>(uri: &axum::http::Uri) -> Result<Q, Problem> {
    Query::try_from_uri(uri).map(|Query(query)| query).map_err(|error| unreadable(&error))
}

fn unreadable(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemCode::BadRequest, error.to_string())
}
