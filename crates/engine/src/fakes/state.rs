//! What the world is made of, and how it goes on by itself.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{BoardId, EffectId, GroupArn, InstanceId, MoveId, SubnetId, TemplateId, Version};
use segue_domain::instance::Image;
use segue_domain::service::Balancer;
use segue_domain::target::Weights;

use super::floors::{Floors, Promised};
use super::machine::{Fate, Machine};
use super::moves::Decided;
use super::shares::Readings;
use super::trouble::Troubles;
use super::users::Users;

/// Everything there is.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now_ms: u64,
    pub(super) images: Vec<Image>,
    pub(super) templates: BTreeSet<TemplateId>,
    pub(super) subnets: BTreeMap<SubnetId, u64>,
    /// Subnets and types of instances that there is no room in, or for.
    pub(super) full: BTreeSet<String>,
    pub(super) machines: BTreeMap<InstanceId, Machine>,
    pub(super) machines_made: u64,
    /// What each token launched.
    pub(super) tokens: BTreeMap<EffectId, (LaunchBatch, Vec<InstanceId>)>,
    /// The most instances that were asked for at one time, by release and batch.
    pub(super) asked: BTreeMap<(String, u32), u32>,
    /// What becomes of the next launches, in order; then all is well.
    pub(super) fates: Vec<Fate>,
    pub(super) groups: BTreeMap<GroupArn, BTreeMap<InstanceId, Registration>>,
    /// The load balancers; each group is of one.
    pub(super) balancers: Vec<Balancer>,
    /// Of all of them.
    pub(super) weights: Weights,
    /// The ownership table: it changes by compare-and-set only.
    pub(super) rows: BTreeMap<BoardId, OwnerRow>,
    pub(super) users: Users,
    /// So many servers must take new clients now.
    pub(super) floors: Floors,
    /// Who dies or falls ill lowers what must stay; whoever comes back, or is well again, raises it, up to this.
    pub(super) promised: Promised,
    /// What is known of the wave of each move, as far as it was told.
    pub(super) decided: BTreeMap<MoveId, Decided>,
    pub(super) sight: Sight,
    /// Errors that a server of this version counts in a second.
    pub(super) errors_per_s: BTreeMap<Version, u64>,
    /// Versions that write what the others cannot read.
    pub(super) new_formats: BTreeSet<Version>,
    /// Boards whose clients never attach to a new server, and since when.
    pub(super) stubborn: BTreeMap<BoardId, u64>,
    /// So many clients of a board do not speak the contract.
    pub(super) plain: BTreeMap<BoardId, u64>,
    pub(super) announced: Vec<String>,
    pub(super) configured: BTreeSet<InstanceId>,
    pub(super) warmed: BTreeSet<InstanceId>,
    /// The service configures and warms up what it launches.
    pub(super) gets_ready: bool,
    /// Every server can hand its boards over.
    pub(super) all_hand_over: bool,
    pub(super) readings: Readings,
    /// Servers do not look who calls: a mistake of the application's.
    pub(super) obeys_anybody: bool,
    /// What was counted when the metrics system stopped to look.
    pub(super) counted: BTreeMap<InstanceId, u64>,
    pub(super) troubles: Troubles,
    pub(super) violations: Vec<String>,
    /// What the credentials may not do, by the call's name.
    pub(super) denied: BTreeSet<&'static str>,
    /// Calls of which no dry run is kept.
    pub(super) undried: BTreeSet<&'static str>,
    /// What was asked about permissions.
    pub(super) questions: Vec<&'static str>,
}

/// A target in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registration {
    pub(super) since_ms: u64,
    pub(super) drained_at_ms: Option<u64>,
}

/// One board in the ownership table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnerRow {
    pub(super) epoch: u64,
    pub(super) owner: InstanceId,
    /// It came to its owner then.
    pub(super) since_ms: u64,
}

/// Whether the metrics system sees anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Clear,
    /// Its last samples are from this time.
    Stale {
        since_ms: u64,
    },
    /// It answers, and knows nobody.
    Empty,
    /// Of every other server it says what cannot be used: no number, or two series.
    Partial,
    /// Addresses were used again: the number of each server is another's.
    Mixed,
}

impl State {
    /// Lets everything happen that is due by then.
    pub(super) fn settle(&mut self, now_ms: u64) {
        // What is due now was settled when now began; a call leaves nothing that is due at once.
        if now_ms <= self.now_ms {
            return;
        }
        self.now_ms = now_ms;
        for machine in self.machines.values_mut() {
            machine.settle(now_ms);
        }
        for targets in self.groups.values_mut() {
            targets.retain(|_, target| target.drained_at_ms.is_none_or(|at| now_ms < at));
        }
        self.settle_boards();
        self.raise_the_floors();
        self.users_come_and_go();
    }
}
