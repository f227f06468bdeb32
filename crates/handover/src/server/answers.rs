//! What the control calls do. Everything that concerns one board is the board's own method; here it is
//! looked up, called until it has an answer, and the server's own affairs are added.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::lookup::NoBoard;
use super::slot::Slot;
use super::{Inner, Server};
use crate::board::{Board, Effects, PrepareHere, unknown_board};
use crate::wire::{
    ActivateAnswer, ActivateRequest, BoardId, BoardsPage, BoardsQuery, EndAnswer, EndRequest, ItemAnswer,
    MAX_PAGE, MoveRequest, Moves, MovesAnswer, OfferAnswer, OfferRequest, OpenRequest, OwnersPage,
    OwnersQuery, PrepareAnswer, PrepareRequest, Problem, ProblemCode, SealAnswer, SealRequest, ServerStatus,
};

impl Server {
    /// What `GET status` answers; also what a metrics page is made of.
    pub fn status(&self) -> ServerStatus {
        let inner = &self.0;
        let counts = inner.counts();
        let (state, route) = inner.lock_desk().told();
        ServerStatus {
            server: inner.settings.server.clone(),
            version: inner.config.version.clone(),
            formats: inner.config.formats.clone(),
            level: inner.config.level,
            generation: self.generation(),
            state,
            boards: counts.boards,
            standbys: counts.standbys,
            clients: counts.clients,
            attached: counts.attached,
            route,
            connect: inner.published_connect(),
            caps: inner.config.caps,
            load: inner.health.load(inner.admission.waiting(), inner.now()),
            attach: inner.admission.figures(),
        }
    }

    /// Errors since the start: broken protocols, lost ownership, failed writes.
    pub fn errors_total(&self) -> u64 {
        self.0.health.errors_total()
    }

    pub(super) fn boards_page(&self, query: &BoardsQuery) -> BoardsPage {
        let limit = query.limit.map_or(MAX_PAGE, |limit| limit.get().min(MAX_PAGE));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let now = self.0.now();
        let slots = self.0.boards.after(query.cursor.as_ref(), limit);
        // A full page may be the last one; then the next is empty.
        let next = if slots.len() == limit { slots.last().map(|slot| slot.id().clone()) } else { None };
        let boards = slots.iter().filter_map(|slot| slot.look(|board| board.row(now))).collect();
        BoardsPage { boards, next }
    }

    pub(super) async fn owners_page(&self, query: &OwnersQuery) -> Result<OwnersPage, Problem> {
        let limit = query.limit.map_or(MAX_PAGE, |limit| limit.get().min(MAX_PAGE));
        let owners = self.0.store.owners(&query.server, query.cursor.as_ref(), limit);
        match tokio::time::timeout(self.0.config.store_timeout, owners).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => Err(Problem::new(ProblemCode::StoreUnavailable, error.to_string())),
            Err(_elapsed) => Err(Problem::new(ProblemCode::StoreUnavailable, "no answer in time")),
        }
    }

    /// No new boards here.
    pub fn close(&self) -> ServerStatus {
        self.0.lock_desk().close();
        self.status()
    }

    /// New boards again; a drain under way stops.
    pub fn open(&self, request: OpenRequest) -> ServerStatus {
        if let Some(rate) = request.attach_rate_per_s {
            self.0.admission.set_limit(rate);
        }
        self.0.lock_desk().open(request.route);
        self.status()
    }

    pub(super) fn prepare(&self, request: &PrepareRequest) -> Result<PrepareAnswer, Problem> {
        let inner = &self.0;
        let Some(connect) = inner.connect_for(&request.board) else {
            return Err(Problem::new(ProblemCode::NoRoute, "`open` has not told this server its route yet"));
        };
        if let Some(rate) = request.attach_rate_per_s {
            inner.admission.set_limit(rate);
        }
        let here = PrepareHere { connect, doors: inner.lock_desk().doors() };
        let event = |board: &mut Board, now, fx: &mut Effects| board.prepare(now, request, here.clone(), fx);
        match inner.on_board(None, || inner.slot_or_full(&request.board), event) {
            Ok((_, prepared)) => prepared,
            Err(NoBoard::Full) => {
                Err(Problem::new(ProblemCode::Overloaded, "this server has as many boards as it may"))
            }
            Err(NoBoard::Unknown | NoBoard::Unsettled) => Err(still_working()),
            Err(NoBoard::Stopping) => Err(stopping()),
        }
    }

    pub(super) fn offer(&self, request: &OfferRequest) -> Result<OfferAnswer, Problem> {
        let slot = self.known(&request.board)?;
        self.0.offers.set_limit(request.rate_per_s);
        slot.apply(|board, now, fx| board.offer(now, request, fx)).unwrap_or_else(|| Err(stopping()))
    }

    pub(super) async fn seal(&self, request: SealRequest) -> Result<SealAnswer, Problem> {
        let slot = self.known(&request.board)?;
        let sealed = slot.settle(self.answer_by(), |board, now, fx| board.seal(now, &request, fx));
        sealed.await.unwrap_or_else(|| Err(still_working()))
    }

    pub(super) async fn activate(&self, request: ActivateRequest) -> Result<ActivateAnswer, Problem> {
        let slot = self.known(&request.board)?;
        let activated = slot.settle(self.answer_by(), |board, now, fx| board.activate(now, &request, fx));
        activated.await.unwrap_or_else(|| Err(still_working()))
    }

    pub(super) async fn end(&self, request: EndRequest) -> Result<EndAnswer, Problem> {
        let Some(slot) = self.0.boards.get(&request.board) else { return Ok(EndAnswer::Gone) };
        let ended = slot.settle(self.answer_by(), |board, now, fx| board.end(now, &request, fx));
        ended.await.unwrap_or_else(|| Err(still_working()))
    }

    fn known(&self, board: &BoardId) -> Result<Arc<Slot>, Problem> {
        self.0.boards.get(board).ok_or_else(unknown_board)
    }

    fn answer_by(&self) -> Instant {
        Instant::now() + self.0.config.answer_within
    }
}

/// Answers many moves at once, each for itself, in the order asked.
pub(super) async fn each<Q, A, F>(moves: Moves<Q>, call: impl Fn(Q) -> F) -> MovesAnswer<A>
where
    Q: MoveRequest,
    F: Future<Output = Result<A, Problem>>,
{
    let answers = moves.moves.into_iter().map(|request| {
        let (move_id, board) = (request.move_id().clone(), request.board().clone());
        let answer = call(request);
        async move { ItemAnswer { move_id, board, result: answer.await.into() } }
    });
    MovesAnswer { answers: join_all(answers).await }
}

fn stopping() -> Problem {
    Problem::new(ProblemCode::Overloaded, "this server is stopping")
}

fn still_working() -> Problem {
    Problem::new(ProblemCode::StillWorking, "ask again with the same move")
}

impl Inner {
    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.boards.all()
    }
}
