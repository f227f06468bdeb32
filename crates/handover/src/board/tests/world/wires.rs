//! Websockets, seen from both ends; messages travel in order, as late as they like.

use std::collections::VecDeque;

use super::World;
use crate::board::ConnId;
use crate::client::SocketId;
use crate::wire::{ClientMessage, ServerMessage};

/// The server's end of a wire is closed.
pub(super) const ENDED: ConnId = ConnId(0);

/// One websocket.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) socket: SocketId,
    pub(super) server: usize,
    pub(super) conn: ConnId,
    pub(super) up: VecDeque<Up>,
    pub(super) down: VecDeque<Down>,
    pub(super) has_arrived: bool,
    /// The client has closed it.
    pub(super) is_left: bool,
}

#[derive(Debug)]
pub(super) enum Up {
    Say(ClientMessage),
    Bye,
}

#[derive(Debug)]
pub(super) enum Down {
    Say(ServerMessage),
    Closed(u16),
}

impl World {
    pub(super) fn wire_of(&mut self, user: usize, socket: SocketId) -> Option<&mut Wire> {
        self.wires.iter_mut().find(|wire| wire.client == user && wire.socket == socket)
    }

    pub(super) fn say(&mut self, user: usize, socket: SocketId, up: Up) {
        if let Some(wire) = self.wire_of(user, socket) {
            wire.up.push_back(up);
        }
    }
}

impl Wire {
    /// Worth keeping: something is still on its way, or neither end has closed it.
    pub(super) fn is_alive(&self) -> bool {
        self.conn != ENDED || !(self.is_left || self.down.is_empty())
    }
}
