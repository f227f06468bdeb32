//! One board by itself: what it asks, says and does when the store answers this or that.

use std::num::NonZeroU32;
use std::task::Poll;
use std::time::Duration;

use crate::board::testing::{client, settings};
use crate::board::{
    Answer, Ask, Board, BoardLimits, ConnId, Doors, Effect, Effects, Incident, Moment, Newcomer, PrepareHere,
    Shut, Speaks, Ticket,
};
use crate::store::{Append, Claim, Page, Release, Row, StoreError};
use crate::wire::{
    Ack, ActivateAnswer, ActivateRequest, BoardId, BoardState, Connect, Cseq, EndRequest, Entry, Epoch,
    Hello, Level, MoveId, Nack, OfferRequest, Op, Outcome, Payload, PrepareRequest, Problem, ProblemCode,
    SealAnswer, SealRequest, Seq, ServerMessage, Unsealed,
};

const ANN: ConnId = ConnId(1);

/// A board, and what it wanted since anybody looked.
struct Alone {
    board: Board,
    now: Moment,
    asked: Option<(Ticket, Ask)>,
    writing: Option<(Ticket, Vec<Entry>)>,
    said: Vec<ServerMessage>,
    shut: Vec<Shut>,
    incidents: Vec<Incident>,
    is_gone: bool,
}

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("for a moment".to_owned()))
}

fn op(cseq: u64) -> Op {
    Op { cseq: Cseq(cseq), payload: Payload::of(&cseq).expect("a number is JSON") }
}

impl Alone {
    fn absent(level: Level) -> Self {
        let settings = settings("here", level, BoardLimits::default());
        let board = Board::absent(settings, BoardId::parse("b").expect("an id"), Moment::default());
        let (said, shut, incidents) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            board,
            now: Moment::default(),
            asked: None,
            writing: None,
            said,
            shut,
            incidents,
            is_gone: false,
        }
    }

    /// Owned under epoch 1, without edits; ann is served.
    fn served() -> Self {
        let mut alone = Self::absent(Level::Warm);
        let hello = Hello { client: client("ann"), last_seq: None, epoch: None };
        let who = Newcomer { conn: ANN, speaks: Speaks::Handover };
        alone.happens(|board, now, fx| board.join(now, who, hello, fx));
        alone.answer(Answer::Row(Ok(Row { epoch: Epoch(0), owner: None, last_seq: Seq(0) })));
        alone.answer(Answer::Claim(Ok(Claim::Claimed { epoch: Epoch(1), last_seq: Seq(0) })));
        assert!(matches!(alone.said()[..], [ServerMessage::Welcome(_)]));
        alone
    }

    fn happens<R>(&mut self, event: impl FnOnce(&mut Board, Moment, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = event(&mut self.board, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send(_, message) | Effect::Tell(message) | Effect::Offer { message, .. } => {
                    self.said.push(message);
                }
                Effect::Close(_, shut) => self.shut.push(shut),
                Effect::Ask { ticket, ask } => self.asked = Some((ticket, ask)),
                Effect::Write { ticket, entries, .. } => self.writing = Some((ticket, entries)),
                Effect::Report(incident) => self.incidents.push(incident),
                Effect::Forget => self.is_gone = true,
                Effect::Durable(_) | Effect::Loaded(_) => {}
            }
        }
        result
    }

    fn answer(&mut self, answer: Answer) {
        let (ticket, _) = self.asked.take().expect("something was asked");
        self.happens(|board, now, fx| board.answered(now, ticket, answer, Doors::Open, fx));
    }

    fn written(&mut self, result: Result<Append, StoreError>) {
        let (ticket, _) = self.writing.take().expect("something is being written");
        self.happens(|board, now, fx| board.written(now, ticket, result, fx));
    }

    fn op(&mut self, cseq: u64) {
        self.happens(|board, now, fx| board.op(now, ANN, op(cseq), fx));
    }

    /// For a second.
    fn seal(&mut self) -> Poll<Result<SealAnswer, Problem>> {
        let seal = SealRequest {
            move_id: MoveId::parse("m").expect("an id"),
            board: BoardId::parse("b").expect("an id"),
            epoch: Epoch(1),
            seal_ttl_ms: 1_000,
            standby_seq: None,
        };
        self.happens(|board, now, fx| board.seal(now, &seal, fx))
    }

    fn drain(&mut self) -> Poll<()> {
        self.happens(|board, _, fx| board.drain(fx))
    }

    fn activate(&mut self, move_id: &MoveId) -> Poll<Result<ActivateAnswer, Problem>> {
        self.happens(|board, now, fx| board.activate(now, &force(move_id), fx))
    }

    fn pass(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
        self.happens(|board, now, fx| board.wake(now, Doors::Open, fx));
    }

    /// What clients were told since the last look.
    fn said(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.said)
    }
}

fn force(move_id: &MoveId) -> ActivateRequest {
    ActivateRequest {
        move_id: move_id.clone(),
        board: BoardId::parse("b").expect("an id"),
        from_epoch: Epoch(1),
        final_seq: None,
        delta: None,
        digest: None,
        force: true,
    }
}

/// A standby at epoch 1 that won its claim and still has to read the one edit that there is.
fn won_and_reading() -> (Alone, MoveId) {
    let mut alone = Alone::absent(Level::Failover);
    let move_id = MoveId::parse("m").expect("an id");
    let prepare = PrepareRequest {
        move_id: move_id.clone(),
        board: BoardId::parse("b").expect("an id"),
        from_epoch: Epoch(1),
        ttl_ms: 60_000,
        attach_rate_per_s: None,
    };
    let here = PrepareHere { connect: Connect::parse("here").expect("a connect"), doors: Doors::Open };
    alone.happens(|board, now, fx| board.prepare(now, &prepare, here, fx)).expect("prepares");
    alone.answer(Answer::Row(Ok(Row { epoch: Epoch(1), owner: None, last_seq: Seq(0) })));
    alone.answer(Answer::Page(Ok(Page { entries: Vec::new(), last_seq: Seq(0) })));
    assert_eq!(alone.activate(&move_id), Poll::Pending);
    alone.answer(Answer::Claim(Ok(Claim::Claimed { epoch: Epoch(2), last_seq: Seq(1) })));
    (alone, move_id)
}

#[test]
fn a_store_that_is_silent_for_a_moment_after_a_won_claim_is_asked_again() {
    let (mut alone, move_id) = won_and_reading();
    alone.answer(Answer::Page(away()));
    assert_eq!(alone.activate(&move_id), Poll::Pending);
    alone.pass(Duration::from_millis(50));
    assert!(matches!(alone.asked, Some((_, Ask::Load { after: Seq(0) }))));
    let entry = Entry { seq: Seq(1), client: client("ann"), cseq: Cseq(1), payload: op(1).payload };
    alone.answer(Answer::Page(Ok(Page { entries: vec![entry], last_seq: Seq(1) })));
    let activated = ActivateAnswer { epoch: Epoch(2) };
    assert_eq!((alone.activate(&move_id), alone.incidents), (Poll::Ready(Ok(activated)), Vec::new()));
}

#[test]
fn a_store_that_stays_silent_after_a_won_claim_is_called_silent_not_broken() {
    let (mut alone, move_id) = won_and_reading();
    while alone.activate(&move_id).is_pending() {
        alone.answer(Answer::Page(away()));
        alone.pass(Duration::from_millis(500));
    }
    let refused = alone.activate(&move_id).map(|answer| answer.expect_err("the store is away").code);
    assert_eq!((refused, alone.incidents), (Poll::Ready(ProblemCode::StoreUnavailable), Vec::new()));
}

#[test]
fn a_write_that_is_refused_for_good_is_not_made_again_and_the_board_is_given_up() {
    let mut alone = Alone::served();
    alone.op(1);
    alone.said();
    alone.written(Err(StoreError::Refused("it is too large".to_owned())));
    alone.pass(Duration::from_secs(1));
    assert!(alone.is_gone && alone.writing.is_none());
    assert!(matches!(alone.said()[..], [ServerMessage::Moved(_)]));
    assert_eq!((alone.shut, alone.incidents), (vec![Shut::Moved], vec![Incident::WriteRefused]));
}

#[test]
fn an_offer_that_is_repeated_stands_from_the_last_word_on_and_clients_are_told() {
    let mut alone = Alone::served();
    let offer = OfferRequest {
        move_id: MoveId::parse("m").expect("an id"),
        board: BoardId::parse("b").expect("an id"),
        connect: Connect::parse("ws://there").expect("a connect"),
        rate_per_s: NonZeroU32::MIN,
        deadline_ms: 1_000,
    };
    let state = |alone: &Alone| alone.board.row(alone.now).expect("it is here").state;
    let first = alone.happens(|board, now, fx| board.offer(now, &offer, fx));
    alone.pass(Duration::from_millis(800));
    assert_eq!(alone.happens(|board, now, fx| board.offer(now, &offer, fx)), first);
    assert!(matches!(alone.said()[..], [ServerMessage::Offer(_), ServerMessage::Offer(_)]));
    alone.pass(Duration::from_millis(800));
    assert_eq!(state(&alone), BoardState::Offered);
    alone.pass(Duration::from_millis(200));
    assert_eq!(state(&alone), BoardState::Active);
}

#[test]
fn a_plain_client_is_sent_after_the_board_at_once_and_another_is_given_time_to_follow() {
    let end = EndRequest {
        move_id: MoveId::parse("m").expect("an id"),
        board: BoardId::parse("b").expect("an id"),
        outcome: Outcome::Release,
    };
    let mut alone = Alone::served();
    let hello = Hello { client: client("bob"), last_seq: None, epoch: None };
    let bob = Newcomer { conn: ConnId(2), speaks: Speaks::Plain };
    alone.happens(|board, now, fx| board.join(now, bob, hello, fx));
    let row = alone.board.row(alone.now).expect("it is here");
    assert_eq!((row.clients, row.unsupported), (2, 1));
    assert!(alone.seal().is_ready());
    assert!(alone.happens(|board, now, fx| board.end(now, &end, fx)).is_ready());
    assert_eq!((&alone.shut[..], alone.is_gone), (&[Shut::Moved][..], false), "bob");
    alone.pass(Duration::from_secs(2));
    assert_eq!((&alone.shut[..], alone.is_gone), (&[Shut::Moved, Shut::Moved][..], true), "and ann");
}

#[test]
fn a_sealed_board_that_may_not_be_taken_back_is_given_up() {
    let mut alone = Alone::served();
    assert!(alone.seal().is_ready());
    alone.pass(Duration::from_secs(1));
    alone.answer(Answer::Claim(Err(StoreError::Refused("not this server".to_owned()))));
    assert_eq!((alone.is_gone, &alone.shut[..]), (true, &[Shut::Moved][..]));
}

#[test]
fn a_board_that_cannot_be_flushed_goes_on_taking_edits_until_it_can_be_drained() {
    let mut alone = Alone::served();
    alone.op(1);
    assert_eq!(alone.drain(), Poll::Pending);
    // On its way out it takes no more edits.
    alone.said();
    alone.op(2);
    assert_eq!(alone.said(), []);
    // The store is away: nothing comes of it, and what is not durable is asked for.
    alone.written(away());
    assert_eq!(alone.said(), [ServerMessage::Nack(Nack { expected: Cseq(1) })]);
    for cseq in [2, 3] {
        assert_eq!(alone.drain(), Poll::Pending);
        alone.op(cseq);
        let ack = Ack { cseq: Cseq(cseq), seq: Seq(cseq), durable: false };
        assert!(alone.said().contains(&ServerMessage::Ack(ack)));
    }
    // The store is back.
    alone.pass(Duration::from_millis(100));
    alone.written(Ok(Append::Appended { last_seq: Seq(3) }));
    assert_eq!(alone.drain(), Poll::Pending);
    alone.answer(Answer::Release(Ok(Release::Released)));
    assert!(matches!(alone.said()[..], [ServerMessage::Ack(_), ServerMessage::Moved(_)]));
    assert_eq!((alone.drain(), alone.is_gone), (Poll::Ready(()), true));
}

/// The row as the others leave it that took this server for dead.
fn freed() -> Row {
    Row { epoch: Epoch(1), owner: None, last_seq: Seq(0) }
}

#[test]
fn a_board_that_was_freed_from_a_server_that_lives_is_taken_back_without_a_word_to_its_people() {
    let mut alone = Alone::served();
    alone.happens(|board, _, fx| board.doubt(fx));
    alone.answer(Answer::Row(Ok(freed())));
    assert!(matches!(alone.asked, Some((_, Ask::Claim { expect: Epoch(1) }))), "{:?}", alone.asked);
    // Taken meanwhile and not written: it would be fenced.
    alone.op(1);
    assert!(alone.writing.is_none());
    // The claim was perhaps done, and its answer lost: it is asked from the same epoch.
    alone.answer(Answer::Claim(away()));
    alone.pass(Duration::from_millis(100));
    assert!(matches!(alone.asked, Some((_, Ask::Claim { expect: Epoch(1) }))), "{:?}", alone.asked);
    alone.said();
    alone.answer(Answer::Claim(Ok(Claim::Claimed { epoch: Epoch(2), last_seq: Seq(0) })));
    assert_eq!(alone.said(), [ServerMessage::Unsealed(Unsealed { epoch: Epoch(2) })]);
    alone.written(Ok(Append::Appended { last_seq: Seq(1) }));
    assert!(matches!(alone.said()[..], [ServerMessage::Ack(Ack { durable: true, .. })]));
    assert_eq!(
        (alone.board.believes_to_own(), alone.shut, alone.incidents),
        (Some(Epoch(2)), vec![], vec![])
    );
}

#[test]
fn a_write_that_finds_the_board_freed_closes_nobody() {
    let mut alone = Alone::served();
    alone.op(1);
    alone.written(Ok(Append::Fenced(freed())));
    alone.answer(Answer::Claim(Ok(Claim::Claimed { epoch: Epoch(2), last_seq: Seq(0) })));
    let (_, again) = alone.writing.as_ref().expect("it is written again");
    assert_eq!((again.len(), alone.shut, alone.incidents), (1, vec![], vec![]));
}

#[test]
fn a_freed_board_that_somebody_else_claimed_first_is_let_go() {
    let mut alone = Alone::served();
    alone.happens(|board, _, fx| board.doubt(fx));
    alone.answer(Answer::Row(Ok(freed())));
    alone.answer(Answer::Claim(Ok(Claim::Held(Row { epoch: Epoch(2), owner: None, last_seq: Seq(4) }))));
    assert_eq!((alone.shut, alone.incidents), (vec![Shut::Moved], vec![Incident::LostOwnership]));
}

#[test]
fn a_board_that_is_being_taken_back_is_not_sealed_nor_drained_under_its_old_epoch() {
    let mut alone = Alone::served();
    alone.happens(|board, _, fx| board.doubt(fx));
    alone.answer(Answer::Row(Ok(freed())));
    let code = alone.seal().map(|answer| answer.expect_err("not now").code);
    assert_eq!((code, alone.drain()), (Poll::Ready(ProblemCode::StillWorking), Poll::Pending));
    alone.answer(Answer::Claim(Ok(Claim::Claimed { epoch: Epoch(2), last_seq: Seq(0) })));
    assert_eq!(alone.drain(), Poll::Pending);
    assert!(matches!(alone.asked, Some((_, Ask::Release { epoch: Epoch(2) }))), "{:?}", alone.asked);
}
