//! Ids and counters. Each is its own type, so that an epoch cannot be passed for a seq.
//!
//! Text ids are shared slices: cloning one costs a counter, not an allocation.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that is not an id: empty, too long, or with a character that would need quoting somewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {what} is 1 to {max_len} characters of the allowed set, this is {got:?}")]
pub struct BadText {
    what: &'static str,
    max_len: usize,
    got: String,
}

/// Letters, digits and the punctuation that needs no quoting in a path or query (RFC 3986 section 2.3,
/// plus `:` `@` `=`).
const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':' | b'@' | b'=')
}

/// A URL or any other opaque text: printable ASCII without spaces or quotes.
const fn is_opaque_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max_len:literal, $allowed:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, BadText> {
                let right_length = (1..=$max_len).contains(&text.len());
                if right_length && text.bytes().all($allowed) {
                    Ok(Self(Arc::from(text)))
                } else {
                    let got = text.chars().take(64).collect();
                    Err(BadText { what: $what, max_len: $max_len, got })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadText;
            fn try_from(text: String) -> Result<Self, BadText> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadText;
            fn from_str(text: &str) -> Result<Self, BadText> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

text_id!(
    /// The unit of state. The application's own id for it.
    BoardId, "board id", 128, is_id_byte
);
text_id!(
    /// One user's session on one board. It survives reconnects and moves; its edits are numbered
    /// without gaps from 1.
    ClientId, "client id", 128, is_id_byte
);
text_id!(
    /// One board's journey. Every control call about a move is idempotent by it.
    MoveId, "move id", 128, is_id_byte
);
text_id!(
    /// A server, by the id of the instance that it runs on.
    ServerId, "server id", 128, is_id_byte
);
text_id!(
    /// The release on whose behalf a server is drained.
    ReleaseId, "release id", 128, is_id_byte
);
text_id!(
    /// The route slot that leads to one certain server.
    Route, "route", 64, is_id_byte
);
text_id!(
    /// Where a client finds a board, in words that only the application's servers and clients
    /// understand (usually a websocket URL). Whoever passes it on does not look inside.
    Connect, "connect", 2048, is_opaque_byte
);
text_id!(
    /// Proof, made by the old server and checked by the new one, that a client may attach.
    Token, "token", 128, is_id_byte
);

impl Connect {
    /// What in a published `connect` stands for the board.
    pub const BOARD: &'static str = "{board}";
    /// What in an application's own `connect` stands for the route that leads to one server.
    pub const ROUTE: &'static str = "{route}";

    /// Whether it leads nowhere before a route is known.
    pub fn wants_route(&self) -> bool {
        self.0.contains(Self::ROUTE)
    }

    /// What a server publishes that is reached by `route`.
    #[must_use]
    pub fn for_route(&self, route: &Route) -> Self {
        Self(Arc::from(self.0.replace(Self::ROUTE, route.as_str())))
    }

    /// A server publishes one `connect` for all its boards; this is the one for `board`.
    #[must_use]
    pub fn for_board(&self, board: &BoardId) -> Self {
        Self(Arc::from(self.0.replace(Self::BOARD, board.as_str())))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            pub const ZERO: Self = Self(0);

            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter!(
    /// How often a board has changed hands. 0: never owned. It only grows, by compare-and-set from
    /// `epoch` to `epoch + 1`.
    Epoch
);
counter!(
    /// The number of an edit in its board's one order; contiguous from 1. 0: an empty board.
    Seq
);
counter!(
    /// The number of an edit in its client's own order; contiguous from 1.
    Cseq
);
counter!(
    /// Which daemon's word counts. It only grows; a call with a lower one is refused.
    Generation
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_need_quoting_in_a_url_is_refused() {
        for bad in ["", "a b", "a/b", "a?b", "a+b", "ä", "\"", &"x".repeat(129)] {
            assert!(BoardId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(BoardId::parse("uXjV-K_4=").map(|id| id.to_string()).as_deref(), Ok("uXjV-K_4="));
    }

    #[test]
    fn an_id_inside_json_is_checked_when_it_is_read() {
        assert!(serde_json::from_str::<BoardId>("\"two words\"").is_err());
        assert!(serde_json::from_str::<Connect>("\"wss://h/board/b?srv=s07\"").is_ok());
    }
}
