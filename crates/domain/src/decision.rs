//! What `decide` answers. The same values feed page, log, chat line and test.

use std::fmt;

use crate::effect::Intent;
use crate::event::Event;
use crate::ids::{BoardId, CheckName, EffectId, ForwardArn, GroupArn, InstanceId};
use crate::reading::Why;
use crate::step::Step;
use crate::time::Timestamp;

/// The next thing to do for a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Append these facts and decide again.
    Record(Vec<Event>),
    /// Append the intents, then act.
    Do(Vec<Intent>),
    Wait(Wait),
    /// Ask a person.
    Ask(Gate),
    /// Stop and call a person; everything stays as it is.
    Park(Reason),
    Close(Verdict),
    /// The release is over and nothing is left to do.
    Over,
}

/// A wait says on what, since when, until when, and what happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub on: WaitingOn,
    pub since: Timestamp,
    pub until: Timestamp,
    pub then: Then,
}

/// What happens when a wait ends without what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    GoOn,
    WayBack,
    Hold,
    Refuse,
    /// No limit: only a person ends it.
    Stay,
}

/// On what a release waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingOn {
    /// An effect that is in flight, or that is tried again after a pause.
    Effect {
        id: EffectId,
    },
    /// The world to show what was done.
    Settling {
        what: &'static str,
        missing: Vec<InstanceId>,
    },
    Instances {
        missing: u32,
    },
    Health {
        group: GroupArn,
        missing: Vec<InstanceId>,
    },
    Bake {
        boards: Option<u64>,
        wanted: u64,
    },
    Boards {
        left: u64,
    },
    /// Repeated fresh zeros.
    Zeros {
        instances: Vec<InstanceId>,
    },
    Reading {
        what: Source,
        why: Why,
    },
    Capacity {
        able: u32,
        floor: u32,
        /// At this load balancer; none when it is all of them together.
        at: Option<ForwardArn>,
    },
    Check {
        check: CheckName,
        sentence: String,
    },
    /// A person who paused it.
    Resume,
}

impl WaitingOn {
    /// What is said when it did not come in time.
    pub fn overdue(&self) -> String {
        match self {
            Self::Effect { id } => format!("{id} did not end in time"),
            Self::Settling { what, missing } if missing.is_empty() => format!("{what} did not come in time"),
            Self::Settling { what, missing } => {
                format!("{what} did not come in time from {}", names(missing))
            }
            Self::Instances { missing } => format!("{missing} instances did not come up in time"),
            Self::Health { group, missing } => {
                format!("not healthy in {group} in time: {}", names(missing))
            }
            Self::Bake { .. } => "the bake did not end".to_owned(),
            Self::Boards { left } => format!("{left} boards stayed where they were"),
            Self::Zeros { instances } => format!("no repeated fresh zeros from {}", names(instances)),
            Self::Reading { why, .. } => format!("a reading did not come in time: {why}"),
            Self::Capacity { able, floor, at } => {
                let at = at.as_ref().map_or_else(String::new, |it| format!(" at {}", it.balancer()));
                format!("only {able} instances were able to serve{at}, the floor is {floor}")
            }
            Self::Check { check, sentence } => format!("check {check} did not pass: {sentence}"),
            Self::Resume => "nobody resumed it".to_owned(),
        }
    }
}

fn names(ids: &[InstanceId]) -> String {
    let names: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
    names.join(", ")
}

/// Where a reading comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Instances,
    Targets(GroupArn),
    Weights,
    Slots,
    Subnets,
    Boards(InstanceId),
    App(InstanceId),
    BoardList(InstanceId),
    Vitals(InstanceId),
    Ownership(InstanceId),
}

/// A question that a person must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Blue cannot read what green writes: no way back after the first board.
    NoWayBack { blue_reads: Vec<String>, green_writes: String },
}

/// Why a release holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A reading has been missing for too long.
    Blind {
        what: Source,
        why: Why,
    },
    /// The canary could not be judged.
    Undecided {
        missing: Vec<String>,
    },
    NoCapacity {
        able: u32,
        floor: u32,
        /// At this load balancer; none when it is all of them together.
        at: Option<ForwardArn>,
    },
    BoardFitsNowhere {
        board: BoardId,
    },
    BoardsStay {
        left: u64,
        last: String,
    },
    /// An instance may still hold boards.
    MayHoldBoards {
        instance: InstanceId,
        why: String,
    },
    /// A step of the way back failed: nobody but a person can mend it.
    CannotGoBack {
        step: Step,
        why: String,
    },
    /// A step failed for which there is no way back, or none is wanted.
    CannotGoOn {
        step: Step,
        why: String,
    },
    /// Somebody's promise was broken: ours.
    Bug {
        what: String,
    },
}

/// Why a release turned back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    AbortedBy(crate::ids::Actor),
    StepFailed { step: Step, why: String },
    CanaryFailed { why: String },
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A full release or a rollback is done.
    Released,
    /// A canary passed.
    Passed,
    /// Preflight said no; nothing was done.
    Refused { checks: Vec<CheckName> },
    /// The way back was gone to its end.
    RolledBack { cause: Cause },
    /// A person turned it back.
    Aborted { cause: Cause },
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Passed => "passed",
            Self::Refused { .. } => "refused",
            Self::RolledBack { .. } => "rolled_back",
            Self::Aborted { .. } => "aborted",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbortedBy(actor) => write!(f, "aborted by {actor}"),
            Self::StepFailed { step, why } => write!(f, "{step} failed: {why}"),
            Self::CanaryFailed { why } => write!(f, "the canary failed: {why}"),
        }
    }
}
