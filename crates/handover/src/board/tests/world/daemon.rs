//! A daemon that moves the board back and forth, one step at a time, and forgets what it did.

use std::task::Poll;

use super::{World, connect_of, the_board};
use crate::board::{Doors, PrepareHere};
use crate::wire::{
    ActivateRequest, BoardState, EndRequest, Epoch, Level, MoveId, OfferRequest, Outcome, PrepareRequest,
    PrepareState, Problem, SealAnswer, SealRequest, Seq,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Daemon {
    moves: u32,
    at: Option<Moving>,
}

#[derive(Debug, Clone)]
struct Moving {
    move_id: MoveId,
    old: usize,
    epoch: Epoch,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    Prepare,
    Offer(Seq),
    Seal(Seq),
    Activate(SealAnswer),
    End(Outcome),
}

impl Moving {
    fn new_server(&self) -> usize {
        1 - self.old
    }
}

impl Daemon {
    pub(super) fn is_moving(&self) -> bool {
        self.at.is_some()
    }

    /// It dies; the next one knows only which numbers were used.
    pub(super) fn forgotten(&self) -> Self {
        Self { moves: self.moves, at: None }
    }
}

impl World {
    pub(super) fn daemon_acts(&mut self) {
        let Some(moving) = self.daemon.at.clone() else { return self.begin_move() };
        let stage = match &moving.stage {
            Stage::Prepare => self.prepare(&moving),
            Stage::Offer(seq) => self.offer(&moving, *seq),
            // It waits for nobody: whether clients have attached until then is a matter of chance.
            Stage::Seal(seq) => self.seal(&moving, *seq),
            Stage::Activate(seal) => Some(self.activate(&moving, seal)),
            Stage::End(outcome) => self.end(&moving, *outcome),
        };
        self.daemon.at = stage.map(|stage| Moving { stage, ..moving });
    }

    fn begin_move(&mut self) {
        let active = |server: &super::Server| {
            let row = server.board.as_ref()?.row(self.now)?;
            (row.state == BoardState::Active && row.clients > 0).then_some(row.epoch)
        };
        let owner =
            self.servers.iter().enumerate().find_map(|(number, server)| Some((number, active(server)?)));
        let Some((old, epoch)) = owner else { return };
        // Without faults it lets everybody arrive before it moves the board on.
        if !self.has_faults && !self.is_everybody_at(old) {
            return;
        }
        self.daemon.moves += 1;
        let move_id = MoveId::parse(&format!("m{}", self.daemon.moves)).expect("an id");
        self.daemon.at = Some(Moving { move_id, old, epoch, stage: Stage::Prepare });
    }

    fn prepare(&mut self, moving: &Moving) -> Option<Stage> {
        let request = PrepareRequest {
            move_id: moving.move_id.clone(),
            board: the_board(),
            from_epoch: moving.epoch,
            ttl_ms: 5_000,
            attach_rate_per_s: None,
        };
        let here = PrepareHere { connect: connect_of(moving.new_server()), doors: Doors::Open };
        self.have_board(moving.new_server());
        match self.apply(moving.new_server(), |board, now, fx| board.prepare(now, &request, here, fx))? {
            Ok(answer) if answer.state == PrepareState::Loading => Some(Stage::Prepare),
            Ok(answer) => Some(Stage::Offer(answer.seq)),
            Err(_) => None,
        }
    }

    fn offer(&mut self, moving: &Moving, seq: Seq) -> Option<Stage> {
        let request = OfferRequest {
            move_id: moving.move_id.clone(),
            board: the_board(),
            connect: connect_of(moving.new_server()),
            rate_per_s: std::num::NonZeroU32::MIN,
            deadline_ms: 15_000,
        };
        match self.apply(moving.old, |board, now, fx| board.offer(now, &request, fx)) {
            Some(Ok(_)) => Some(Stage::Seal(seq)),
            // The old server is dead: a standby that may take over does.
            None if self.servers[moving.old].settings.level == Level::Failover => self.fail_over(moving),
            Some(Err(_)) | None => Some(Stage::End(Outcome::Abort)),
        }
    }

    fn seal(&mut self, moving: &Moving, standby_seq: Seq) -> Option<Stage> {
        let request = SealRequest {
            move_id: moving.move_id.clone(),
            board: the_board(),
            epoch: moving.epoch,
            seal_ttl_ms: 1_000,
            standby_seq: Some(standby_seq),
        };
        match self.apply(moving.old, |board, now, fx| board.seal(now, &request, fx)) {
            Some(Poll::Ready(Ok(seal))) => Some(Stage::Activate(seal)),
            Some(Poll::Pending) => Some(Stage::Seal(standby_seq)),
            None if self.servers[moving.old].settings.level == Level::Failover => self.fail_over(moving),
            Some(Poll::Ready(Err(_))) | None => Some(Stage::End(Outcome::Abort)),
        }
    }

    fn activate(&mut self, moving: &Moving, seal: &SealAnswer) -> Stage {
        let request = ActivateRequest {
            move_id: moving.move_id.clone(),
            board: the_board(),
            from_epoch: moving.epoch,
            final_seq: Some(seal.final_seq),
            delta: seal.delta.clone(),
            digest: seal.digest.clone(),
            force: false,
        };
        match self.ask_activation(moving, &request) {
            Some(Poll::Pending) => Stage::Activate(seal.clone()),
            Some(Poll::Ready(Ok(()))) => Stage::End(Outcome::Release),
            Some(Poll::Ready(Err(_))) | None => Stage::End(Outcome::Abort),
        }
    }

    fn fail_over(&mut self, moving: &Moving) -> Option<Stage> {
        let request = ActivateRequest {
            move_id: moving.move_id.clone(),
            board: the_board(),
            from_epoch: moving.epoch,
            final_seq: None,
            delta: None,
            digest: None,
            force: true,
        };
        match self.ask_activation(moving, &request) {
            Some(Poll::Pending) => Some(moving.stage.clone()),
            Some(Poll::Ready(_)) | None => None,
        }
    }

    fn ask_activation(
        &mut self,
        moving: &Moving,
        request: &ActivateRequest,
    ) -> Option<Poll<Result<(), Problem>>> {
        let answer = self.apply(moving.new_server(), |board, now, fx| board.activate(now, request, fx))?;
        if let Poll::Ready(Ok(answer)) = &answer {
            assert_eq!(answer.epoch, moving.epoch.next());
            self.moves_done += 1;
        }
        Some(answer.map_ok(|_| ()))
    }

    /// Both sides; a side that is gone has nothing to end.
    fn end(&mut self, moving: &Moving, outcome: Outcome) -> Option<Stage> {
        let request = EndRequest { move_id: moving.move_id.clone(), board: the_board(), outcome };
        let mut is_pending = false;
        for server in [moving.new_server(), moving.old] {
            let answer = self.apply(server, |board, now, fx| board.end(now, &request, fx));
            is_pending |= matches!(answer, Some(Poll::Pending));
        }
        is_pending.then_some(Stage::End(outcome))
    }
}
