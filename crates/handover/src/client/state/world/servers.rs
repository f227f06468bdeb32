//! The servers' half, as short as the contract allows.

use super::*;
use crate::wire::{Attached, BoardId, Go, Moved, Nack, Op, Sealed, Unsealed, Welcome};

impl World {
    pub(super) fn say(&mut self, socket: SocketId, message: ServerMessage) {
        if let Some(link) = self.links.get_mut(&socket) {
            link.down.push_back(Some(message));
        }
    }

    pub(super) fn say_all(&mut self, server: usize, message: &ServerMessage) {
        let served = self.links.values_mut().filter(|link| link.server == server && link.served);
        served.for_each(|link| link.down.push_back(Some(message.clone())));
    }

    fn send_away(&mut self, socket: SocketId) {
        let connect = self.owner.map(connect_to);
        if let Some(link) = self.links.get_mut(&socket) {
            (link.served, link.waits) = (false, false);
            link.down.push_back(Some(ServerMessage::Moved(Moved { connect })));
            link.down.push_back(None);
        }
    }

    /// The server finds that it lost the board, if it did.
    fn step_down(&mut self, at: usize) {
        let here = &self.servers[at];
        if here.holds.has_the_board() && (self.owner != Some(at) || self.epoch != here.epoch) {
            self.servers[at].holds = Holds::Nothing;
            let links = self.links.iter().filter(|(_, link)| link.server == at && link.served);
            let served: Vec<SocketId> = links.map(|(socket, _)| *socket).collect();
            for socket in served {
                self.send_away(socket);
            }
        }
    }

    pub(super) fn flush(&mut self, at: usize) {
        if self.plant != Plant::DoesNotFence {
            self.step_down(at);
        }
        if self.servers[at].holds.has_the_board() {
            self.durable.clone_from(&self.servers[at].log);
            let (cseq, seq) = (Cseq(count(&self.durable, ME)), Seq(number(self.durable.len())));
            if cseq > Cseq(0) {
                self.say_all(at, &ServerMessage::Ack(Ack { cseq, seq, durable: true }));
            }
        }
    }

    pub(super) fn take_over(&mut self, at: usize) {
        self.epoch += 1;
        self.owner = Some(at);
        let log = self.durable.clone();
        self.servers[at] = Server { holds: Holds::Active, epoch: self.epoch, log };
    }

    pub(super) fn apply(&mut self, at: usize, who: &'static str) {
        let here = &mut self.servers[at];
        let cseq = count(&here.log, who) + 1;
        here.log.push((who, cseq));
        let seq = Seq(number(here.log.len()));
        let update = Update { seq, client: client(who), cseq: Cseq(cseq), payload: payload() };
        self.say_all(at, &ServerMessage::Update(update));
        if who == ME {
            self.say_all(at, &ServerMessage::Ack(Ack { cseq: Cseq(cseq), seq, durable: false }));
        }
    }

    fn hello(&mut self, at: usize, socket: SocketId, last_seq: Option<Seq>, epoch: Option<Epoch>) {
        if self.owner.is_none() {
            self.take_over(at);
        }
        self.step_down(at);
        let here = &self.servers[at];
        if !here.holds.has_the_board() {
            self.send_away(socket);
            return;
        }
        let (seq, here_epoch, is_sealed) = (number(here.log.len()), here.epoch, here.holds == Holds::Sealed);
        let welcome = Welcome {
            board: BoardId::parse("b").unwrap(),
            client: client(ME),
            epoch: Epoch(here_epoch),
            seq: Seq(seq),
            last_cseq: Cseq(count(&self.durable, ME)),
            version: "1".to_owned(),
        };
        self.say(socket, ServerMessage::Welcome(welcome));
        self.links.get_mut(&socket).unwrap().served = true;
        if epoch == Some(Epoch(here_epoch)) {
            self.catch_up(at, socket, last_seq.unwrap().get());
        } else {
            self.say(socket, ServerMessage::Snapshot(Snapshot { seq: Seq(seq), state: payload() }));
        }
        if is_sealed {
            self.say(socket, ServerMessage::Sealed(Sealed { epoch: Epoch(here_epoch), seq: Seq(seq) }));
        }
    }

    fn catch_up(&mut self, at: usize, socket: SocketId, from: u64) {
        let rest: Vec<_> = (1..).zip(self.servers[at].log.clone()).filter(|(seq, _)| *seq > from).collect();
        for (seq, (who, cseq)) in rest {
            let (client, cseq) = (client(who), Cseq(cseq));
            self.say(
                socket,
                ServerMessage::Update(Update { seq: Seq(seq), client, cseq, payload: payload() }),
            );
        }
    }

    pub(super) fn hear(&mut self, socket: SocketId, message: ClientMessage) {
        let link = &self.links[&socket];
        let (at, served) = (link.server, link.served);
        let holds = self.servers[at].holds;
        match message {
            ClientMessage::Hello(hello) => self.hello(at, socket, hello.last_seq, hello.epoch),
            ClientMessage::Attach(attach) if holds == Holds::Standby => {
                self.links.get_mut(&socket).unwrap().waits = true;
                self.say(socket, ServerMessage::Attached(Attached { move_id: attach.move_id }));
            }
            ClientMessage::Attach(_) if holds == Holds::Active => self.go(at, socket),
            ClientMessage::Attach(_) => self.send_away(socket),
            ClientMessage::Op(op) if served && holds == Holds::Active => self.op(at, socket, &op),
            ClientMessage::Resume(resume) if served => {
                let seq = number(self.servers[at].log.len());
                if resume.from == Seq(0) {
                    let snapshot = Snapshot { seq: Seq(seq), state: payload() };
                    self.say(socket, ServerMessage::Snapshot(snapshot));
                } else {
                    self.catch_up(at, socket, resume.from.get());
                }
            }
            ClientMessage::Op(_) | ClientMessage::Resume(_) => {}
        }
    }

    fn op(&mut self, at: usize, socket: SocketId, op: &Op) {
        let last = count(&self.servers[at].log, ME);
        let twice = self.plant == Plant::AppliesTwice && op.cseq.get() == last;
        if op.cseq.get() == last + 1 || twice {
            self.apply(at, ME);
        } else if op.cseq.get() > last {
            self.say(socket, ServerMessage::Nack(Nack { expected: Cseq(last + 1) }));
        }
    }

    pub(super) fn go(&mut self, at: usize, socket: SocketId) {
        let here = &self.servers[at];
        let (epoch, seq) = (Epoch(here.epoch), Seq(number(here.log.len())));
        let last_cseq = Cseq(count(&self.durable, ME));
        self.say(socket, ServerMessage::Go(Go { epoch, seq, last_cseq }));
        let link = self.links.get_mut(&socket).unwrap();
        (link.served, link.waits) = (true, false);
    }

    pub(super) fn waiting(&self, at: usize) -> Vec<SocketId> {
        let links = self.links.iter().filter(|(_, link)| link.server == at && link.waits);
        links.map(|(socket, _)| *socket).collect()
    }

    pub(super) fn unseal(&mut self, at: usize) {
        self.epoch += 1;
        self.servers[at].epoch = self.epoch;
        self.servers[at].holds = Holds::Active;
        self.say_all(at, &ServerMessage::Unsealed(Unsealed { epoch: Epoch(self.epoch) }));
    }

    pub(super) fn crash(&mut self) {
        let at = self.rng.usize(0..2);
        self.crashes += 1;
        self.servers[at] = Server::empty();
        if self.owner == Some(at) {
            self.owner = None;
        }
        for link in self.links.values_mut().filter(|link| link.server == at) {
            (link.served, link.waits) = (false, false);
            link.up.clear();
            link.down.truncate(self.rng.usize(0..=link.down.len()));
            link.down.push_back(None);
        }
    }
}
