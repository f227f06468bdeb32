//! Its server is gone, silent, or knows less than it: it joins again.

use super::*;

#[test]
fn when_the_old_server_dies_before_the_attach_the_front_door_is_asked_at_once() {
    let mut story = Story::joined();
    story.edits("op1 1");
    story.closed(1, None, "LOST, open2 door, set Join");
    story.expect(Event::Opened(SocketId(2)), "hello2");
    story.hears(2, welcome(2, 0, 0), "JOINED 1, op2 1");
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
