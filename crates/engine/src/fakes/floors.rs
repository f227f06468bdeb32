//! How many servers must stay, in all and at each load balancer: what the laws of capacity hold a release to.

use std::collections::BTreeSet;

use segue_domain::ids::{ForwardArn, InstanceId};
use segue_domain::service::Balancer;

use super::FakeWorld;
use super::state::State;

/// What was there when the release began.
#[derive(Debug, Default)]
pub(super) struct Promised {
    /// So many must stay, in all.
    pub(super) floor: usize,
    /// The same at each load balancer, in order; none where there is only one.
    pub(super) floors: Vec<usize>,
    /// To so many new clients were led at each load balancer.
    pub(super) there: Vec<usize>,
}

impl FakeWorld {
    /// A release began whose plan has this floor: what serves now and is more is nobody's promise. Who is ill just then is
    /// promised, and need not stay before it is well.
    pub fn expect_floor(&self, floor: u32) {
        let mut state = self.now();
        let led_at = |at| distinct(state.led_to(at).map(|(id, _)| id));
        let floor = usize::try_from(floor).unwrap_or(usize::MAX).min(led_at(None));
        let there = state.balancers.iter().map(|balancer| led_at(Some(balancer))).collect();
        state.promised = Promised { floor, floors: state.floors_for(floor), there };
        state.floor = floor.min(state.able(None));
        let able = state.able_at_each(|_| true);
        state.floors = state.promised.floors.iter().zip(able).map(|(floor, able)| able.min(*floor)).collect();
    }

    /// A person says that so many are enough, in all or at one load balancer.
    pub fn expect_no_more(&self, at: Option<&ForwardArn>, able: u32) {
        let mut state = self.now();
        let able = usize::try_from(able).unwrap_or(usize::MAX);
        let Some(at) = at else {
            state.floor = state.floor.min(able);
            state.promised.floor = state.promised.floor.min(able);
            return;
        };
        let Some(place) = state.balancers.iter().position(|balancer| balancer.forward == *at) else { return };
        let lower = |floors: &mut Vec<usize>| {
            let Some(floor) = floors.get_mut(place) else { return 0 };
            let before = std::mem::replace(floor, able.min(*floor));
            before - *floor
        };
        // Who is not asked for there is not asked for in all.
        let less = lower(&mut state.floors);
        state.floor = state.floor.saturating_sub(less);
        let less = lower(&mut state.promised.floors);
        state.promised.floor = state.promised.floor.saturating_sub(less);
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
        self.floor = self.floor.min(self.as_before(&able));
        self.floors.iter_mut().zip(able).for_each(|(floor, able)| *floor = able.min(*floor));
    }

    /// What came in the place of who was lost, or came back, must stay as what was there before; who is well again, as soon
    /// as that can be known.
    pub(super) fn raise_the_floors(&mut self) {
        let are_kept =
            self.floors.iter().zip(&self.promised.floors).all(|(floor, promised)| floor >= promised);
        if are_kept && self.floor >= self.promised.floor {
            return;
        }
        let able = self.able_at_each(|id| !self.is_well_unseen(id));
        self.floor = self.floor.max(self.as_before(&able).min(self.promised.floor));
        let floors = self.floors.iter().zip(&self.promised.floors).zip(able);
        self.floors = floors.map(|((floor, promised), able)| able.min(*promised).max(*floor)).collect();
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
