//! The servers of the large world by the control contract, and Prometheus that counts them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::{AppState, AppStatus, BoardCount, BoardRow, BoardState};
use segue_domain::event::Vital;
use segue_domain::ids::{BoardId, EffectId, InstanceId, MoveId, Route};
use segue_domain::reading::{Reading, Why};
use segue_engine::fakes::Law;
use segue_engine::ports::{
    AttachPlan, BoardMetrics, Boards, CallError, EndOf, ItemOutcome, MoveItem, Prepared, Sealed,
    StandbyTerms, Target,
};

use super::server::{Held, SCRAPE_MS, Server};
use super::world::{BEGAN_AT_MS, CLIENTS, CONTROL_MS, PROMETHEUS_MS, State, World};

impl World {
    /// One control call that changes something.
    async fn tell<T>(
        &self,
        name: &'static str,
        at: &Target,
        change: impl FnOnce(&mut State) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.other(name, CONTROL_MS, false).await;
        let mut state = self.now();
        let server = state.server(&at.instance)?;
        if at.generation < server.generation {
            return Err(CallError::refused("a later generation was seen"));
        }
        server.generation = at.generation;
        change(&mut state)
    }

    async fn ask<T>(
        &self,
        name: &'static str,
        at: &Target,
        read: impl FnOnce(&State, &Server) -> T,
    ) -> Result<T, CallError> {
        self.other(name, CONTROL_MS, false).await;
        let mut state = self.now();
        state.server(&at.instance)?;
        let server = state.servers.get(&at.instance).ok_or_else(|| silent(&at.instance))?;
        Ok(read(&state, server))
    }
}

#[async_trait]
impl Boards for World {
    async fn status(&self, at: &Target) -> Result<AppStatus, CallError> {
        self.ask("status", at, |_, server| server.status()).await
    }

    async fn boards(&self, at: &Target) -> Result<Vec<BoardRow>, CallError> {
        self.ask("list of boards", at, |state, server| server.list(state.now_ms)).await
    }

    async fn owned_by(&self, at: &Target, dead: &InstanceId) -> Result<u64, CallError> {
        self.ask("owned_by", at, |state, _| state.servers.get(dead).map_or(0, |server| server.owned)).await
    }

    async fn open(&self, at: &Target, _route: Option<&Route>) -> Result<(), CallError> {
        let open = |state: &mut State| {
            state.server(&at.instance)?.app = AppState::Serving;
            Ok(())
        };
        self.tell("open", at, open).await
    }

    async fn close(&self, at: &Target) -> Result<(), CallError> {
        let close = |state: &mut State| {
            state.server(&at.instance)?.app = AppState::Closed;
            state.watch_capacity("a server was closed");
            Ok(())
        };
        self.tell("close", at, close).await
    }

    async fn drain(&self, _at: &Target, _id: &EffectId, _rate_per_s: u32) -> Result<(), CallError> {
        Err(CallError::bug("every server can hand its boards over"))
    }

    async fn prepare(
        &self,
        at: &Target,
        items: &[MoveItem],
        _terms: StandbyTerms,
    ) -> Result<Vec<ItemOutcome<Prepared>>, CallError> {
        let all =
            |state: &mut State| Ok(items.iter().map(|item| state.prepare(&at.instance, item)).collect());
        self.tell("prepare", at, all).await
    }

    async fn offer(&self, at: &Target, offers: &[AttachPlan]) -> Result<Vec<ItemOutcome<()>>, CallError> {
        let all = |state: &mut State| Ok(offers.iter().map(|plan| state.offer(&at.instance, plan)).collect());
        self.tell("offer", at, all).await
    }

    async fn seal(&self, at: &Target, item: &MoveItem, ttl: Duration) -> Result<Sealed, CallError> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.tell("seal", at, |state| state.seal(&at.instance, item, ttl_ms)).await
    }

    async fn activate(&self, at: &Target, item: &MoveItem, _sealed: &Sealed) -> Result<u64, CallError> {
        self.tell("activate", at, |state| state.activate(&at.instance, item)).await
    }

    async fn end(&self, at: &Target, moves: &[(MoveId, BoardId)], outcome: EndOf) -> Result<(), CallError> {
        self.tell("end", at, |state| state.end_moves(&at.instance, moves, outcome)).await
    }
}

fn silent(id: &InstanceId) -> CallError {
    CallError::retry(format!("{id} refuses the connection"))
}

impl State {
    /// The process on an instance.
    fn server(&mut self, id: &InstanceId) -> Result<&mut Server, CallError> {
        let now_ms = self.now_ms;
        self.servers.get_mut(id).filter(|server| server.answers(now_ms)).ok_or_else(|| silent(id))
    }

    fn prepare(&mut self, id: &InstanceId, item: &MoveItem) -> ItemOutcome<Prepared> {
        let (epoch, _) = self.owners.get(&item.board).ok_or("there is no such board")?;
        if *epoch != item.from_epoch {
            return Err(format!("the board is under epoch {epoch}"));
        }
        let standby = Held {
            state: BoardState::Standby,
            moving: Some(item.id.clone()),
            ..Held::active(item.from_epoch, 0)
        };
        let server = self.server(id).map_err(|error| error.what)?;
        server.boards.insert(item.board.clone(), standby);
        Ok(Prepared { seq: 1, connect: id.to_string() })
    }

    /// Its clients go to the new server, which lets in so many a second, all boards together.
    fn offer(&mut self, id: &InstanceId, plan: &AttachPlan) -> ItemOutcome<()> {
        let held = self.holds(id, &plan.item).map_err(|error| error.what)?;
        held.state = BoardState::Offered;
        held.moving = Some(plan.item.id.clone());
        let clients = held.clients;
        let now_ms = self.now_ms;
        let new = self.server(&InstanceId::new(&plan.connect)).map_err(|error| error.what)?;
        let takes_ms = clients.saturating_mul(1_000).div_ceil(u64::from(plan.rate_per_s.max(1)));
        new.attach_free_ms = new.attach_free_ms.max(now_ms).saturating_add(takes_ms);
        let at_ms = new.attach_free_ms;
        let standby = new.boards.get_mut(&plan.item.board).ok_or("nobody got it ready")?;
        standby.attaching = Some((clients, at_ms));
        Ok(())
    }

    fn seal(&mut self, id: &InstanceId, item: &MoveItem, ttl_ms: u64) -> Result<Sealed, CallError> {
        let until_ms = self.now_ms.saturating_add(ttl_ms);
        let held = self.holds(id, item)?;
        held.state = BoardState::Sealed;
        held.until_ms = Some(until_ms);
        Ok(Sealed { final_seq: 1, delta: None, digest: String::new() })
    }

    /// The one commit point of a move.
    fn activate(&mut self, id: &InstanceId, item: &MoveItem) -> Result<u64, CallError> {
        let now_ms = self.now_ms;
        let (epoch, owner) = self.owners.get(&item.board).cloned().unwrap_or((0, id.clone()));
        let new = self.server(id)?;
        let is_open = new.app == AppState::Serving;
        let is_standby = new.boards.get(&item.board).is_some_and(|it| it.state == BoardState::Standby);
        if !is_standby || epoch != item.from_epoch {
            return Err(CallError::refused(format!("{owner} holds it under epoch {epoch}")));
        }
        let old = self.servers.get_mut(&owner).ok_or_else(|| silent(&owner))?;
        let held = old.boards.get_mut(&item.board).ok_or_else(|| CallError::refused("it is gone"))?;
        let until_ms = held.until_ms.take().filter(|until_ms| *until_ms > now_ms);
        let sealed = until_ms.ok_or_else(|| CallError::refused("its seal is over"))?;
        held.state = BoardState::Released;
        old.owns(old.owned.saturating_sub(1), now_ms);
        let stall_ms = now_ms.saturating_add(1_000).saturating_sub(sealed);
        self.longest_stall_ms = self.longest_stall_ms.max(stall_ms);
        let new = self.server(id)?;
        let mut held = Held::active(epoch + 1, CLIENTS);
        held.moving = Some(item.id.clone());
        new.boards.insert(item.board.clone(), held);
        new.owns(new.owned + 1, now_ms);
        self.owners.insert(item.board.clone(), (epoch + 1, id.clone()));
        if !is_open {
            self.violation(
                Law::MovesHaveAPlace,
                format!("{} was moved to {id}, which is closed", item.board),
            );
        }
        Ok(epoch + 1)
    }

    fn end_moves(
        &mut self,
        id: &InstanceId,
        moves: &[(MoveId, BoardId)],
        outcome: EndOf,
    ) -> Result<(), CallError> {
        let server = self.server(id)?;
        for (one, board) in moves {
            let Some(held) = server.boards.get_mut(board).filter(|it| it.moving.as_ref() == Some(one)) else {
                continue;
            };
            match held.state {
                BoardState::Released | BoardState::Standby | BoardState::Loading | BoardState::Passing => {
                    server.boards.remove(board);
                }
                BoardState::Active => held.moving = None,
                BoardState::Offered | BoardState::Sealed if outcome == EndOf::Abort => {
                    *held = Held::active(held.epoch, held.clients);
                }
                BoardState::Offered | BoardState::Sealed => {}
            }
        }
        Ok(())
    }

    /// The board where the item says that it is.
    fn holds(&mut self, id: &InstanceId, item: &MoveItem) -> Result<&mut Held, CallError> {
        let held = self.server(id)?.boards.get_mut(&item.board);
        let held = held.filter(|held| held.state.is_owned_here() && held.epoch == item.from_epoch);
        held.ok_or_else(|| CallError::refused(format!("{id} does not hold {} so", item.board)))
    }
}

#[async_trait]
impl BoardMetrics for World {
    async fn boards(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BoardCount> {
        self.measure(instances, Server::sample).await
    }

    async fn vitals(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Reading<Vital>> {
        let vital = |server: &Server, _: u64, _: u64| {
            (Vital { errors: 0, started_at_ms: server.up_at_ms().saturating_add_signed(BEGAN_AT_MS) }, 0)
        };
        self.measure(instances, vital).await
    }
}

impl World {
    async fn measure<T>(
        &self,
        instances: &BTreeSet<InstanceId>,
        sample: impl Fn(&Server, u64, u64) -> (T, u64),
    ) -> BTreeMap<InstanceId, Reading<T>> {
        self.other("Prometheus", PROMETHEUS_MS, true).await;
        let state = self.now();
        let read = |(id, offset): (&InstanceId, u64)| {
            let server = state.servers.get(id).filter(|server| server.answers(state.now_ms));
            let reading = server.map_or(Reading::Unknown(Why::Missing), |server| {
                let (value, age_ms) = sample(server, state.now_ms, offset % SCRAPE_MS);
                Reading::Known { value, age: Duration::from_millis(age_ms) }
            });
            (id.clone(), reading)
        };
        instances.iter().zip((0..).step_by(37)).map(read).collect()
    }
}
