//! The five calls about a board's move, as the contract has them: idempotent by the move, and ownership changes in
//! `activate` alone, or when a seal's time is over. Each call changes the list of the server that is called and no
//! other's: whoever calls in the wrong order has a board on no list, or on two.

use std::time::Duration;

use segue_handover::wire::{
    ActivateAnswer, ActivateRequest, BoardId, EndAnswer, EndRequest, Epoch, Holder, MoveId, OfferAnswer,
    OfferRequest, Outcome, PrepareAnswer, PrepareRequest, PrepareState, Problem, ProblemCode, SealAnswer,
    SealRequest, Seq, ServerState,
};

use super::board::{Board, Mark};
use super::fleet::{Fleet, ServerNo};
use super::server::{How, Leaving, Standby};
use crate::world::At;

type Answer<T> = Result<T, Problem>;

impl Fleet {
    pub(super) fn prepare(
        &mut self,
        here: ServerNo,
        request: &PrepareRequest,
        now: At,
    ) -> Answer<PrepareAnswer> {
        let board = self.look(here, &request.board, now)?;
        if let Some(rate) = request.attach_rate_per_s
            && let Some(server) = self.server_mut(here)
        {
            server.attach.limit(rate.get());
        }
        let state = self.become_standby(here, board, request, now)?;
        let server = self.server(here).ok_or_else(unknown)?;
        let attached = match state {
            PrepareState::Active => self.clients_per_board,
            PrepareState::Loading | PrepareState::Standby => self.attached(server, board, now),
        };
        let connect = self.connect(server).for_board(&request.board);
        Ok(PrepareAnswer { state, seq: Seq::ZERO, connect, attached })
    }

    fn become_standby(
        &mut self,
        here: ServerNo,
        board: Board,
        request: &PrepareRequest,
        now: At,
    ) -> Answer<PrepareState> {
        let row = *self.row(board).ok_or_else(unknown)?;
        if self.server(here).is_some_and(|server| server.held.contains(&board)) {
            return match row.came_by == Some(Mark::of(&request.move_id)) {
                true => Ok(PrepareState::Active),
                false => Err(self.held(board, ProblemCode::Held)),
            };
        }
        let expires = now.plus(Duration::from_millis(request.ttl_ms));
        let is_at_epoch = row.epoch == request.from_epoch.get();
        let server = self.server_mut(here).ok_or_else(unknown)?;
        match server.standbys.get_mut(&board) {
            Some(standby) if standby.move_id == request.move_id => standby.expires = expires,
            Some(_) => return Err(Problem::new(ProblemCode::OtherMove, "the board is in another move")),
            None if server.state != ServerState::Serving => {
                return Err(Problem::new(ProblemCode::WrongState, "this server is closed to new boards"));
            }
            None if !is_at_epoch => return Err(self.held(board, ProblemCode::WrongEpoch)),
            None => {
                let (move_id, from_epoch) = (request.move_id.clone(), row.epoch);
                let standby = Standby { move_id, from_epoch, expires, all_here_at: None };
                server.standbys.insert(board, standby);
            }
        }
        Ok(PrepareState::Standby)
    }

    /// The board's clients are told, and come to the new server as fast as that one lets them in.
    pub(super) fn offer(&mut self, here: ServerNo, request: &OfferRequest, now: At) -> Answer<OfferAnswer> {
        let board = self.owned(here, &request.board, now)?;
        let until = now.plus(Duration::from_millis(request.deadline_ms));
        self.leave(here, board, &request.move_id, How::Offered { until })?;
        let clients = self.clients_per_board;
        let there = request.connect.as_str().rsplit_once("at=").and_then(|(_, id)| self.by_id(id));
        if let Some(server) = there.and_then(|there| self.server_mut(there))
            && let Some(standby) = server.standbys.get_mut(&board)
            && standby.move_id == request.move_id
            && standby.all_here_at.is_none()
        {
            standby.all_here_at = Some(server.attach.admit(clients, now));
        }
        Ok(OfferAnswer { offered: clients, unsupported: 0 })
    }

    pub(super) fn seal(&mut self, here: ServerNo, request: &SealRequest, now: At) -> Answer<SealAnswer> {
        let board = self.owned(here, &request.board, now)?;
        if self.row(board).is_none_or(|row| row.epoch != request.epoch.get()) {
            return Err(self.held(board, ProblemCode::WrongEpoch));
        }
        let until = now.plus(Duration::from_millis(request.seal_ttl_ms));
        self.leave(here, board, &request.move_id, How::Sealed { until })?;
        Ok(SealAnswer { final_seq: Seq::ZERO, delta: None, digest: None })
    }

    /// A move goes on from offered to sealed, never back; another one has to wait for its end.
    fn leave(&mut self, here: ServerNo, board: Board, move_id: &MoveId, how: How) -> Answer<()> {
        let epoch = self.row(board).ok_or_else(unknown)?.epoch;
        let leaving = &mut self.server_mut(here).ok_or_else(unknown)?.leaving;
        match leaving.get_mut(&board) {
            Some(known) if known.move_id != *move_id => {
                Err(Problem::new(ProblemCode::OtherMove, "the board is in another move"))
            }
            Some(known) => {
                match (known.how, how) {
                    (How::Sealed { .. }, _) => {}
                    (How::Offered { .. }, later) => known.how = later,
                }
                Ok(())
            }
            None => {
                leaving.insert(board, Leaving { move_id: move_id.clone(), epoch, how });
                Ok(())
            }
        }
    }

    /// The one commit point: the compare-and-set, and this server's own list. The old server hears of it by `end`.
    pub(super) fn activate(
        &mut self,
        here: ServerNo,
        request: &ActivateRequest,
        now: At,
    ) -> Answer<ActivateAnswer> {
        let board = self.look(here, &request.board, now)?;
        let before = *self.row(board).ok_or_else(unknown)?;
        if before.owner == here && before.came_by == Some(Mark::of(&request.move_id)) {
            return Ok(ActivateAnswer { epoch: Epoch(before.epoch) });
        }
        self.lapse(before.owner, now);
        let row = *self.row(board).ok_or_else(unknown)?;
        let server = self.server(here).ok_or_else(unknown)?;
        let standby = server.standbys.get(&board).filter(|standby| standby.move_id == request.move_id);
        let standby = standby.ok_or_else(unknown)?;
        if row.epoch != standby.from_epoch || row.epoch != request.from_epoch.get() {
            return Err(self.held(board, ProblemCode::Held));
        }
        let sealed = self.server(row.owner).is_some_and(|old| old.has_sealed(board, &request.move_id));
        if !sealed && !request.force {
            return Err(Problem::new(ProblemCode::WrongState, "the old server has not sealed the board"));
        }
        let claimed = self.table.claim(board, row.epoch, here, Mark::of(&request.move_id));
        let epoch = claimed.ok_or_else(unknown)?;
        if let Some(new) = self.server_mut(here) {
            new.standbys.remove(&board);
            new.held.insert(board);
        }
        Ok(ActivateAnswer { epoch: Epoch(epoch) })
    }

    /// Each side knows from its own state which side it is.
    pub(super) fn end(&mut self, here: ServerNo, request: &EndRequest, now: At) -> Answer<EndAnswer> {
        let Ok(board) = self.look(here, &request.board, now) else { return Ok(EndAnswer::Gone) };
        match request.outcome {
            Outcome::Release => self.end_release(here, board, &request.move_id),
            Outcome::Abort => self.end_abort(here, board, &request.move_id),
        }
    }

    /// Whoever has sealed the board lets it go: that another server has it by now is the daemon's word.
    fn end_release(&mut self, here: ServerNo, board: Board, move_id: &MoveId) -> Answer<EndAnswer> {
        let row = *self.row(board).ok_or_else(unknown)?;
        let server = self.server_mut(here).ok_or_else(unknown)?;
        if server.has_sealed(board, move_id) {
            server.leaving.remove(&board);
            server.held.remove(&board);
            return Ok(EndAnswer::Gone);
        }
        let is_from_it = row.owner == here && row.came_by == Some(Mark::of(move_id));
        match (server.held.contains(&board), server.standbys.contains_key(&board)) {
            (true, _) if is_from_it => Ok(EndAnswer::Owned { epoch: Epoch(row.epoch) }),
            (true, _) => Err(self.held(board, ProblemCode::WrongState)),
            (false, true) => Err(Problem::new(ProblemCode::WrongState, "release comes after activate")),
            (false, false) => Ok(EndAnswer::Gone),
        }
    }

    fn end_abort(&mut self, here: ServerNo, board: Board, move_id: &MoveId) -> Answer<EndAnswer> {
        let row = *self.row(board).ok_or_else(unknown)?;
        let server = self.server_mut(here).ok_or_else(unknown)?;
        if server.standbys.get(&board).is_some_and(|standby| standby.move_id == *move_id) {
            server.standbys.remove(&board);
        }
        if !server.held.contains(&board) {
            return Ok(EndAnswer::Gone);
        }
        if row.owner == here && row.came_by == Some(Mark::of(move_id)) {
            return Err(self.held(board, ProblemCode::WrongState));
        }
        let was_sealed = server.has_sealed(board, move_id);
        if server.leaving.get(&board).is_some_and(|leaving| leaving.move_id == *move_id) {
            server.leaving.remove(&board);
        }
        if was_sealed {
            self.retake(here, board);
        }
        let row = self.row(board).filter(|row| row.owner == here);
        Ok(row.map_or(EndAnswer::Gone, |row| EndAnswer::Owned { epoch: Epoch(row.epoch) }))
    }

    /// The board of an id, after this server's own time has passed.
    fn look(&mut self, here: ServerNo, id: &BoardId, now: At) -> Answer<Board> {
        self.lapse(here, now);
        Board::of(id).filter(|board| self.row(*board).is_some()).ok_or_else(unknown)
    }

    fn owned(&mut self, here: ServerNo, id: &BoardId, now: At) -> Answer<Board> {
        let board = self.look(here, id, now)?;
        let is_here = self.server(here).is_some_and(|server| server.held.contains(&board));
        is_here.then_some(board).ok_or_else(unknown)
    }

    /// A refusal that says who holds the board.
    fn held(&self, board: Board, code: ProblemCode) -> Problem {
        let problem = Problem::new(code, "the board is held under another epoch");
        let Some(row) = self.row(board) else { return problem };
        let owner = self.server(row.owner).map(|server| server.id.clone());
        problem.with_holder(Holder { epoch: Epoch(row.epoch), owner, connect: None })
    }
}

fn unknown() -> Problem {
    Problem::new(ProblemCode::UnknownBoard, "this server neither owns nor prepares the board")
}
