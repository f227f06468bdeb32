//! Who is connected to a board, and as what.

use std::collections::{BTreeMap, HashMap};

use crate::wire::{ClientId, Hello};

/// One websocket connection of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId(pub(crate) u64);

/// Whether a client keeps the contract's client rules (it asked for the subprotocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Handover,
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Joined before the board was ready for it.
    Waiting(Hello),
    /// Waits for `go`.
    Attached,
    Served,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) client: ClientId,
    pub(super) speaks: Speaks,
    pub(super) role: Role,
}

#[derive(Debug, Default)]
pub(super) struct Conns {
    by_id: BTreeMap<ConnId, Conn>,
    /// A client has one connection to a board on a server; the newest counts.
    by_client: HashMap<ClientId, ConnId>,
}

impl Conns {
    /// Adds a connection; returns the one of the same client that it takes the place of.
    pub(super) fn add(&mut self, id: ConnId, conn: Conn) -> Option<ConnId> {
        let replaced = self.by_client.insert(conn.client.clone(), id);
        if let Some(replaced) = replaced {
            self.by_id.remove(&replaced);
        }
        self.by_id.insert(id, conn);
        replaced
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self.by_id.remove(&id)?;
        if self.by_client.get(&conn.client) == Some(&id) {
            self.by_client.remove(&conn.client);
        }
        Some(conn)
    }

    pub(super) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.by_id.get(&id)
    }

    pub(super) fn of_client(&self, client: &ClientId) -> Option<ConnId> {
        self.by_client.get(client).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.by_id.iter().map(|(id, conn)| (*id, conn))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Conn)> {
        self.by_id.iter_mut().map(|(id, conn)| (*id, conn))
    }

    pub(super) fn served(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.iter().filter(|(_, conn)| conn.role == Role::Served)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> BTreeMap<ConnId, Conn> {
        self.by_client.clear();
        std::mem::take(&mut self.by_id)
    }

    /// Takes those out that joined before the board was ready.
    pub(super) fn take_waiting(&mut self) -> Vec<ConnId> {
        self.take_those(|conn| matches!(conn.role, Role::Waiting(_)))
    }

    /// Takes those out that do not keep the contract's rules.
    pub(super) fn take_plain(&mut self) -> Vec<ConnId> {
        self.take_those(|conn| conn.speaks == Speaks::Plain)
    }

    fn take_those(&mut self, are_meant: impl Fn(&Conn) -> bool) -> Vec<ConnId> {
        let meant: Vec<ConnId> = self.iter().filter(|(_, conn)| are_meant(conn)).map(|(id, _)| id).collect();
        for id in &meant {
            self.remove(*id);
        }
        meant
    }

    /// Those that do not keep the contract's rules.
    pub(super) fn plain(&self) -> u32 {
        let plain = self.iter().filter(|(_, conn)| conn.speaks == Speaks::Plain).count();
        u32::try_from(plain).unwrap_or(u32::MAX)
    }

    /// (clients, attached).
    pub(super) fn counts(&self) -> (u32, u32) {
        let attached = self.iter().filter(|(_, conn)| conn.role == Role::Attached).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        (count(self.len() - attached), count(attached))
    }
}
