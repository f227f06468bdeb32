//! A server sends it away: to where its second socket leads, elsewhere, or in a circle.

use super::*;

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
