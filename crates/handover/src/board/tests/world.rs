//! A small world: one board, two servers, three clients, a store, a daemon; time stands still unless it is
//! moved. The boards and the clients are the real ones.

mod daemon;
mod server;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::board::testing::client;
use crate::board::{ConnId, Moment};
use crate::client::{Action, ClientState, Event, SocketId, Target, Timer, Timing, Told};
use crate::store::memory::MemoryStore;
use crate::wire::{BoardId, ClientId, ClientMessage, Connect, Entry, Level, Payload, Seq, ServerMessage};

use daemon::Daemon;
use server::Server;

/// Ann and bob are there from the beginning; eve comes while the board is being moved.
const CLIENTS: [&str; 3] = ["ann", "bob", "eve"];
const EARLY: usize = 2;
const EDITS: u64 = 12;
const MAX_CRASHES: u32 = 3;
/// Far more than any healed world needs.
const MAX_HEALING: u32 = 20_000;

pub(super) fn the_board() -> BoardId {
    BoardId::parse("b").expect("an id")
}

pub(super) fn connect_of(server: usize) -> Connect {
    Connect::parse(&format!("server-{server}")).expect("a connect")
}

fn server_of(connect: &Connect) -> usize {
    usize::from(connect.as_str() == "server-1")
}

/// One websocket, seen from both ends; messages travel in order, as late as they like.
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

#[derive(Debug)]
struct User {
    state: ClientState,
    opening: Vec<(SocketId, Target)>,
    timers: BTreeMap<Timer, Moment>,
    made: u64,
    seen: Seq,
    joined_again: u32,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Moment,
    pub(super) store: MemoryStore,
    pub(super) servers: [Server; 2],
    pub(super) wires: Vec<Wire>,
    users: Vec<User>,
    daemon: Daemon,
    last_conn: u64,
    has_faults: bool,
    /// Everything that happened, for whoever reads a failure.
    story: Vec<Next>,
    pub(super) moves_done: u32,
    pub(super) crashes: u32,
    pub(super) lost_answers: u32,
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Come,
    Edit(usize),
    Open(usize, usize),
    Up(usize),
    Down(usize),
    Offer(usize),
    Answer(usize, usize),
    LoseAnswer(usize, usize),
    FailRequest(usize, usize),
    Time,
    Daemon,
    DaemonForgets,
    Crash(usize),
    Suspect(usize),
    Free,
    Heartbeat(usize),
    Patrol(usize),
}

impl World {
    pub(super) fn new(level: Level) -> Self {
        let mut world = Self {
            now: Moment::default(),
            store: MemoryStore::default(),
            servers: [0, 1].map(|number| Server::new(number, level)),
            wires: Vec::new(),
            users: Vec::new(),
            daemon: Daemon::default(),
            last_conn: 0,
            has_faults: true,
            story: Vec::new(),
            moves_done: 0,
            crashes: 0,
            lost_answers: 0,
        };
        world.heartbeat(0);
        world.heartbeat(1);
        for _ in 0..EARLY {
            world.come();
        }
        world
    }

    pub(super) fn without_faults(level: Level) -> Self {
        Self { has_faults: false, ..Self::new(level) }
    }

    /// One of the things that may happen now.
    pub(super) fn step(&mut self, choice: usize) {
        // Faults are possible at any time, and still not the rule.
        let is_faulty = self.has_faults && choice.is_multiple_of(8);
        let mut possible = self.possible();
        if is_faulty {
            self.add_faults(&mut possible);
        }
        let Some(next) = possible.get(choice / 8 % possible.len()) else { return };
        self.happen(*next);
    }

    fn possible(&self) -> Vec<Next> {
        let mut possible = vec![Next::Daemon, Next::Daemon];
        if !self.has_eve() && self.daemon.is_moving() {
            possible.push(Next::Come);
        }
        // Without faults nothing is ever so late that somebody gives up.
        if self.is_quiet() {
            possible.push(Next::Time);
        }
        for (number, user) in self.users.iter().enumerate() {
            if user.made < EDITS {
                possible.push(Next::Edit(number));
            }
            possible.extend((0..user.opening.len()).map(|at| Next::Open(number, at)));
        }
        for (number, wire) in self.wires.iter().enumerate() {
            if !wire.up.is_empty() {
                possible.push(Next::Up(number));
            }
            if !wire.down.is_empty() {
                possible.push(Next::Down(number));
            }
        }
        for (number, server) in self.servers.iter().enumerate() {
            possible.extend((0..server.requests.len()).map(|at| Next::Answer(number, at)));
            if !server.offers.is_empty() {
                possible.push(Next::Offer(number));
            }
        }
        possible
    }

    fn add_faults(&self, possible: &mut Vec<Next>) {
        possible.extend([Next::Time, Next::DaemonForgets, Next::Free]);
        for (number, server) in self.servers.iter().enumerate() {
            for at in 0..server.requests.len() {
                possible.extend([Next::LoseAnswer(number, at), Next::FailRequest(number, at)]);
            }
            possible.extend([Next::Suspect(number), Next::Heartbeat(number), Next::Patrol(number)]);
            if self.crashes < MAX_CRASHES {
                possible.push(Next::Crash(number));
            }
        }
    }

    /// Nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.wires.iter().all(|wire| wire.up.is_empty() && wire.down.is_empty())
            && self.servers.iter().all(|server| server.requests.is_empty() && server.offers.is_empty())
            && self.users.iter().all(|user| user.opening.is_empty())
    }

    /// Whoever came is where the board is, with one socket. Edits and answers may be under way.
    pub(super) fn has_everybody_arrived(&self) -> bool {
        self.users.iter().all(|user| user.opening.is_empty())
            && self.servers.iter().all(|server| server.offers.is_empty())
            && self.wires.len() == self.users.len()
            && self.wires.iter().all(|wire| wire.has_arrived && wire.conn != ENDED && !wire.is_left)
    }

    fn happen(&mut self, next: Next) {
        self.story.push(next);
        match next {
            Next::Come => self.come(),
            Next::Edit(user) => self.edit(user),
            Next::Open(user, at) => self.open(user, at),
            Next::Up(wire) => self.deliver_up(wire),
            Next::Down(wire) => self.deliver_down(wire),
            Next::Offer(server) => self.offer_next(server),
            Next::Answer(server, at) => self.answer(server, at),
            Next::LoseAnswer(server, at) => {
                self.lost_answers += 1;
                self.lose_answer(server, at);
            }
            Next::FailRequest(server, at) => self.fail_request(server, at),
            Next::Time => self.pass_time(),
            Next::Daemon => self.daemon_acts(),
            Next::DaemonForgets => self.daemon = self.daemon.forgotten(),
            Next::Crash(server) => {
                self.crashes += 1;
                self.crash(server);
            }
            Next::Suspect(server) => self.suspect(server),
            Next::Free => self.free(),
            Next::Heartbeat(server) => self.heartbeat(server),
            Next::Patrol(server) => {
                self.apply(server, |board, _, fx| board.doubt(fx));
            }
        }
        self.wires.retain(Wire::is_alive);
    }

    fn come(&mut self) {
        let (state, actions) = ClientState::start(client(CLIENTS[self.users.len()]), Timing::default());
        let (opening, timers) = (Vec::new(), BTreeMap::new());
        self.users.push(User { state, opening, timers, made: 0, seen: Seq::ZERO, joined_again: 0 });
        self.carry_out(self.users.len() - 1, actions);
    }

    pub(super) fn has_eve(&self) -> bool {
        self.users.len() == CLIENTS.len()
    }

    fn edit(&mut self, user: usize) {
        let payload = Payload::of(&self.users[user].made).expect("JSON");
        self.users[user].made += 1;
        let (_, actions) = self.users[user].state.edit(payload).expect("there is room");
        self.carry_out(user, actions);
    }

    fn open(&mut self, user: usize, at: usize) {
        let (socket, target) = self.users[user].opening.remove(at);
        let server = match &target {
            // The front door leads anywhere.
            Target::FrontDoor => usize::try_from(self.last_conn % 2).expect("0 or 1"),
            Target::At(connect) => server_of(connect),
        };
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let (up, down) = (VecDeque::new(), VecDeque::new());
        self.wires.push(Wire {
            client: user,
            socket,
            server,
            conn,
            up,
            down,
            has_arrived: false,
            is_left: false,
        });
        self.tell(user, Event::Opened(socket));
    }

    fn deliver_down(&mut self, wire: usize) {
        let Some(said) = self.wires[wire].down.pop_front() else { return };
        let (user, socket) = (self.wires[wire].client, self.wires[wire].socket);
        if self.wires[wire].is_left {
            return;
        }
        match said {
            Down::Say(message) => self.tell(user, Event::Message(socket, message)),
            Down::Closed(code) => self.tell(user, Event::Closed { socket, code: Some(code) }),
        }
    }

    fn tell(&mut self, user: usize, event: Event) {
        let actions = self.users[user].state.on(event);
        self.carry_out(user, actions);
    }

    fn carry_out(&mut self, user: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Open { socket, target } => self.users[user].opening.push((socket, target)),
                Action::Send { socket, message } => self.say(user, socket, Up::Say(message)),
                Action::Close(socket) => {
                    self.users[user].opening.retain(|(opening, _)| *opening != socket);
                    self.say(user, socket, Up::Bye);
                    if let Some(wire) = self.wire_of(user, socket) {
                        wire.is_left = true;
                    }
                }
                Action::Set(timer, wait) => {
                    let due = self.now.after(wait);
                    self.users[user].timers.insert(timer, due);
                }
                Action::Clear(timer) => {
                    self.users[user].timers.remove(&timer);
                }
                Action::Tell(told) => self.heard(user, &told),
            }
        }
    }

    fn wire_of(&mut self, user: usize, socket: SocketId) -> Option<&mut Wire> {
        self.wires.iter_mut().find(|wire| wire.client == user && wire.socket == socket)
    }

    fn say(&mut self, user: usize, socket: SocketId, up: Up) {
        if let Some(wire) = self.wire_of(user, socket) {
            wire.up.push_back(up);
        }
    }

    fn heard(&mut self, user: usize, told: &Told) {
        match told {
            Told::Durable(cseq) => {
                let name = client(CLIENTS[user]);
                let kept =
                    self.log().iter().filter(|entry| entry.client == name && entry.cseq <= *cseq).count();
                assert_eq!(
                    u64::try_from(kept).ok(),
                    Some(cseq.get()),
                    "{name} was told that {cseq} is durable; {:?}",
                    self.story
                );
            }
            Told::Update(update) => {
                assert_eq!(update.seq, self.users[user].seen.next(), "updates come without holes");
                self.users[user].seen = update.seq;
            }
            Told::Snapshot(snapshot) => self.users[user].seen = snapshot.seq,
            Told::Joined { again, .. } => self.users[user].joined_again = *again,
            Told::Broken(wrong) => panic!("a server told {} nonsense: {wrong:?}", CLIENTS[user]),
            Told::Applied(_)
            | Told::Attached(_)
            | Told::Sealed(_)
            | Told::Switched { .. }
            | Told::Unsealed(_)
            | Told::MoveGivenUp(_)
            | Told::SentAway
            | Told::Lost { .. }
            | Told::Left { .. } => {}
        }
    }

    /// To the next moment at which something is due; then it happens.
    fn pass_time(&mut self) {
        let boards = self.servers.iter().filter_map(|server| server.board.as_ref()?.next_wake());
        let timers = self.users.iter().flat_map(|user| user.timers.values().copied());
        let Some(due) = boards.chain(timers).min() else {
            self.now = self.now.after(Duration::from_millis(100));
            return;
        };
        self.now = self.now.max(due);
        for server in 0..self.servers.len() {
            self.wake(server);
        }
        self.ping();
        for user in 0..self.users.len() {
            let due: Vec<Timer> = self.users[user].timers_due(self.now);
            for timer in due {
                if self.users[user].timers.remove(&timer).is_some() {
                    self.tell(user, Event::Due(timer));
                }
            }
        }
    }

    /// A server that is there pings more often than a client loses patience.
    fn ping(&mut self) {
        let is_open = |wire: &&Wire| wire.conn != ENDED && !wire.is_left;
        let open: Vec<_> = self.wires.iter().filter(is_open).map(|wire| (wire.client, wire.socket)).collect();
        for (user, socket) in open {
            self.tell(user, Event::Alive(socket));
        }
    }

    /// No more faults, no more moves: everything that is under way arrives.
    pub(super) fn heal(&mut self) {
        self.has_faults = false;
        for server in 0..self.servers.len() {
            self.heartbeat(server);
        }
        for turn in 0..MAX_HEALING {
            if self.is_settled() {
                return;
            }
            // Fair: whoever has something to do gets to do it.
            let busy: Vec<Next> = self
                .possible()
                .into_iter()
                .filter(|next| !matches!(next, Next::Daemon | Next::Time | Next::Edit(_) | Next::Come))
                .collect();
            let turn = usize::try_from(turn).expect("small");
            if let Some(next) = busy.get(turn % busy.len().max(1)) {
                self.happen(*next);
                continue;
            }
            self.happen(Next::Time);
            for server in 0..self.servers.len() {
                self.happen(Next::Patrol(server));
            }
        }
        panic!("it does not settle: {:?}\n{:#?}", self.story, (&self.servers, &self.users, &self.wires));
    }

    fn is_settled(&self) -> bool {
        let end = self.log().last().map_or(Seq::ZERO, |entry| entry.seq);
        self.users.iter().all(|user| user.state.unacknowledged() == 0 && user.seen == end)
    }

    fn log(&self) -> Vec<Entry> {
        self.store.log(&the_board())
    }

    pub(super) fn assert_everything_arrived(&self) {
        let log = self.log();
        for (at, entry) in (1_u64..).zip(&log) {
            assert_eq!(entry.seq, Seq(at), "the log has no holes");
        }
        for (name, user) in CLIENTS.iter().zip(&self.users) {
            let name: ClientId = client(name);
            let made: Vec<u64> = log.iter().filter(|e| e.client == name).map(|e| e.cseq.get()).collect();
            assert_eq!(made, (1..=user.made).collect::<Vec<u64>>(), "each edit of {name} once, in order");
        }
    }

    pub(super) fn assert_nobody_was_disconnected(&self) {
        for user in &self.users {
            assert_eq!(user.joined_again, 0, "{:?}", self.story);
        }
    }
}

impl User {
    fn timers_due(&self, now: Moment) -> Vec<Timer> {
        self.timers.iter().filter(|(_, due)| **due <= now).map(|(timer, _)| *timer).collect()
    }
}

impl Wire {
    /// Worth keeping: something is still on its way, or neither end has closed it.
    fn is_alive(&self) -> bool {
        self.conn != ENDED || !(self.is_left || self.down.is_empty())
    }
}

/// The server's end of a wire is closed.
pub(super) const ENDED: ConnId = ConnId(0);
