//! The boards of one server as it listed them, packed: a million are in view at one time, and each as a [`BoardRow`]
//! with a name of its own would take three times the room.
//!
//! What a plan needs is kept, and nothing else: moves in progress, and who has attached, a wave reads by itself.

use crate::app::{BoardRow, BoardState};
use crate::ids::{BoardId, InstanceId};

/// One server's own list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardList {
    on: InstanceId,
    /// All names, one behind the other: shorter than 4 GB, because no control call answers as much.
    names: Box<str>,
    rows: Box<[Packed]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    epoch: u64,
    bytes: u64,
    clients: u32,
    /// Where its name begins and ends among the names.
    name_at: u32,
    name_end: u32,
    state: BoardState,
}

impl BoardList {
    pub fn new(on: InstanceId, rows: &[BoardRow]) -> Self {
        let mut names = String::with_capacity(rows.iter().map(|row| row.board.as_str().len()).sum());
        let place = |names: &str| u32::try_from(names.len()).unwrap_or(u32::MAX);
        let mut packed = Vec::with_capacity(rows.len());
        for row in rows {
            let name_at = place(&names);
            names.push_str(row.board.as_str());
            // More clients than can be counted here fit nowhere, as they did not before.
            let (clients, name_end) = (u32::try_from(row.clients).unwrap_or(u32::MAX), place(&names));
            let BoardRow { epoch, bytes, state, .. } = *row;
            packed.push(Packed { epoch, bytes, clients, name_at, name_end, state });
        }
        Self { on, names: names.into(), rows: packed.into() }
    }

    /// Whose it is.
    pub fn on(&self) -> &InstanceId {
        &self.on
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Located<'_>> {
        self.rows.iter().map(|row| Located { list: self, row })
    }

    /// Those that live here.
    pub fn owned(&self) -> impl Iterator<Item = Located<'_>> {
        self.iter().filter(|board| board.state().is_owned_here())
    }
}

/// A board where it is now. As small as it can be: a plan for a fleet has as many of them as there are boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<'a> {
    list: &'a BoardList,
    row: &'a Packed,
}

impl<'a> Located<'a> {
    pub fn on(self) -> &'a InstanceId {
        &self.list.on
    }

    pub fn name(self) -> &'a str {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.list.names.get(place(self.row.name_at)..place(self.row.name_end)).unwrap_or_default()
    }

    pub fn board(self) -> BoardId {
        BoardId::new(self.name())
    }

    pub fn epoch(self) -> u64 {
        self.row.epoch
    }

    pub fn state(self) -> BoardState {
        self.row.state
    }

    pub fn clients(self) -> u64 {
        self.row.clients.into()
    }

    pub fn bytes(self) -> u64 {
        self.row.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: BoardState, clients: u64) -> BoardRow {
        let board = BoardId::new(name);
        BoardRow { board, epoch: 3, state, clients, unsupported: 0, attached: 1, bytes: 512, moving: None }
    }

    #[test]
    fn what_a_plan_needs_is_as_it_was_listed() {
        let rows = [
            row("b-1", BoardState::Active, 4),
            row("größer", BoardState::Released, u64::from(u32::MAX) + 7),
            row("", BoardState::Sealed, 0),
        ];
        let list = BoardList::new(InstanceId::new("i-1"), &rows);
        let told = |it: Located<'_>| (it.name().to_owned(), it.epoch(), it.bytes(), it.state(), it.clients());
        let all: Vec<_> = list.iter().map(told).collect();
        assert_eq!(
            all,
            [
                ("b-1".to_owned(), 3, 512, BoardState::Active, 4),
                ("größer".to_owned(), 3, 512, BoardState::Released, u64::from(u32::MAX)),
                (String::new(), 3, 512, BoardState::Sealed, 0),
            ]
        );
        assert_eq!(list.owned().map(Located::name).collect::<Vec<_>>(), ["b-1", ""]);
        assert!(list.iter().all(|it| it.on() == list.on()) && list.len() == 3);
        assert!(BoardList::new(InstanceId::new("i-1"), &[]).is_empty());
    }

    #[test]
    fn a_million_of_them_fit_into_fifty_megabytes() {
        assert!(size_of::<Packed>() <= 32 && size_of::<Located<'_>>() <= 16);
    }
}
