//! The slow half: new servers get ready, old servers tell their clients, and each board is switched as soon as
//! its clients are there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use segue_domain::ids::{InstanceId, MoveId};
use segue_domain::moves::Move;
use tokio::time::Instant;

use super::sides::Lists;
use super::switch::Ready;
use super::{Carrying, item, standing};
use crate::outside::Call;
use crate::ports::{AttachPlan, CallError, ItemOutcome, MoveItem, Prepared, StandbyTerms};
use crate::retry::Repeat;

const PREPARE: Call = Call::new("boards", "prepare");
const OFFER: Call = Call::new("boards", "offer");

/// A new server that has got a board ready.
#[derive(Debug)]
struct Standby {
    connect: String,
    /// When it lets go of the board by itself, or later: the last try of the call was its beginning at the earliest.
    ends: Instant,
}

/// A board whose clients are on their way.
#[derive(Debug, Clone, Copy)]
struct Attaching<'a> {
    one: &'a Move,
    /// Clients on the old server that can attach, when they were last counted, if they were: until then nobody may be
    /// taken for all of them.
    clients: Option<u64>,
    standby_ends: Instant,
}

/// What a poll says of one board.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Its clients are there, or the deadline is over and it goes without the late ones.
    Switch {
        clients: u64,
    },
    Wait,
    CallOff(String),
}

impl<'a> Carrying<'a> {
    pub(super) async fn attach_and_switch(&self, fresh: Vec<&'a Move>) -> Result<(), CallError> {
        let prepared = self.prepare(fresh).await;
        let deadline = Instant::now() + self.effect.attach_deadline;
        let mut waiting = self.offer(prepared).await;
        while !waiting.is_empty() {
            self.still_ours()?;
            let polled = Instant::now();
            waiting = self.poll(waiting, deadline).await;
            if !waiting.is_empty() {
                // While some were switched others have come: they hardly wait a pause more.
                let pause = self.outside.limits.attach_poll;
                tokio::time::sleep_until((polled + pause).max(Instant::now() + pause / 4)).await;
            }
        }
        Ok(())
    }

    /// New servers get the boards ready: one call for each server and chunk.
    async fn prepare(&self, fresh: Vec<&'a Move>) -> Vec<(&'a Move, Standby)> {
        let by_server = grouped(&fresh, |one| &one.to);
        let calls = self.chunks(&by_server).map(|(to, moves)| self.prepare_at(to, moves));
        let answers: BTreeMap<MoveId, ItemOutcome<Standby>> =
            join_all(calls).await.into_iter().flatten().collect();
        self.sort_answers(fresh, answers, "could not get it ready")
    }

    async fn prepare_at(&self, to: &InstanceId, moves: &[&Move]) -> Vec<(MoveId, ItemOutcome<Standby>)> {
        let items: Vec<MoveItem> = moves.iter().map(|one| item(one)).collect();
        let ttl = self.standby_ttl();
        let terms = StandbyTerms { ttl, attach_rate_per_s: self.effect.attach_rate_per_s };
        let boards = &self.outside.ports.boards;
        let mut asked = Instant::now();
        let answer = match self.sides.target(to) {
            Ok(at) => {
                let prepare = || {
                    asked = Instant::now();
                    boards.prepare(&at, &items, terms)
                };
                let answer = self.outside.write(PREPARE, Repeat::KnownById, prepare);
                answer.await.map_err(|error| error.what)
            }
            Err(why) => Err(why),
        };
        let standby = |ready: Prepared| Standby { connect: ready.connect, ends: asked + ttl };
        let answers = answer.map(|items| items.into_iter().map(|item| item.map(standby)).collect());
        paired(moves, answers)
    }

    /// Long enough for the attach and the switch, short enough to clean up after a daemon that died.
    fn standby_ttl(&self) -> Duration {
        self.effect.attach_deadline + self.effect.seal_ttl * 2 + self.outside.limits.write_timeout
    }

    /// Old servers tell their clients: one call for each server and chunk.
    async fn offer(&self, prepared: Vec<(&'a Move, Standby)>) -> Vec<Attaching<'a>> {
        let moves: Vec<&'a Move> = prepared.iter().map(|(one, _)| *one).collect();
        let by_server = grouped(&moves, |one| &one.from);
        let standbys: BTreeMap<&MoveId, &Standby> =
            prepared.iter().map(|(one, standby)| (&one.id, standby)).collect();
        let calls = self.chunks(&by_server).map(|(from, moves)| self.offer_at(from, moves, &standbys));
        let answers: BTreeMap<MoveId, ItemOutcome<()>> =
            join_all(calls).await.into_iter().flatten().collect();
        let offered = self.sort_answers(moves, answers, "could not offer it to its clients");
        let attaching = |(one, ()): (&'a Move, ())| {
            let standby_ends = standbys.get(&one.id)?.ends;
            Some(Attaching { one, clients: None, standby_ends })
        };
        offered.into_iter().filter_map(attaching).collect()
    }

    async fn offer_at(
        &self,
        from: &InstanceId,
        moves: &[&Move],
        standbys: &BTreeMap<&MoveId, &Standby>,
    ) -> Vec<(MoveId, ItemOutcome<()>)> {
        let plans: Vec<AttachPlan> = moves
            .iter()
            .map(|one| AttachPlan {
                item: item(one),
                connect: standbys.get(&one.id).map(|it| it.connect.clone()).unwrap_or_default(),
                rate_per_s: self.effect.attach_rate_per_s,
                // Whoever has attached by the deadline waits there through the switch that it brings.
                deadline: self.standby_ttl(),
            })
            .collect();
        let boards = &self.outside.ports.boards;
        let answer = match self.sides.target(from) {
            Ok(at) => {
                let answer = self.outside.write(OFFER, Repeat::KnownById, || boards.offer(&at, &plans));
                answer.await.map_err(|error| error.what)
            }
            Err(why) => Err(why),
        };
        paired(moves, answer)
    }

    /// Looks once who has attached, switches what can be switched, and answers what is still to wait for.
    async fn poll(&self, waiting: Vec<Attaching<'a>>, deadline: Instant) -> Vec<Attaching<'a>> {
        let is_last = Instant::now() >= deadline;
        let old_servers: BTreeSet<&InstanceId> = waiting.iter().map(|it| &it.one.from).collect();
        let new_servers: BTreeSet<&InstanceId> = waiting.iter().map(|it| &it.one.to).collect();
        // Whoever comes or goes between the two readings may stand for somebody who is still on his way: he attaches late.
        let (old, new) =
            tokio::join!(self.sides.read(old_servers.into_iter()), self.sides.read(new_servers.into_iter()));
        let (mut ready, mut left) = (Vec::new(), Vec::new());
        for mut it in waiting {
            if let Ok(Some(row)) = old.row(&it.one.from, &it.one.board) {
                it.clients = Some(row.followers());
            }
            match turn(&it, &new, is_last) {
                Turn::Switch { clients } => {
                    ready.push(Ready { one: it.one, clients, standby_ends: Some(it.standby_ends) });
                }
                Turn::Wait => left.push(it),
                Turn::CallOff(why) => self.called_off(it.one, why),
            }
        }
        self.switch_all(ready).await;
        left
    }

    /// Keeps the moves whose answer was yes; the others are called off with the answer.
    fn sort_answers<T>(
        &self,
        moves: Vec<&'a Move>,
        mut answers: BTreeMap<MoveId, ItemOutcome<T>>,
        what: &str,
    ) -> Vec<(&'a Move, T)> {
        let mut good = Vec::with_capacity(moves.len());
        for one in moves {
            match answers.remove(&one.id) {
                Some(Ok(answer)) => good.push((one, answer)),
                Some(Err(why)) => self.called_off(one, format!("the server {what}: {why}")),
                None => self.called_off(one, format!("the server {what}: it was not in the answer")),
            }
        }
        good
    }

    fn chunks<'m>(
        &self,
        by_server: &'m BTreeMap<&'a InstanceId, Vec<&'a Move>>,
    ) -> impl Iterator<Item = (&'a InstanceId, &'m [&'a Move])> {
        let size = self.outside.limits.items_at_once.max(1);
        by_server.iter().flat_map(move |(id, moves)| moves.chunks(size).map(move |chunk| (*id, chunk)))
    }
}

fn turn(it: &Attaching<'_>, new: &Lists, is_last: bool) -> Turn {
    match new.row(&it.one.to, &it.one.board) {
        Ok(Some(row)) if standing::is_standby(it.one, Some(row)) => {
            let all_are_there = it.clients.is_some_and(|clients| row.attached >= clients);
            match all_are_there || is_last {
                // Where nobody was counted, those who came are known to have moved.
                true => Turn::Switch { clients: it.clients.unwrap_or(row.attached) },
                false => Turn::Wait,
            }
        }
        // Still loading, or the server did not answer this time.
        Ok(Some(_)) | Err(_) if !is_last => Turn::Wait,
        Ok(Some(row)) => Turn::CallOff(format!("the new server was not ready in time: {:?}", row.state)),
        Ok(None) => Turn::CallOff("the new server dropped it".to_owned()),
        Err(why) => Turn::CallOff(format!("the new server does not answer: {why}")),
    }
}

fn grouped<'a>(moves: &[&'a Move], by: fn(&Move) -> &InstanceId) -> BTreeMap<&'a InstanceId, Vec<&'a Move>> {
    let mut groups: BTreeMap<&'a InstanceId, Vec<&'a Move>> = BTreeMap::new();
    for one in moves {
        groups.entry(by(one)).or_default().push(one);
    }
    groups
}

/// Each move with its answer; all with the same one when the whole call failed.
fn paired<T>(moves: &[&Move], answer: Result<Vec<ItemOutcome<T>>, String>) -> Vec<(MoveId, ItemOutcome<T>)> {
    let ids = moves.iter().map(|one| one.id.clone());
    match answer {
        Ok(items) => ids.zip(items).collect(),
        Err(why) => ids.map(|id| (id, Err(why.clone()))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::app::{BoardRow, BoardState};
    use segue_domain::ids::BoardId;

    use super::*;

    #[test]
    fn clients_whom_nobody_counted_are_waited_for_and_then_those_who_came_are_the_clients() {
        let (id, board) = (MoveId::new("m"), BoardId::new("b"));
        let (from, to) = (InstanceId::new("i-old"), InstanceId::new("i-new"));
        let row = BoardRow {
            board: board.clone(),
            epoch: 4,
            state: BoardState::Standby,
            clients: 0,
            unsupported: 0,
            attached: 2,
            bytes: 0,
            moving: Some(id.clone()),
        };
        let new = Lists::of(vec![(to.clone(), Ok(vec![row]))]);
        let one = Move { id, board, epoch: 4, from, to };
        let it = Attaching { one: &one, clients: None, standby_ends: Instant::now() };
        assert_eq!(turn(&it, &new, false), Turn::Wait);
        assert_eq!(turn(&it, &new, true), Turn::Switch { clients: 2 });
    }
}
