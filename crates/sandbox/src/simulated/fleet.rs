//! The servers and the ownership table as a value: no clock, no socket.
//!
//! Server and table each keep who owns a board, and each changes on its own, as in an application: a move is written
//! into the table and the new server's list when it is activated, and the old one's list follows when that server hears
//! of the move's end, or when its seal's time is over. They are read against each other at the end (`tally`).

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use segue_handover::auth::Guard;
use segue_handover::wire::{
    BoardRow, BoardState, BoardsPage, BoardsQuery, Caps, Connect, Epoch, Formats, Level, Load, MAX_PAGE,
    OpenRequest, OwnedBoard, OwnersPage, OwnersQuery, Seq, ServerId, ServerState, ServerStatus,
};

use super::board::{Board, Row};
use super::server::{How, Life, Server};
use super::table::Table;
use crate::world::At;

/// A server's place in the order of first starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerNo(u32);

impl ServerNo {
    pub(super) const fn at(place: u32) -> Self {
        Self(place)
    }
}

/// What a board is said to take in memory.
const BYTES: u64 = 4_096;
/// What a server is said to be able to carry.
const CAPS: Caps = Caps { boards: 10_000, clients: 100_000, bytes: 1 << 33 };

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) table: Table,
    pub(super) servers: Vec<Server>,
    /// Those that run.
    by_address: HashMap<Ipv4Addr, ServerNo>,
    by_id: HashMap<ServerId, ServerNo>,
    front_door: String,
    pub(super) clients_per_board: u32,
}

impl Fleet {
    pub(super) fn new(front_door: String, clients_per_board: u32) -> Self {
        let (by_address, by_id) = (HashMap::new(), HashMap::new());
        Self {
            table: Table::default(),
            servers: Vec::new(),
            by_address,
            by_id,
            front_door,
            clients_per_board,
        }
    }

    /// A server starts, for the first time or again. One that was there before serves what the table gives it.
    pub(super) fn begin(&mut self, mut server: Server) -> ServerNo {
        let next = ServerNo(u32::try_from(self.servers.len()).unwrap_or(u32::MAX));
        let no = *self.by_id.entry(server.id.clone()).or_insert(next);
        self.by_address.insert(server.address, no);
        server.held = self.table.owned(no, Board(0)..).collect();
        match self.server_mut(no) {
            Some(before) => *before = server,
            None => self.servers.push(server),
        }
        no
    }

    /// A server is gone, and its list with it. What it owned is in the table alone.
    pub(super) fn end_server(&mut self, no: ServerNo) {
        let Some(server) = self.server_mut(no) else { return };
        server.life = Life::Ended;
        server.held.clear();
        server.leaving.clear();
        server.standbys.clear();
        let address = server.address;
        if self.by_address.get(&address) == Some(&no) {
            self.by_address.remove(&address);
        }
    }

    /// New boards, spread over the servers that run.
    pub(super) fn seed(&mut self, boards: u32) {
        let living: Vec<_> = self.by_address.values().copied().collect::<BTreeSet<_>>().into_iter().collect();
        for (_, owner) in (0..boards).zip(living.iter().cycle()) {
            let board = self.table.open(*owner);
            if let Some(server) = self.server_mut(*owner) {
                server.held.insert(board);
            }
        }
    }

    pub(super) fn at_address(&self, address: Ipv4Addr) -> Option<ServerNo> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<ServerNo> {
        self.by_id.get(&ServerId::parse(id).ok()?).copied()
    }

    pub(super) fn guard(&self, no: ServerNo) -> Option<Arc<Guard>> {
        Some(Arc::clone(&self.server(no)?.guard))
    }

    pub(super) fn server(&self, no: ServerNo) -> Option<&Server> {
        self.servers.get(usize::try_from(no.0).ok()?)
    }

    pub(super) fn server_mut(&mut self, no: ServerNo) -> Option<&mut Server> {
        self.servers.get_mut(usize::try_from(no.0).ok()?)
    }

    pub(super) fn row(&self, board: Board) -> Option<&Row> {
        self.table.row(board)
    }

    /// Lets a server's own time pass: what was sealed for too long it takes back, by its own compare-and-set.
    pub(super) fn lapse(&mut self, no: ServerNo, now: At) {
        let retaken = self.server_mut(no).map(|server| server.lapse(now)).unwrap_or_default();
        for board in retaken {
            self.retake(no, board);
        }
    }

    /// A server that sealed a board wants it back. Where the table has given it to another one, it lets it go.
    pub(super) fn retake(&mut self, no: ServerNo, board: Board) {
        if self.table.retake(board, no).is_none()
            && let Some(server) = self.server_mut(no)
        {
            server.held.remove(&board);
        }
    }

    /// Where clients find this server's boards; `{board}` stands for the board.
    pub(super) fn connect(&self, server: &Server) -> Connect {
        let slot = server.route.as_ref().map(|route| format!("srv={route}&")).unwrap_or_default();
        let text = format!("{}/board/{}?{slot}at={}", self.front_door, Connect::BOARD, server.id);
        Connect::parse(&text).expect("an URL of ids is printable")
    }

    pub(super) fn status(&mut self, no: ServerNo, now: At) -> Option<ServerStatus> {
        self.lapse(no, now);
        let server = self.server(no)?;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let clients = |boards: usize| count(boards).saturating_mul(self.clients_per_board.into());
        let attached = |board: &Board| u64::from(self.attached(server, *board, now));
        Some(ServerStatus {
            server: server.id.clone(),
            version: server.version.clone(),
            formats: Formats { reads: vec!["notes-1".to_owned()], writes: "notes-1".to_owned() },
            level: Level::Warm,
            generation: server.guard.generation(),
            state: server.state,
            boards: count(server.held.len()),
            standbys: count(server.standbys.len()),
            clients: clients(server.held.len()),
            attached: server.standbys.keys().map(attached).sum(),
            route: server.route.clone(),
            connect: Some(self.connect(server)),
            caps: CAPS,
            load: Load { cpu: None, rss: None, edit_p99_ms: None, load_p99_ms: None, attach_queue: 0 },
            attach: server.attach.figures(),
        })
    }

    pub(super) fn close(&mut self, no: ServerNo) {
        if let Some(server) = self.server_mut(no) {
            server.state = ServerState::Closed;
        }
    }

    pub(super) fn open(&mut self, no: ServerNo, request: &OpenRequest) {
        let Some(server) = self.server_mut(no) else { return };
        server.state = ServerState::Serving;
        if let Some(route) = &request.route {
            server.route = Some(route.clone());
        }
        if let Some(rate) = request.attach_rate_per_s {
            server.attach.limit(rate.get());
        }
    }

    /// Boards and standbys, in the order of their ids.
    pub(super) fn boards_page(&mut self, no: ServerNo, query: &BoardsQuery, now: At) -> BoardsPage {
        self.lapse(no, now);
        let Some(server) = self.server(no) else { return BoardsPage { boards: Vec::new(), next: None } };
        let (from, limit) = (after(query.cursor.as_ref()), limit(query.limit));
        let mut boards: Vec<Board> = server.held.range(from..).copied().take(limit).collect();
        boards.extend(server.standbys.range(from..).map(|(board, _)| *board).take(limit));
        boards.sort_unstable();
        boards.truncate(limit);
        // A full page may be the last one; then the next is empty.
        let next = boards.last().filter(|_| boards.len() == limit).map(|board| board.id());
        let rows = boards.into_iter().filter_map(|board| self.board_row(server, board, now)).collect();
        BoardsPage { boards: rows, next }
    }

    fn board_row(&self, server: &Server, board: Board, now: At) -> Option<BoardRow> {
        let row = self.row(board)?;
        let (state, move_id) = match (server.standbys.get(&board), server.leaving.get(&board)) {
            (Some(standby), _) => (BoardState::Standby, Some(standby.move_id.clone())),
            (None, Some(leaving)) => {
                let state = match leaving.how {
                    How::Offered { .. } => BoardState::Offered,
                    How::Sealed { .. } => BoardState::Sealed,
                };
                (state, Some(leaving.move_id.clone()))
            }
            (None, None) => (BoardState::Active, None),
        };
        let clients = if state == BoardState::Standby { 0 } else { self.clients_per_board };
        let attached = self.attached(server, board, now);
        // Whoever has sealed it knows no later epoch than that one.
        let epoch = server.leaving.get(&board).map_or(row.epoch, |leaving| leaving.epoch);
        let (epoch, seq) = (Epoch(epoch), Seq::ZERO);
        let board = board.id();
        Some(BoardRow {
            board,
            epoch,
            state,
            clients,
            unsupported: 0,
            attached,
            bytes: BYTES,
            ops_per_s: 0.0,
            seq,
            move_id,
        })
    }

    /// Clients of a board that wait here for its move.
    pub(super) fn attached(&self, server: &Server, board: Board, now: At) -> u32 {
        let coming = server.standbys.get(&board).and_then(|standby| standby.all_here_at);
        let missing = |at| server.attach.missing(at, self.clients_per_board, now);
        coming.map_or(0, |at| self.clients_per_board.saturating_sub(missing(at)))
    }

    /// What the ownership table gives to a server, whether it runs or not.
    pub(super) fn owners_page(&self, query: &OwnersQuery) -> OwnersPage {
        let server = self.by_id.get(&query.server);
        let (from, limit) = (after(query.cursor.as_ref()), limit(query.limit));
        let boards = server.into_iter().flat_map(|no| self.table.owned(*no, from..).take(limit));
        let epoch = |board| self.row(board).map(|row| Epoch(row.epoch));
        let boards: Vec<_> =
            boards.filter_map(|board| Some(OwnedBoard { board: board.id(), epoch: epoch(board)? })).collect();
        let next = boards.last().filter(|_| boards.len() == limit).map(|owned| owned.board.clone());
        OwnersPage { boards, next }
    }

    /// The same names as the demo application's page, as far as there is something to tell.
    pub(super) fn metrics(&self, no: ServerNo) -> Option<String> {
        let server = self.server(no)?;
        let boards = u64::try_from(server.held.len()).unwrap_or(u64::MAX);
        let values = [
            ("rtb_spaces_count", boards),
            ("app_clients", boards.saturating_mul(self.clients_per_board.into())),
            ("app_errors_total", 0),
            ("process_start_time_seconds", server.started_at.ms() / 1_000),
        ];
        let mut text = String::new();
        for (name, value) in values {
            writeln!(text, "{name} {value}").expect("a String takes whatever is written");
        }
        Some(text)
    }
}

/// The first board of a page; ids that no board has come before or after all.
fn after(cursor: Option<&segue_handover::wire::BoardId>) -> Board {
    cursor.and_then(Board::of).map_or(Board(0), |last| Board(last.0.saturating_add(1)))
}

fn limit(asked: Option<std::num::NonZeroU32>) -> usize {
    let limit = asked.map_or(MAX_PAGE, |limit| limit.get().min(MAX_PAGE));
    usize::try_from(limit).unwrap_or(usize::MAX)
}
