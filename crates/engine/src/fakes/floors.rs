//! How many servers must stay, in all and at each load balancer: what the laws of capacity hold a release to.

use std::collections::BTreeSet;

use segue_domain::ids::{ForwardArn, InstanceId};
use segue_domain::service::Balancer;

use super::FakeWorld;
use super::state::State;

/// How many servers must take new clients.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors {
    pub(super) in_all: usize,
    /// The same at each load balancer, in order; none where there is only one.
    pub(super) at_each: Vec<usize>,
}

impl Floors {
    /// At one load balancer, by its place among them.
    pub(super) fn at(&self, place: usize) -> usize {
        self.at_each.get(place).copied().unwrap_or(self.in_all)
    }

    /// No more than so many are asked for, in all or at one load balancer: who is not asked for there is not asked for in
    /// all.
    fn lower_to(&mut self, place: Option<usize>, able: usize) {
        let Some(place) = place else {
            self.in_all = self.in_all.min(able);
            return;
        };
        if let Some(floor) = self.at_each.get_mut(place) {
            let before = std::mem::replace(floor, able.min(*floor));
            self.in_all = self.in_all.saturating_sub(before - *floor);
        }
    }
}

/// What was there when the release began.
#[derive(Debug, Default)]
pub(super) struct Promised {
    /// So many must stay.
    pub(super) floors: Floors,
    /// To so many new clients were led at each load balancer.
    pub(super) there: Vec<usize>,
}

impl FakeWorld {
    /// A release began whose plan has this floor: what serves now and is more is nobody's promise. Who is ill just then is
    /// promised, and need not stay before it is well.
    pub fn expect_floor(&self, floor: u32) {
        let mut state = self.now();
        let led_at = |at| distinct(state.led_to(at).map(|(id, _)| id));
        let in_all = usize::try_from(floor).unwrap_or(usize::MAX).min(led_at(None));
        let there = state.balancers.iter().map(|balancer| led_at(Some(balancer))).collect();
        let floors = Floors { in_all, at_each: state.floors_for(in_all) };
        let able = state.able_at_each(|_| true);
        let at_each = floors.at_each.iter().zip(able).map(|(floor, able)| able.min(*floor)).collect();
        state.floors = Floors { in_all: in_all.min(state.able(None)), at_each };
        state.promised = Promised { floors, there };
    }

    /// A person says that so many are enough, in all or at one load balancer.
    pub fn expect_no_more(&self, at: Option<&ForwardArn>, able: u32) {
        let mut state = self.now();
        let able = usize::try_from(able).unwrap_or(usize::MAX);
        let place_of = |at: &ForwardArn| state.balancers.iter().position(|it| it.forward == *at);
        let place = at.and_then(place_of);
        if at.is_some() && place.is_none() {
            return;
        }
        state.floors.lower_to(place, able);
        state.promised.floors.lower_to(place, able);
    }
}

impl State {
    /// What must stay at each load balancer while so many must stay in all: an even part of them, one more at the
    /// first ones where they do not divide, as far as it is there now in the colours, well or ill: canaries are promised
    /// to nobody. It is said here once more, without the plan that it is held against.
    fn floors_for(&self, floor: usize) -> Vec<usize> {
        let count = self.balancers.len();
        if count < 2 {
            return Vec::new();
        }
        let part = |place: usize| floor / count + usize::from(place < floor % count);
        let there =
            |at| distinct(self.led_to(Some(at)).map(|(id, _)| id).filter(|id| self.is_in_a_colour(at, id)));
        self.balancers.iter().enumerate().map(|(place, at)| there(at).min(part(place))).collect()
    }

    /// Who died or fell ill was taken away by nobody: what is left is what must stay, until somebody is there again.
    pub(super) fn lower_the_floors(&mut self) {
        let able = self.able_at_each(|_| true);
        self.floors.in_all = self.floors.in_all.min(self.as_before(&able));
        self.floors.at_each.iter_mut().zip(able).for_each(|(floor, able)| *floor = able.min(*floor));
    }

    /// What came in the place of who was lost, or came back, must stay as what was there before; who is well again, as soon
    /// as that can be known.
    pub(super) fn raise_the_floors(&mut self) {
        let (floors, promised) = (&self.floors, &self.promised.floors);
        let are_kept =
            floors.at_each.iter().zip(&promised.at_each).all(|(floor, promised)| floor >= promised);
        if are_kept && floors.in_all >= promised.in_all {
            return;
        }
        let able = self.able_at_each(|id| !self.is_well_unseen(id));
        let in_all = floors.in_all.max(self.as_before(&able).min(promised.in_all));
        let at_each = floors.at_each.iter().zip(&promised.at_each).zip(able);
        let at_each = at_each.map(|((floor, promised), able)| able.min(*promised).max(*floor)).collect();
        self.floors = Floors { in_all, at_each };
    }

    /// How many servers get new clients, of this load balancer or of all.
    pub(super) fn able(&self, at: Option<&Balancer>) -> usize {
        distinct(self.front_door(at).iter())
    }

    /// How many of these get new clients at each load balancer, canaries aside: they come in nobody's place.
    fn able_at_each(&self, is_meant: impl Fn(&InstanceId) -> bool) -> Vec<usize> {
        let able = |at: &Balancer| {
            let front = self.front_door(Some(at));
            distinct(front.iter().filter(|id| is_meant(id) && self.is_in_a_colour(at, id)))
        };
        self.balancers.iter().map(able).collect()
    }

    /// How many of as many as there were when the release began: who is more than that at one of several load balancers is
    /// in nobody's place at another.
    fn as_before(&self, able: &[usize]) -> usize {
        able.iter().zip(&self.promised.there).map(|(able, there)| able.min(there)).sum()
    }

    fn is_in_a_colour(&self, at: &Balancer, id: &InstanceId) -> bool {
        let mut colours = at.colours.iter().filter_map(|colour| self.groups.get(colour));
        colours.any(|targets| targets.contains_key(id))
    }

    /// How many of those to whom new clients are led died a moment ago, or fell ill and are open still. A request that
    /// lands late was sent when they were there, whatever became of their registrations meanwhile.
    pub(super) fn led_to_the_lost(&self, at: Option<&Balancer>) -> usize {
        let led_to = || self.shared(at).map(|(id, _)| id);
        let ill = distinct(led_to().filter(|id| self.fell_ill_unseen(id)));
        let dead = match self.lands_late() {
            true => self.died_unseen_at(at),
            false => distinct(led_to().filter(|id| self.died_unseen(id))),
        };
        dead + ill
    }
}

fn distinct<'i>(ids: impl Iterator<Item = &'i InstanceId>) -> usize {
    ids.collect::<BTreeSet<_>>().len()
}
