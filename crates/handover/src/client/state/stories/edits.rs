//! Served by one server: numbers that are missing, edits that are forgotten, and how it leaves.

use super::*;

#[test]
fn a_seal_of_an_older_epoch_is_ignored() {
    let mut story = Story::joined();
    story.hears(1, unsealed(3), "UNSEALED");
    story.hears(1, sealed(2, 0), "");
    story.edits("op1 1");
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
