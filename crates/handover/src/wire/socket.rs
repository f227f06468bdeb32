//! Websocket messages: JSON text frames, the name in `t`, the fields beside it.
//!
//! A connection begins with the client's `hello` (an ordinary join, answered by `welcome`) or `attach`
//! (a second socket for a move, answered by `attached` and later `go`). There is no order between two
//! sockets, and no message here needs one.
//!
//! Two rules that the message list does not show:
//! - `last_cseq` in `welcome` and `go` counts *durable* edits: what is after it the client still has to
//!   keep and sends again; the server acknowledges what it already has and applies nothing twice.
//! - A client whose `last_seq` is above `go.seq` saw edits that died with the old server. It asks
//!   `resume{from: 0}` and gets a snapshot. `hello` names the epoch of its `last_seq` for the same
//!   reason: under another epoch the answer is a snapshot.

use serde::{Deserialize, Serialize};

use super::{BoardId, ClientId, Connect, Cseq, Epoch, MoveId, Payload, Seq, Token};

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientMessage {
    Hello(Hello),
    Attach(Attach),
    Op(Op),
    Resume(Resume),
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerMessage {
    Welcome(Welcome),
    Attached(Attached),
    Update(Update),
    Ack(Ack),
    Nack(Nack),
    Snapshot(Snapshot),
    Offer(Offer),
    Sealed(Sealed),
    Unsealed(Unsealed),
    Go(Go),
    Cancel(Cancel),
    Moved(Moved),
}

/// First message of an ordinary join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub client: ClientId,
    /// The last update that the client applied, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<Seq>,
    /// The epoch under which it got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

/// First message on a second socket, as an `offer` asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub token: Token,
    pub client: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<Seq>,
}

/// An edit. `cseq` is one more than that of the client's edit before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    pub cseq: Cseq,
    pub payload: Payload,
}

/// Send everything after `from` again; the answer is updates or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    pub from: Seq,
}

/// Served here. Updates after `last_seq` or a snapshot follow when the client is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub board: BoardId,
    pub client: ClientId,
    pub epoch: Epoch,
    pub seq: Seq,
    /// The client's last durable edit.
    pub last_cseq: Cseq,
    /// The version of the application that answers.
    pub version: String,
}

/// Waiting, not yet serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    #[serde(rename = "move")]
    pub move_id: MoveId,
}

/// An edit took its place. Told to everybody, its author included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub seq: Seq,
    pub client: ClientId,
    pub cseq: Cseq,
    pub payload: Payload,
}

/// The client's edits up to `cseq` are in the board, at or before `seq`; `durable`: and in its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub cseq: Cseq,
    pub seq: Seq,
    pub durable: bool,
}

/// There was a gap: send again from `expected` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nack {
    pub expected: Cseq,
}

/// The whole board as of `seq`, in the application's own JSON; replaces what the client has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub seq: Seq,
    pub state: Payload,
}

/// Open a second socket at `connect` and `attach` there; go on working here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub connect: Connect,
    pub token: Token,
    /// Without `go` or `cancel` by then, close the second socket and stay here.
    pub deadline_ms: u64,
}

/// No more edits here; everything up to `seq` has been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub epoch: Epoch,
    pub seq: Seq,
}

/// The move was called off: edits here again; send all that are unacknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsealed {
    pub epoch: Epoch,
}

/// Here from now on. Implies `sealed` on the old socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    pub epoch: Epoch,
    /// Everything up to here came (or will come) over the old socket.
    pub seq: Seq,
    /// The client's last durable edit; resend what is after it, in order.
    pub last_cseq: Cseq,
}

/// The move was called off: close this socket, go on where you are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    #[serde(rename = "move")]
    pub move_id: MoveId,
}

/// Not mine. `connect` says where; `None`: ask the front door. The close with 4012 follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub connect: Option<Connect>,
}

/// A frame that is none of the messages.
#[derive(Debug, thiserror::Error)]
pub enum BadMessage {
    #[error("the frame has no readable message name")]
    Name(#[source] serde_json::Error),
    #[error("the fields of the message do not fit its name")]
    Fields(#[source] serde_json::Error),
}

// Reading goes by name first and fields second. Serde's own way for internally tagged enums copies the
// frame into a tree, in which a payload is no longer the bytes that were sent.
macro_rules! readable {
    ($message:ident, $name:ident { $($variant:ident),* }) => {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $name { $($variant),* }

        impl $message {
            /// Reads one text frame.
            pub fn parse(text: &str) -> Result<Self, BadMessage> {
                #[derive(Deserialize)]
                struct Tag { t: $name }
                let tag: Tag = serde_json::from_str(text).map_err(BadMessage::Name)?;
                match tag.t {
                    $($name::$variant => {
                        serde_json::from_str(text).map(Self::$variant).map_err(BadMessage::Fields)
                    })*
                }
            }

            /// The text frame.
            pub fn to_text(&self) -> String {
                serde_json::to_string(self).expect("messages have string keys and finite numbers only")
            }
        }
    };
}

readable!(ClientMessage, ClientMessageName { Hello, Attach, Op, Resume });
readable!(
    ServerMessage,
    ServerMessageName {
        Welcome,
        Attached,
        Update,
        Ack,
        Nack,
        Snapshot,
        Offer,
        Sealed,
        Unsealed,
        Go,
        Cancel,
        Moved
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_reads_as_the_contract_writes_it() {
        let text = r#"{"t":"op","cseq":5,"payload":{"x": 1}}"#;
        let message = ClientMessage::parse(text).expect("a message");
        let payload = Payload::from_json(r#"{"x": 1}"#.to_owned()).expect("JSON");
        assert_eq!(message, ClientMessage::Op(Op { cseq: Cseq(5), payload }));
        assert_eq!(message.to_text(), text);
    }

    #[test]
    fn every_server_message_survives_the_wire() {
        let id = |text: &str| MoveId::parse(text).expect("an id");
        let connect = Connect::parse("ws://host/board/b?srv=s01").expect("a connect");
        let client = ClientId::parse("ann").expect("an id");
        let payload = Payload::of(&[1, 2]).expect("JSON");
        let messages = [
            ServerMessage::Welcome(Welcome {
                board: BoardId::parse("b").expect("an id"),
                client: client.clone(),
                epoch: Epoch(1),
                seq: Seq(2),
                last_cseq: Cseq(3),
                version: "7".to_owned(),
            }),
            ServerMessage::Attached(Attached { move_id: id("m") }),
            ServerMessage::Update(Update { seq: Seq(1), client, cseq: Cseq(1), payload: payload.clone() }),
            ServerMessage::Ack(Ack { cseq: Cseq(1), seq: Seq(1), durable: true }),
            ServerMessage::Nack(Nack { expected: Cseq(4) }),
            ServerMessage::Snapshot(Snapshot { seq: Seq(9), state: payload }),
            ServerMessage::Offer(Offer {
                move_id: id("m"),
                connect: connect.clone(),
                token: Token::parse("abc").expect("a token"),
                deadline_ms: 1,
            }),
            ServerMessage::Sealed(Sealed { epoch: Epoch(1), seq: Seq(2) }),
            ServerMessage::Unsealed(Unsealed { epoch: Epoch(2) }),
            ServerMessage::Go(Go { epoch: Epoch(2), seq: Seq(2), last_cseq: Cseq(0) }),
            ServerMessage::Cancel(Cancel { move_id: id("m") }),
            ServerMessage::Moved(Moved { connect: Some(connect) }),
            ServerMessage::Moved(Moved { connect: None }),
        ];
        for message in messages {
            assert_eq!(ServerMessage::parse(&message.to_text()).expect("reads back"), message);
        }
    }

    #[test]
    fn a_frame_without_a_known_name_is_refused() {
        assert!(matches!(ClientMessage::parse("{}"), Err(BadMessage::Name(_))));
        assert!(matches!(ClientMessage::parse(r#"{"t":"go"}"#), Err(BadMessage::Name(_))));
        assert!(matches!(ClientMessage::parse(r#"{"t":"op"}"#), Err(BadMessage::Fields(_))));
    }
}
