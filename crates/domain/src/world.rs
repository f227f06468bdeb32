//! The world as it was just observed. A pass decides on one of these and forgets it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::app::{AppStatus, BoardCount};
use crate::board_list::BoardList;
use crate::event::Vital;
use crate::ids::{ForwardArn, GroupArn, InstanceId, SubnetId};
use crate::instance::Instance;
use crate::reading::{Reading, Why};
use crate::target::{Targets, Weights};
use crate::time::Timestamp;

/// One observation of everything that a release asked to see ([`Needs`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    pub at: Timestamp,
    /// Since when this daemon has been looking after the release, by its own clock.
    pub watched_since: Timestamp,
    /// Every instance that carries the service's tag.
    pub instances: Reading<BTreeMap<InstanceId, Instance>>,
    /// Colour, canary and, when asked, slot groups.
    pub targets: BTreeMap<GroupArn, Reading<Targets>>,
    /// Of each load balancer.
    pub weights: BTreeMap<ForwardArn, Reading<Weights>>,
    /// Free addresses by subnet.
    pub subnets: Reading<BTreeMap<SubnetId, u64>>,
    pub boards: BTreeMap<InstanceId, BoardCount>,
    pub apps: BTreeMap<InstanceId, Reading<AppStatus>>,
    pub board_lists: BTreeMap<InstanceId, Reading<BoardList>>,
    pub vitals: BTreeMap<InstanceId, Reading<Vital>>,
    /// How many boards the ownership table gives to a server that is dead, as each other server reads it.
    pub ownership: BTreeMap<InstanceId, Vec<Reading<u64>>>,
}

/// What a release must see to decide. Constant work: it depends on the step, never on what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Slot groups: read at admit, retire and on the way back only.
    pub slots: BTreeSet<GroupArn>,
    pub subnets: Vec<SubnetId>,
    /// Instances whose boards, status and health matter.
    pub instances: BTreeSet<InstanceId>,
    pub board_lists: BTreeSet<InstanceId>,
    pub vitals: BTreeSet<InstanceId>,
    pub ownership: BTreeSet<InstanceId>,
}

/// Servers through which the ownership table is read for a dead one; fewer when fewer are left.
pub const WITNESSES: usize = 2;

/// By so much the clocks of two daemons differ at the most. AWS takes no call that is signed more than five minutes before
/// or after its own time.
/// Source: AWS, "Signature Version 4": a request must reach AWS within five minutes of its time stamp.
const CLOCKS_APART: Duration = Duration::from_mins(10);

const NOT_ASKED: Why = Why::NotAsked;

impl World {
    /// A world of which nothing is known, looked at for as long as there has been time.
    pub fn unseen(at: Timestamp) -> Self {
        Self {
            at,
            watched_since: Timestamp::from_ms(0),
            instances: Reading::Unknown(NOT_ASKED),
            targets: BTreeMap::new(),
            weights: BTreeMap::new(),
            subnets: Reading::Unknown(NOT_ASKED),
            boards: BTreeMap::new(),
            apps: BTreeMap::new(),
            board_lists: BTreeMap::new(),
            vitals: BTreeMap::new(),
            ownership: BTreeMap::new(),
        }
    }

    /// A time in the journal, for what is to be measured from it by this daemon's clock. One that lies ahead was written
    /// by another clock: nothing is known of it but that it was before this daemon looked.
    pub fn by_own_clock(&self, at: Timestamp) -> Timestamp {
        if at > self.at { self.watched_since } else { at }
    }

    /// For what must not be begun too early: it was then at the latest, whatever clock it was written by.
    pub fn at_the_latest(&self, at: Timestamp) -> Timestamp {
        let at = self.by_own_clock(at);
        at.max(self.watched_since.min(at.after(CLOCKS_APART)))
    }

    /// What has passed since then, as far as this daemon knows.
    pub fn since(&self, at: Timestamp) -> Duration {
        self.at.since(self.by_own_clock(at))
    }

    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.instances.known()?.get(id)
    }

    pub fn targets(&self, group: &GroupArn) -> Result<&Targets, &Why> {
        read(self.targets.get(group))
    }

    pub fn weights(&self, forward: &ForwardArn) -> Result<&Weights, &Why> {
        read(self.weights.get(forward))
    }

    pub fn boards(&self, id: &InstanceId) -> Result<u64, &Why> {
        read(self.boards.get(id)).copied()
    }

    pub fn app(&self, id: &InstanceId) -> Result<&AppStatus, &Why> {
        read(self.apps.get(id))
    }

    pub fn board_list(&self, id: &InstanceId) -> Result<&BoardList, &Why> {
        read(self.board_lists.get(id))
    }

    pub fn vital(&self, id: &InstanceId) -> Result<Vital, &Why> {
        read(self.vitals.get(id)).copied()
    }

    /// When the sample of an instance's board count was taken, if the count is known.
    pub fn boards_sampled_at(&self, id: &InstanceId) -> Option<Timestamp> {
        match self.boards.get(id)? {
            Reading::Known { age, .. } => Some(self.at.before(*age)),
            Reading::Unknown(_) => None,
        }
    }
}

fn read<T>(reading: Option<&Reading<T>>) -> Result<&T, &Why> {
    match reading {
        Some(Reading::Known { value, .. }) => Ok(value),
        Some(Reading::Unknown(why)) => Err(why),
        None => Err(&NOT_ASKED),
    }
}
