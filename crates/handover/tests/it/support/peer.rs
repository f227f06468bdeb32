//! A websocket that says and hears exactly what a test wants.

use futures_util::{SinkExt, StreamExt};
use segue_handover::wire::{
    Ack, Attach, CLOSE_MOVED, ClientMessage, Connect, Cseq, Go, Hello, Offer, Op, Payload, SUBPROTOCOL,
    Sealed, ServerMessage, Welcome,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{PATIENCE, client_id};

pub(crate) fn hello(client: &str) -> ClientMessage {
    ClientMessage::Hello(Hello { client: client_id(client), last_seq: None, epoch: None })
}

/// A websocket client without any rules of its own.
pub(crate) struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Peer {
    pub(crate) async fn open(connect: &Connect) -> Self {
        let mut request = connect.as_str().into_client_request().expect("a URL");
        let protocol = SUBPROTOCOL.parse().expect("a header value");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        Self { socket: connect_async(request).await.expect("connects").0 }
    }

    pub(crate) async fn open_plain(connect: &Connect) -> Self {
        Self { socket: connect_async(connect.as_str()).await.expect("connects").0 }
    }

    /// A second socket for a move.
    pub(crate) async fn attach(offer: &Offer, client: &str) -> Self {
        let mut peer = Self::open(&offer.connect).await;
        peer.say(&ClientMessage::Attach(Attach {
            move_id: offer.move_id.clone(),
            token: offer.token.clone(),
            client: client_id(client),
            last_seq: None,
        }))
        .await;
        peer
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.socket.send(Message::text(message.to_text())).await.expect("sends");
    }

    pub(crate) async fn op(&mut self, cseq: u64) {
        let payload = Payload::of(&cseq).expect("a number is JSON");
        self.say(&ClientMessage::Op(Op { cseq: Cseq(cseq), payload })).await;
    }

    async fn frame(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("something is said").expect("the socket is open").expect("the socket works")
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        loop {
            let frame = self.frame().await;
            if let Message::Text(text) = &frame {
                return ServerMessage::parse(text.as_str()).expect("a message");
            }
            assert!(frame.is_ping(), "{frame:?} instead of a message");
        }
    }

    /// The close that is next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            let frame = self.frame().await;
            if let Message::Close(Some(frame)) = &frame {
                return frame.code.into();
            }
            assert!(frame.is_ping(), "{frame:?} instead of a close");
        }
    }

    /// The first message that fits; others are passed over.
    pub(crate) async fn until<T>(&mut self, fits: impl Fn(ServerMessage) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.hear().await) {
                return found;
            }
        }
    }

    pub(crate) async fn welcome(&mut self) -> Welcome {
        self.until(|message| if let ServerMessage::Welcome(welcome) = message { Some(welcome) } else { None })
            .await
    }

    pub(crate) async fn offer(&mut self) -> Offer {
        self.until(|message| if let ServerMessage::Offer(offer) = message { Some(offer) } else { None }).await
    }

    pub(crate) async fn sealed(&mut self) -> Sealed {
        self.until(|message| if let ServerMessage::Sealed(sealed) = message { Some(sealed) } else { None })
            .await
    }

    pub(crate) async fn go(&mut self) -> Go {
        self.until(|message| if let ServerMessage::Go(go) = message { Some(go) } else { None }).await
    }

    /// The first acknowledgement that fits.
    pub(crate) async fn ack(&mut self, fits: impl Fn(&Ack) -> bool) -> Ack {
        self.until(
            |message| if let ServerMessage::Ack(ack) = message { Some(ack).filter(&fits) } else { None },
        )
        .await
    }

    /// Until the client's edit is durable.
    pub(crate) async fn durable(&mut self, cseq: u64) {
        self.ack(|ack| ack.durable && ack.cseq >= Cseq(cseq)).await;
    }

    /// Makes an edit and waits until it is durable.
    pub(crate) async fn edit(&mut self, cseq: u64) {
        self.op(cseq).await;
        self.durable(cseq).await;
    }

    /// `moved`, then the close that goes with it; says where to.
    pub(crate) async fn moved(&mut self) -> Option<Connect> {
        let connect =
            self.until(
                |message| if let ServerMessage::Moved(moved) = message { Some(moved.connect) } else { None },
            );
        let connect = connect.await;
        assert_eq!(self.close_code().await, CLOSE_MOVED);
        connect
    }

    pub(crate) async fn leave(mut self) {
        match self.socket.close(None).await {
            Ok(()) | Err(tungstenite::Error::ConnectionClosed) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
