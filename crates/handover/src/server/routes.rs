//! The control calls over HTTP: signature first, then the body, then the answer or a problem document.

use std::future::{Future, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Server;
use super::answers::each;
use crate::wire::{
    ActivateRequest, BoardsQuery, CloseRequest, DrainRequest, EndRequest, MAX_CONTROL_BODY_BYTES,
    MAX_MOVES_PER_CALL, MoveRequest, Moves, OfferRequest, OpenRequest, OwnersQuery, PREFIX, PrepareRequest,
    Problem, ProblemCode, SealRequest,
};

/// How long the body of a call may take to come. No caller waits longer for its answer.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

impl Server {
    /// Every call of the contract, behind its signature. For the private port only; mount it at the root.
    pub fn control_router(&self) -> Router {
        let calls = Router::new()
            .route("/status", get(status))
            .route("/boards", get(boards))
            .route("/owners", get(owners))
            .route("/close", post(close))
            .route("/open", post(open))
            .route("/drain", post(drain))
            .route("/prepare", post(prepare))
            .route("/offer", post(offer))
            .route("/seal", post(seal))
            .route("/activate", post(activate))
            .route("/end", post(end))
            .route("/moves:prepare", post(prepare_all))
            .route("/moves:offer", post(offer_all))
            .route("/moves:seal", post(seal_all))
            .route("/moves:activate", post(activate_all))
            .route("/moves:end", post(end_all))
            .with_state(self.clone());
        // Outside of the nest, so that the path is signed and checked whole.
        Router::new().nest(PREFIX, calls).layer(middleware::from_fn_with_state(self.clone(), let_in))
    }
}

/// Reads the body, checks the call, hands it on.
async fn let_in(State(server): State<Server>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = match whole(body).await {
        Ok(body) => body,
        Err(problem) => return refuse(&problem),
    };
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let now = server.0.config.clock.now();
    let checked = server.0.guard.check(&parts.method, path_and_query, &parts.headers, &body, now);
    match checked {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => {
            tracing::warn!(path = path_and_query, %refusal, "a control call was refused");
            refuse(&Problem::from(refusal))
        }
    }
}

/// Nobody has signed for it yet, so it has to come within bounds.
async fn whole(body: Body) -> Result<Bytes, Problem> {
    let body = axum::body::to_bytes(body, MAX_CONTROL_BODY_BYTES);
    match tokio::time::timeout(BODY_PATIENCE, body).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Problem::new(ProblemCode::BadRequest, "the body is too large or was cut off")),
        Err(_elapsed) => Err(Problem::new(ProblemCode::BadRequest, "the body did not come in time")),
    }
}

fn refuse(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], json(problem)).into_response()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("answers have string keys and finite numbers only")
}

fn answer<T: Serialize>(result: Result<T, Problem>) -> Response {
    match result {
        Ok(value) => {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], json(&value)).into_response()
        }
        Err(problem) => refuse(&problem),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::new(ProblemCode::BadRequest, error.to_string()))
}

fn read_moves<T: DeserializeOwned>(body: &Bytes) -> Result<Moves<T>, Problem> {
    let moves: Moves<T> = read(body)?;
    if moves.moves.len() > MAX_MOVES_PER_CALL {
        let detail = format!("{} moves in one call, at most {MAX_MOVES_PER_CALL}", moves.moves.len());
        return Err(Problem::new(ProblemCode::BadRequest, detail));
    }
    Ok(moves)
}

async fn status(State(server): State<Server>) -> Response {
    answer(Ok(server.status()))
}

async fn boards(
    State(server): State<Server>,
    query: Result<Query<BoardsQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => answer(Ok(server.boards_page(&query))),
        Err(error) => refuse(&Problem::new(ProblemCode::BadRequest, error.body_text())),
    }
}

async fn owners(
    State(server): State<Server>,
    query: Result<Query<OwnersQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => answer(server.owners_page(&query).await),
        Err(error) => refuse(&Problem::new(ProblemCode::BadRequest, error.body_text())),
    }
}

/// Reads what is asked, asks it, answers.
async fn reply<Q, A, F>(body: &Bytes, call: impl FnOnce(Q) -> F) -> Response
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, Problem>>,
{
    match read(body) {
        Ok(request) => answer(call(request).await),
        Err(problem) => refuse(&problem),
    }
}

/// The same for many moves at once.
async fn reply_each<Q, A, F>(body: &Bytes, call: impl Fn(Q) -> F) -> Response
where
    Q: DeserializeOwned + MoveRequest,
    A: Serialize,
    F: Future<Output = Result<A, Problem>>,
{
    match read_moves(body) {
        Ok(moves) => answer(Ok(each(moves, call).await)),
        Err(problem) => refuse(&problem),
    }
}

async fn close(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |_: CloseRequest| ready(Ok(server.close()))).await
}

async fn open(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: OpenRequest| ready(Ok(server.open(request)))).await
}

async fn drain(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: DrainRequest| ready(Ok(server.drain(&request)))).await
}

async fn prepare(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: PrepareRequest| ready(server.prepare(&request))).await
}

async fn offer(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: OfferRequest| ready(server.offer(&request))).await
}

async fn seal(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: SealRequest| server.seal(request)).await
}

async fn activate(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: ActivateRequest| server.activate(request)).await
}

async fn end(State(server): State<Server>, body: Bytes) -> Response {
    reply(&body, |request: EndRequest| server.end(request)).await
}

async fn prepare_all(State(server): State<Server>, body: Bytes) -> Response {
    reply_each(&body, |request: PrepareRequest| ready(server.prepare(&request))).await
}

async fn offer_all(State(server): State<Server>, body: Bytes) -> Response {
    reply_each(&body, |request: OfferRequest| ready(server.offer(&request))).await
}

async fn seal_all(State(server): State<Server>, body: Bytes) -> Response {
    reply_each(&body, |request: SealRequest| server.seal(request)).await
}

async fn activate_all(State(server): State<Server>, body: Bytes) -> Response {
    reply_each(&body, |request: ActivateRequest| server.activate(request)).await
}

async fn end_all(State(server): State<Server>, body: Bytes) -> Response {
    reply_each(&body, |request: EndRequest| server.end(request)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let began = tokio::time::Instant::now();
        let refused = whole(Body::from_stream(never)).await.map_err(|problem| problem.code);
        assert_eq!((refused, began.elapsed()), (Err(ProblemCode::BadRequest), BODY_PATIENCE));
    }
}
