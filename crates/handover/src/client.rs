//! The client of the contract: keeps an edit until it is durable, attaches before it switches.
//!
//! [`ClientState`] is the rules, pure; [`Session`] gives it sockets and a clock. It deliberately does
//! not know what a board is: payloads and snapshots are the application's own.

mod outbox;
mod presence;
mod session;
mod sockets;
mod state;
mod timers;
mod timing;
mod view;

pub use outbox::{TooManyEdits, WrongNumber};
pub use presence::Presence;
pub use session::{Address, Session};
pub use state::{Action, ClientState, Event, SocketId, Target, Timer, Told};
pub use timing::Timing;
