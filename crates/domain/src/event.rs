//! What can have happened in a release, and in a service. State is nothing but these, folded.

use std::collections::{BTreeMap, BTreeSet};

use crate::adoption::KnownBy;
use crate::decision::{Cause, Gate, Reason, Verdict};
use crate::effect::{Intent, Outcome};
use crate::ids::{Actor, CheckName, EffectId, GroupArn, InstanceId, ReleaseId, Route, Version};
use crate::plan::{Kind, Plan};
use crate::step::{How, Step};
use crate::time::Timestamp;

/// One thing that happened in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Always the first.
    Planned(Box<Plan>),
    StepEntered {
        step: Step,
    },
    StepDone {
        step: Step,
        how: How,
    },
    Checked {
        check: CheckName,
        result: CheckResult,
    },
    Intended(Intent),
    Ended {
        id: EffectId,
        attempt: u32,
        outcome: Outcome,
    },
    /// A launch batch came short, or lost instances: what is missing is launched under the next attempt. With a count of
    /// 0 nobody is launched in their place any more.
    BatchRaised {
        batch: u32,
        attempt: u32,
        count: u32,
        lost: Vec<InstanceId>,
    },
    /// Servers of what runs that somebody else brought while the release was on, and the groups in which they serve: they
    /// are left like those of the plan.
    Joined {
        servers: BTreeMap<InstanceId, BTreeSet<GroupArn>>,
    },
    SlotsLeased {
        routes: BTreeMap<InstanceId, Route>,
    },
    BakeBegan {
        start: BTreeMap<InstanceId, Vital>,
    },
    /// The canary held enough boards at this time of the bake.
    EnoughBoards {
        boards: u64,
    },
    /// Boards alive on blue when it was closed, by blue's own lists.
    BoardsCounted {
        on_blue: u64,
    },
    /// A server was empty by a fresh sample taken at this time, after it was closed.
    FoundEmpty {
        instance: InstanceId,
        sampled_at: Timestamp,
    },
    /// A server that had been found empty was not.
    FoundOccupied {
        instance: InstanceId,
    },
    WayBackBegan {
        cause: Cause,
    },
    /// The first decision to terminate: from here on there is no way back.
    PointOfNoReturn,
    Asked {
        gate: Gate,
    },
    Held {
        reason: Reason,
    },
    Closed {
        verdict: Verdict,
    },
    /// What a person did.
    Said {
        actor: Actor,
        word: Word,
        reason: Option<String>,
    },
}

/// What a person may say to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Promote,
    Pause,
    Resume,
    Abort,
    Retry,
}

impl Word {
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Retry => "retry",
        }
    }
}

/// What a preflight check said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    Passed(String),
    Failed(String),
    /// It failed, and somebody with the right said to go on.
    Overridden {
        failed: String,
        reason: String,
    },
}

/// Two numbers of an instance that only make sense against themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vital {
    pub errors: u64,
    /// Process start, milliseconds since 1970.
    pub started_at_ms: u64,
}

/// One thing that happened in a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceEvent {
    Began {
        release: ReleaseId,
        kind: Kind,
        version: Version,
        from_version: Version,
        request: Option<RequestKey>,
    },
    Finished {
        release: ReleaseId,
        verdict: Verdict,
    },
    /// Servers that Segue did not launch are about to get the service's tags.
    AdoptionBegan {
        /// Counts from 1 for each service.
        number: u64,
        servers: BTreeMap<InstanceId, Taken>,
        /// Of the plan that was confirmed.
        digest: String,
    },
    AdoptionEnded {
        number: u64,
        outcome: Outcome,
    },
}

/// What is known of a server that is taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub version: Version,
    pub known_by: KnownBy,
}

/// An `Idempotency-Key` and the digest of the body that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    pub key: String,
    pub digest: String,
}
