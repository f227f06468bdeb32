//! Its board is moved: the offer, the second socket, seal and `go`, and all that may come in between.

use super::*;

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
fn a_welcome_under_a_higher_epoch_ends_the_move() {
    let mut story = Story::attached();
    story.closed(1, None, "LOST, set Rejoin");
    story.expect(Event::Due(Timer::Rejoin), "open3 door, set Join");
    story.expect(Event::Opened(SocketId(3)), "hello3");
    story.hears(3, welcome(2, 0, 0), "close2, GIVEN UP, JOINED 1");
    story.hears(2, go(2, 0, 0), "");
}

#[test]
fn an_offer_of_the_same_move_to_another_server_replaces_it() {
    let mut story = Story::attached();
    story.hears(1, offer_to("m", "ws://c"), "close2, GIVEN UP, set OfferDeadline, open3 ws://c");
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
fn the_old_server_that_takes_the_board_back_gets_everything_again() {
    let mut story = Story::attached();
    story.edits("op1 1");
    story.hears(2, go(2, 5, 0), "set OldGrace, SWITCHED, op2 1");
    story.hears(1, unsealed(3), "close2, UNSEALED, op1 1, resume1 0, set Resume");
    story.edits("op1 2");
}
