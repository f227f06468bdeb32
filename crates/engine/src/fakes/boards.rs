//! The control contract of the small world: who is asked, and whether it listens.

use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::{AppState, AppStatus, BoardRow, Formats};
use segue_domain::ids::{BoardId, EffectId, InstanceId, MoveId, Route};

use super::law::Law;
use super::state::State;
use super::{FakePort, Method};
use crate::ports::{
    AttachPlan, Boards, CallError, EndOf, ItemOutcome, MoveItem, Prepared, Sealed, StandbyTerms, Target,
};

#[async_trait]
impl Boards for FakePort {
    async fn status(&self, at: &Target) -> Result<AppStatus, CallError> {
        self.call(Method::Status, |state| {
            state.reach(at)?;
            let mut status = state.app(&at.instance)?.status();
            if state.new_formats.contains(&status.version) {
                status.formats =
                    Formats { reads: vec!["1".to_owned(), "2".to_owned()], writes: "2".to_owned() };
            }
            Ok(status)
        })
        .await
    }

    async fn boards(&self, at: &Target) -> Result<Vec<BoardRow>, CallError> {
        self.call(Method::BoardList, |state| {
            state.reach(at)?;
            Ok(state.list(&at.instance))
        })
        .await
    }

    async fn owned_by(&self, at: &Target, dead: &InstanceId) -> Result<u64, CallError> {
        self.call(Method::OwnedBy, |state| {
            state.reach(at)?;
            let owned = state.rows.values().filter(|row| row.owner == *dead).count();
            Ok(u64::try_from(owned).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn open(&self, at: &Target, route: Option<&Route>) -> Result<(), CallError> {
        let (at, route) = (at.clone(), route.cloned());
        self.change(Method::Open, move |state| {
            state.obey(&at)?;
            let now_ms = state.now_ms;
            let app = state.app(&at.instance)?;
            if app.state != AppState::Serving {
                app.open_since_ms = now_ms;
            }
            app.state = AppState::Serving;
            if route.is_some() && app.route != route {
                app.route = route;
                app.routed_since_ms = now_ms;
            }
            Ok(())
        })
        .await
    }

    async fn close(&self, at: &Target) -> Result<(), CallError> {
        let at = at.clone();
        self.change(Method::Close, move |state| {
            state.obey(&at)?;
            let led_before = state.led_somewhere();
            state.app(&at.instance)?.state = AppState::Closed;
            state.watch_who_was_led(&led_before, "a server was closed");
            state.watch_capacity("a server was closed");
            Ok(())
        })
        .await
    }

    async fn drain(&self, at: &Target, _id: &EffectId, _rate_per_s: u32) -> Result<(), CallError> {
        let at = at.clone();
        self.change(Method::Drain, move |state| {
            state.obey(&at)?;
            let led_before = state.led_somewhere();
            state.app(&at.instance)?.state = AppState::Draining;
            state.watch_who_was_led(&led_before, "a server was drained");
            state.watch_the_drain(&at.instance);
            state.send_away(&at.instance);
            state.watch_capacity("a server was drained");
            Ok(())
        })
        .await
    }

    async fn prepare(
        &self,
        at: &Target,
        items: &[MoveItem],
        terms: StandbyTerms,
    ) -> Result<Vec<ItemOutcome<Prepared>>, CallError> {
        let (at, items) = (at.clone(), items.to_vec());
        self.change(Method::Prepare, move |state| {
            state.obey(&at)?;
            Ok(items.iter().map(|item| state.prepare(&at.instance, item, ms(terms.ttl))).collect())
        })
        .await
    }

    async fn offer(&self, at: &Target, offers: &[AttachPlan]) -> Result<Vec<ItemOutcome<()>>, CallError> {
        let (at, offers) = (at.clone(), offers.to_vec());
        self.change(Method::Offer, move |state| {
            state.obey(&at)?;
            Ok(offers.iter().map(|plan| state.offer(&at.instance, plan)).collect())
        })
        .await
    }

    async fn seal(&self, at: &Target, item: &MoveItem, ttl: Duration) -> Result<Sealed, CallError> {
        let (at, item) = (at.clone(), item.clone());
        self.change(Method::Seal, move |state| {
            state.obey(&at)?;
            state.seal(&at.instance, &item, ms(ttl))
        })
        .await
    }

    async fn activate(&self, at: &Target, item: &MoveItem, _sealed: &Sealed) -> Result<u64, CallError> {
        let (at, item) = (at.clone(), item.clone());
        self.change(Method::Activate, move |state| {
            state.obey(&at)?;
            state.activate(&at.instance, &item)
        })
        .await
    }

    async fn end(&self, at: &Target, moves: &[(MoveId, BoardId)], outcome: EndOf) -> Result<(), CallError> {
        let (at, moves) = (at.clone(), moves.to_vec());
        self.change(Method::End, move |state| {
            state.obey(&at)?;
            state.end(&at.instance, &moves, outcome);
            Ok(())
        })
        .await
    }
}

impl State {
    /// Somebody answers at that address, and it is who was meant.
    fn reach(&mut self, at: &Target) -> Result<(), CallError> {
        let machine = self.machines.get(&at.instance);
        let address = machine.and_then(|machine| machine.instance.address.as_deref());
        if address != Some(at.address.as_str()) {
            return Err(CallError::refused(format!("{} is not at {}", at.instance, at.address)));
        }
        self.app(&at.instance).map(|_| ())
    }

    /// As [`Self::reach`], for a call that changes something: a generation lower than one that was seen is
    /// refused.
    fn obey(&mut self, at: &Target) -> Result<(), CallError> {
        self.reach(at)?;
        let app = self.app(&at.instance)?;
        let seen = app.generation;
        if at.generation < seen && !self.obeys_anybody {
            return Err(CallError::refused(format!("generation {seen} was seen")));
        }
        if at.generation < seen {
            let what = format!("{} obeyed generation {} after {seen}", at.instance, at.generation);
            self.violation(Law::StaleIsHarmless, what);
        }
        self.app(&at.instance)?.generation = at.generation.max(seen);
        Ok(())
    }
}

pub(super) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
