//! Tests of the client's rules, each told as a story: what the client hears, what it then does.

mod edits;
mod moves;
mod rejoining;
mod sent_away;

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
