//! Tests of the client's rules, each told as a story: what the client hears, what it then does.

use super::*;
use crate::wire::{
    Attached, BoardId, CLOSE_MOVED, CLOSE_PROTOCOL, Cancel, Go, Hello, Moved, Nack, Offer, Sealed, Unsealed,
    Welcome,
};

const ME: &str = "me";

fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

fn payload() -> Payload {
    Payload::of("x").unwrap()
}

fn move_id(name: &str) -> MoveId {
    MoveId::parse(name).unwrap()
}

fn offer(name: &str) -> ServerMessage {
    offer_to(name, "ws://b")
}

fn offer_to(name: &str, connect: &str) -> ServerMessage {
    let connect = Connect::parse(connect).unwrap();
    let token = Token::parse("t").unwrap();
    ServerMessage::Offer(Offer { move_id: move_id(name), connect, token, deadline_ms: 1_000 })
}

fn sealed(epoch: u64, seq: u64) -> ServerMessage {
    ServerMessage::Sealed(Sealed { epoch: Epoch(epoch), seq: Seq(seq) })
}

fn go(epoch: u64, seq: u64, last_cseq: u64) -> ServerMessage {
    ServerMessage::Go(Go { epoch: Epoch(epoch), seq: Seq(seq), last_cseq: Cseq(last_cseq) })
}

fn unsealed(epoch: u64) -> ServerMessage {
    ServerMessage::Unsealed(Unsealed { epoch: Epoch(epoch) })
}

fn welcome(epoch: u64, seq: u64, last_cseq: u64) -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        board: BoardId::parse("b").unwrap(),
        client: client(ME),
        epoch: Epoch(epoch),
        seq: Seq(seq),
        last_cseq: Cseq(last_cseq),
        version: "1".to_owned(),
    })
}

fn update(seq: u64, name: &str, cseq: u64) -> ServerMessage {
    ServerMessage::Update(Update {
        seq: Seq(seq),
        client: client(name),
        cseq: Cseq(cseq),
        payload: payload(),
    })
}

fn ack(cseq: u64, seq: u64, durable: bool) -> ServerMessage {
    ServerMessage::Ack(Ack { cseq: Cseq(cseq), seq: Seq(seq), durable })
}

/// The actions in a few words, so that a test reads as a story.
fn words(actions: &[Action]) -> String {
    let word = |action: &Action| match action {
        Action::Open { socket, target: Target::FrontDoor } => format!("open{} door", socket.0),
        Action::Open { socket, target: Target::At(connect) } => format!("open{} {connect}", socket.0),
        Action::Send { socket, message } => match message {
            ClientMessage::Hello(_) => format!("hello{}", socket.0),
            ClientMessage::Attach(_) => format!("attach{}", socket.0),
            ClientMessage::Op(op) => format!("op{} {}", socket.0, op.cseq),
            ClientMessage::Resume(resume) => format!("resume{} {}", socket.0, resume.from),
        },
        Action::Close(socket) => format!("close{}", socket.0),
        // These two watch over every story; a story is told of them when they run out.
        Action::Set(Timer::Silence | Timer::Held, _) | Action::Clear(_) => String::new(),
        Action::Set(timer, _) => format!("set {timer:?}"),
        Action::Tell(told) => match told {
            Told::Joined { again, .. } => format!("JOINED {again}"),
            Told::Applied(cseq) => format!("APPLIED {cseq}"),
            Told::Durable(cseq) => format!("DURABLE {cseq}"),
            Told::Update(update) => format!("UPDATE {}", update.seq),
            Told::Snapshot(snapshot) => format!("SNAPSHOT {}", snapshot.seq),
            Told::Attached(_) => "ATTACHED".to_owned(),
            Told::Sealed(_) => "SEALED".to_owned(),
            Told::Switched { .. } => "SWITCHED".to_owned(),
            Told::Unsealed(_) => "UNSEALED".to_owned(),
            Told::MoveGivenUp(_) => "GIVEN UP".to_owned(),
            Told::SentAway => "SENT AWAY".to_owned(),
            Told::Lost { .. } => "LOST".to_owned(),
            Told::Broken(_) => "BROKEN".to_owned(),
            Told::Left { unacknowledged } => format!("LEFT {unacknowledged}"),
        },
    };
    actions.iter().map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A client with the sockets of a story, told step by step.
struct Story(ClientState);

impl Story {
    /// Served at epoch 1 on socket 1, nothing made yet.
    fn joined() -> Self {
        let (state, actions) = ClientState::start(client(ME), Timing::default());
        assert_eq!(words(&actions), "open1 door, set Join");
        let mut story = Self(state);
        story.expect(Event::Opened(SocketId(1)), "hello1");
        story.hears(1, welcome(1, 0, 0), "JOINED 0");
        story
    }

    /// As `joined`, with a second socket that waits at the new server.
    fn attached() -> Self {
        let mut story = Self::joined();
        story.hears(1, offer("m"), "set OfferDeadline, open2 ws://b");
        story.expect(Event::Opened(SocketId(2)), "attach2");
        story.hears(2, ServerMessage::Attached(Attached { move_id: move_id("m") }), "ATTACHED");
        story
    }

    fn expect(&mut self, event: Event, expected: &str) {
        let shown = format!("{event:?}");
        assert_eq!(words(&self.0.on(event)), expected, "after {shown}");
    }

    fn hears(&mut self, socket: u64, message: ServerMessage, expected: &str) {
        self.expect(Event::Message(SocketId(socket), message), expected);
    }

    fn edits(&mut self, expected: &str) {
        let (_, actions) = self.0.edit(payload()).unwrap();
        assert_eq!(words(&actions), expected);
    }

    fn closed(&mut self, socket: u64, code: Option<u16>, expected: &str) {
        self.expect(Event::Closed { socket: SocketId(socket), code }, expected);
    }
}

#[test]
fn sealed_then_go_holds_edits_and_resends_what_is_not_durable() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.edits("op1 2");
    story.hears(1, update(1, ME, 1), "UPDATE 1");
    story.hears(1, sealed(1, 1), "SEALED");
    story.edits("");
    story.hears(2, go(2, 1, 1), "set OldGrace, SWITCHED, DURABLE 1, op2 2, op2 3, close1");
    story.edits("op2 4");
}

#[test]
fn go_implies_sealed() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.hears(2, go(2, 1, 0), "set OldGrace, SWITCHED, op2 1");
    story.edits("op2 2");
    story.hears(1, sealed(1, 1), "");
    story.hears(1, update(1, "other", 1), "UPDATE 1, close1");
}

#[test]
fn sealed_without_go_ends_with_unsealed_of_a_higher_epoch() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.hears(1, sealed(1, 0), "SEALED");
    story.edits("");
    story.hears(1, unsealed(1), "");
    story.hears(1, unsealed(2), "UNSEALED, op1 1, op1 2");
    story.hears(2, go(2, 0, 0), "");
    story.hears(2, ServerMessage::Cancel(Cancel { move_id: move_id("m") }), "close2, GIVEN UP");
    story.edits("op1 3");
}

#[test]
fn a_seal_of_an_older_epoch_is_ignored() {
    let mut story = Story::joined();
    story.hears(1, unsealed(3), "UNSEALED");
    story.hears(1, sealed(2, 0), "");
    story.edits("op1 1");
}

#[test]
fn an_offer_repeated_opens_no_second_socket_and_another_replaces_it() {
    let mut story = Story::attached();
    story.hears(1, offer("m"), "set OfferDeadline");
    story.hears(1, offer("n"), "close2, GIVEN UP, set OfferDeadline, open3 ws://b");
}

#[test]
fn an_offer_of_a_move_that_is_done_is_ignored() {
    let mut story = Story::attached();
    story.hears(2, go(2, 0, 0), "set OldGrace, SWITCHED, close1");
    story.hears(2, offer("m"), "");
}

#[test]
fn without_go_by_the_deadline_the_client_stays_where_it_is() {
    let mut story = Story::attached();
    story.expect(Event::Due(Timer::OfferDeadline), "close2, GIVEN UP");
    story.edits("op1 1");
}

#[test]
fn updates_that_overtake_the_old_socket_wait_for_it() {
    let mut story = Story::attached();
    story.hears(1, update(1, "other", 1), "UPDATE 1");
    story.hears(2, go(2, 3, 0), "set OldGrace, SWITCHED");
    story.hears(2, update(4, "other", 4), "");
    story.hears(1, update(2, "other", 2), "UPDATE 2");
    story.hears(1, update(3, "other", 3), "UPDATE 3, UPDATE 4, close1");
}

#[test]
fn what_the_old_socket_did_not_say_before_it_closed_is_asked_of_the_new() {
    let mut story = Story::attached();
    story.hears(2, go(2, 3, 0), "set OldGrace, SWITCHED");
    story.hears(1, update(1, "other", 1), "UPDATE 1");
    story.closed(1, None, "resume2 1, set Resume");
    story.hears(2, update(2, "other", 2), "UPDATE 2");
    story.hears(2, update(3, "other", 3), "UPDATE 3");
}

#[test]
fn an_old_socket_that_says_nothing_is_left_after_its_grace() {
    let mut story = Story::attached();
    story.hears(2, go(2, 1, 0), "set OldGrace, SWITCHED");
    story.expect(Event::Due(Timer::OldGrace), "close1, resume2 0, set Resume");
}

#[test]
fn a_gap_is_asked_for_once_at_a_time() {
    let mut story = Story::joined();
    story.hears(1, update(2, "other", 2), "resume1 0, set Resume");
    story.hears(1, update(3, "other", 3), "");
    story.expect(Event::Due(Timer::Resume), "resume1 0, set Resume");
    story.hears(1, update(1, "other", 1), "UPDATE 1, UPDATE 2, UPDATE 3");
    story.expect(Event::Due(Timer::Resume), "");
}

#[test]
fn updates_that_died_with_the_old_server_are_replaced_by_a_snapshot() {
    let mut story = Story::attached();
    story.hears(1, update(1, "other", 1), "UPDATE 1");
    story.hears(1, update(2, "other", 2), "UPDATE 2");
    story.hears(2, go(2, 1, 0), "set OldGrace, SWITCHED, resume2 0, set Resume");
    story.hears(2, update(2, "third", 1), "");
    let snapshot = Snapshot { seq: Seq(2), state: payload() };
    story.hears(2, ServerMessage::Snapshot(snapshot), "SNAPSHOT 2, close1");
    story.hears(2, update(3, "third", 2), "UPDATE 3");
}

#[test]
fn when_the_old_server_dies_early_the_standby_gets_its_chance_before_the_front_door() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.closed(1, None, "LOST, set Rejoin");
    story.edits("");
    story.hears(2, go(2, 0, 0), "SWITCHED, op2 1, op2 2");
    story.expect(Event::Due(Timer::Resume), "");
}

#[test]
fn when_the_old_server_dies_before_the_attach_the_front_door_is_asked_at_once() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.closed(1, None, "LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    story.hears(2, welcome(2, 0, 0), "JOINED 1, op2 1");
}

#[test]
fn a_welcome_under_a_higher_epoch_ends_the_move() {
    let mut story = Story::attached();
    story.closed(1, None, "LOST, set Rejoin");
    story.expect(Event::Due(Timer::Rejoin), "open3 door, set Join");
    story.expect(Event::Opened(SocketId(3)), "hello3");
    story.hears(3, welcome(2, 0, 0), "close2, GIVEN UP, JOINED 1");
    story.hears(2, go(2, 0, 0), "");
}

#[test]
fn a_server_that_lost_the_board_long_ago_is_not_believed() {
    let mut story = Story::joined();
    story.hears(1, unsealed(5), "UNSEALED");
    story.closed(1, None, "LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    story.hears(2, welcome(4, 0, 0), "close2, set Rejoin");
}

#[test]
fn sent_away_it_keeps_the_socket_until_the_next_is_open() {
    let mut story = Story::joined();
    story.edits("op1 1");
    let connect = Some(Connect::parse("ws://c").unwrap());
    let moved = ServerMessage::Moved(Moved { connect });
    story.hears(1, moved, "SENT AWAY, open2 ws://c, set Join");
    story.edits("");
    story.expect(Event::Opened(SocketId(2)), "close1, hello2");
    story.closed(1, Some(CLOSE_MOVED), "");
    story.hears(2, welcome(2, 1, 1), "JOINED 1, DURABLE 1, op2 2");
}

#[test]
fn sent_away_while_its_second_socket_attaches_it_waits_for_go() {
    let moved = || ServerMessage::Moved(Moved { connect: Some(Connect::parse("ws://b").unwrap()) });
    let mut story = Story::joined();
    story.hears(1, offer("m"), "set OfferDeadline, open2 ws://b");
    story.expect(Event::Opened(SocketId(2)), "attach2");
    story.hears(1, moved(), "SENT AWAY, set Rejoin");
    story.closed(1, Some(CLOSE_MOVED), "");
    story.hears(2, go(2, 0, 0), "SWITCHED");
    story.edits("op2 1");
}

#[test]
fn who_joins_where_the_second_socket_leads_gives_that_up_first() {
    let moved = ServerMessage::Moved(Moved { connect: Some(Connect::parse("ws://b").unwrap()) });
    let mut story = Story::joined();
    story.hears(1, offer("m"), "set OfferDeadline, open2 ws://b");
    story.hears(1, moved, "SENT AWAY, set Rejoin");
    story.expect(Event::Due(Timer::Rejoin), "close2, GIVEN UP, open3 ws://b, set Join");
}

#[test]
fn a_second_socket_that_is_open_is_kept_until_the_one_that_takes_its_place_is() {
    let moved = ServerMessage::Moved(Moved { connect: Some(Connect::parse("ws://b").unwrap()) });
    let mut story = Story::attached();
    story.hears(1, moved, "SENT AWAY, set Rejoin");
    story.closed(1, Some(CLOSE_MOVED), "");
    story.expect(Event::Due(Timer::Rejoin), "GIVEN UP, open3 ws://b, set Join");
    story.expect(Event::Opened(SocketId(3)), "close2, hello3");
}

#[test]
fn sent_elsewhere_than_the_second_socket_leads_it_joins_there_at_once() {
    let moved = ServerMessage::Moved(Moved { connect: Some(Connect::parse("ws://c").unwrap()) });
    let mut story = Story::joined();
    story.hears(1, offer("m"), "set OfferDeadline, open2 ws://b");
    story.hears(1, moved, "SENT AWAY, open3 ws://c, set Join");
}

#[test]
fn after_go_whoever_loses_his_server_asks_the_front_door() {
    let moved = ServerMessage::Moved(Moved { connect: Some(Connect::parse("ws://b").unwrap()) });
    let mut story = Story::attached();
    story.hears(1, moved, "SENT AWAY, set Rejoin");
    story.hears(2, go(2, 0, 0), "close1, SWITCHED");
    story.closed(2, None, "LOST, open3 door, set Join");
}

#[test]
fn an_offer_of_the_same_move_to_another_server_replaces_it() {
    let mut story = Story::attached();
    story.hears(1, offer_to("m", "ws://c"), "close2, GIVEN UP, set OfferDeadline, open3 ws://c");
}

#[test]
fn servers_that_send_it_in_a_circle_are_left_for_a_while() {
    let mut story = Story::joined();
    for hop in 0..5 {
        let moved = ServerMessage::Moved(Moved { connect: None });
        let actions = story.0.on(Event::Message(SocketId(hop + 1), moved));
        assert!(words(&actions).contains(&format!("open{} door", hop + 2)), "hop {hop}");
        story.0.on(Event::Opened(SocketId(hop + 2)));
    }
    story.hears(6, ServerMessage::Moved(Moved { connect: None }), "set Rejoin");
}

#[test]
fn a_second_socket_that_fails_is_tried_again_and_one_that_is_refused_is_not() {
    let mut story = Story::attached();
    story.closed(2, None, "set Reattach");
    story.expect(Event::Due(Timer::Reattach), "open3 ws://b");
    story.expect(Event::Opened(SocketId(3)), "attach3");
    story.closed(3, Some(CLOSE_PROTOCOL), "GIVEN UP");
}

#[test]
fn a_gap_in_the_numbers_is_filled_from_the_expected_one_on() {
    let mut story = Story::joined();
    for cseq in 1..=3 {
        story.edits(&format!("op1 {cseq}"));
    }
    story.hears(1, ServerMessage::Nack(Nack { expected: Cseq(2) }), "op1 2, op1 3");
    story.hears(1, ServerMessage::Nack(Nack { expected: Cseq(2) }), "");
    story.hears(1, ack(3, 3, false), "APPLIED 3");
    story.hears(1, ack(3, 3, true), "DURABLE 3");
}

#[test]
fn a_server_that_forgot_a_durable_edit_is_reported() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.hears(1, ack(1, 1, true), "DURABLE 1");
    story.hears(1, ServerMessage::Nack(Nack { expected: Cseq(1) }), "BROKEN, close1, set Rejoin");
}

#[test]
fn the_old_server_that_takes_the_board_back_gets_everything_again() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.hears(2, go(2, 5, 0), "set OldGrace, SWITCHED, op2 1");
    story.hears(1, unsealed(3), "close2, UNSEALED, op1 1, resume1 0, set Resume");
    story.edits("op1 2");
}

#[test]
fn it_leaves_when_everything_is_durable() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.expect(Event::Leave, "");
    story.hears(1, ack(1, 1, false), "APPLIED 1");
    story.hears(1, ack(1, 1, true), "DURABLE 1, close1, LEFT 0");
    story.hears(1, sealed(1, 1), "");
}

#[test]
fn it_leaves_at_once_when_told_and_says_what_it_does_not_know() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.expect(Event::LeaveNow, "close1, close2, LEFT 1");
}

#[test]
fn what_was_seen_and_is_void_is_not_named_when_the_client_joins_again() {
    let mut story = Story::joined();
    story.hears(1, update(1, "other", 1), "UPDATE 1");
    story.hears(1, update(2, "other", 2), "UPDATE 2");
    story.closed(1, None, "LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    // The second update died with its server, and the snapshot that would say so is lost as well.
    story.hears(2, welcome(2, 1, 0), "JOINED 1");
    story.closed(2, None, "LOST, open3 door, set Join");
    let actions = story.0.on(Event::Opened(SocketId(3)));
    let nothing = Hello { client: client(ME), last_seq: None, epoch: None };
    assert_eq!(actions, [Action::Send { socket: SocketId(3), message: ClientMessage::Hello(nothing) }]);
    story.hears(3, welcome(2, 2, 0), "JOINED 2");
    story.hears(3, ServerMessage::Snapshot(Snapshot { seq: Seq(2), state: payload() }), "SNAPSHOT 2");
    story.hears(3, update(3, "other", 3), "UPDATE 3");
}

#[test]
fn a_void_view_of_a_board_that_is_empty_now_is_replaced_as_well() {
    let mut story = Story::joined();
    story.hears(1, update(1, "other", 1), "UPDATE 1");
    story.closed(1, None, "LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    // No server sends the content of an empty board by itself.
    story.hears(2, welcome(2, 0, 0), "JOINED 1, resume2 0, set Resume");
    story.hears(2, ServerMessage::Snapshot(Snapshot { seq: Seq(0), state: payload() }), "SNAPSHOT 0");
    story.hears(2, update(1, "other", 1), "UPDATE 1");
}

#[test]
fn a_server_that_falls_silent_is_left_and_one_that_only_pings_is_not() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.hears(1, update(1, ME, 1), "UPDATE 1");
    story.expect(Event::Due(Timer::Silence), "");
    story.expect(Event::Alive(SocketId(1)), "");
    story.expect(Event::Due(Timer::Silence), "");
    story.expect(Event::Due(Timer::Silence), "close1, LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    story.hears(2, welcome(1, 1, 0), "JOINED 1, op2 1");
}

#[test]
fn a_client_that_was_not_told_how_a_seal_ended_joins_again() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.hears(1, sealed(1, 0), "SEALED");
    // Its server is there, and owes it an `unsealed`.
    story.expect(Event::Alive(SocketId(1)), "");
    story.expect(Event::Due(Timer::Held), "close1, LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    story.hears(2, welcome(2, 0, 0), "JOINED 1, op2 1");
    story.expect(Event::Due(Timer::Held), "");
}
