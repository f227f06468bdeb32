//! What can be done to the outside world, and how it ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{
    EffectId, ForwardArn, GroupArn, ImageId, InstanceId, InstanceType, ReleaseId, Route, ServiceName,
    SubnetId, TemplateId, Version,
};
use crate::moves::{Wave, WaveResult};
use crate::service::WarmSpec;
use crate::target::Weights;

/// Instances in one call at AWS: an effect is one call, which takes its tokens when it is begun. AWS takes more, and
/// advises fewer. Source: EC2 API, TerminateInstances: one bad id fails the whole call.
pub(crate) const IDS_AT_ONCE: usize = 100;

/// One call, or one bounded piece of work, at the outside world. It carries everything needed to repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Launch(LaunchBatch),
    Start {
        instances: Vec<InstanceId>,
    },
    Stop {
        instances: Vec<InstanceId>,
    },
    Terminate {
        instances: Vec<InstanceId>,
    },
    Register {
        group: GroupArn,
        instances: Vec<InstanceId>,
    },
    Deregister {
        group: GroupArn,
        instances: Vec<InstanceId>,
    },
    SetWeights {
        forward: ForwardArn,
        weights: Weights,
    },
    /// Accept new boards; with a route, say that clients reach it there.
    Open {
        instance: InstanceId,
        route: Option<Route>,
    },
    /// Accept no new boards.
    CloseToNew {
        instance: InstanceId,
    },
    Configure {
        instance: InstanceId,
        command: Vec<String>,
    },
    WarmUp {
        instance: InstanceId,
        spec: WarmSpec,
    },
    /// Shared: a state is copied for every append, and remembers every wave.
    Move(Arc<MoveWave>),
    /// Level 0: the server sends its clients away at this pace, and they come back elsewhere.
    Drain {
        instance: InstanceId,
        rate_per_s: u32,
    },
    Announce {
        line: String,
    },
}

/// A wave and the limits it is carried out under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveWave {
    pub release: ReleaseId,
    pub wave: Wave,
    /// 1 or 2: what both sides can do. It is told; the calls of a wave are the same.
    pub level: u8,
    pub seal_ttl: Duration,
    pub attach_deadline: Duration,
    pub attach_rate_per_s: u32,
    pub switching_at_once: u32,
}

impl MoveWave {
    /// What is kept of a wave that was carried out: a million boards' moves would fill the memory, and nobody asks for
    /// them again. The journal has them.
    #[must_use]
    pub fn without_moves(&self) -> Self {
        let Wave { number, direction, .. } = self.wave;
        Self {
            release: self.release.clone(),
            wave: Wave { number, direction, moves: Vec::new() },
            level: self.level,
            seal_ttl: self.seal_ttl,
            attach_deadline: self.attach_deadline,
            attach_rate_per_s: self.attach_rate_per_s,
            switching_at_once: self.switching_at_once,
        }
    }
}

/// Up to 100 instances in one subnet by one call (AWS allows two RunInstances calls a second).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchBatch {
    pub release: ReleaseId,
    pub service: ServiceName,
    pub version: Version,
    pub image: ImageId,
    pub template: TemplateId,
    pub subnet: SubnetId,
    /// None: the template's own.
    pub instance_type: Option<InstanceType>,
    pub count: u32,
    /// Place in the plan's list.
    pub batch: u32,
    /// Grows only by an appended decision: a token whose instance was terminated is refused for ever.
    pub attempt: u32,
}

impl Effect {
    /// A word for logs, metrics and ids.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Launch(_) => "launch",
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Terminate { .. } => "terminate",
            Self::Register { .. } => "register",
            Self::Deregister { .. } => "deregister",
            Self::SetWeights { .. } => "set-weights",
            Self::Open { .. } => "open",
            Self::CloseToNew { .. } => "close",
            Self::Configure { .. } => "configure",
            Self::WarmUp { .. } => "warm-up",
            Self::Move(_) => "move",
            Self::Drain { .. } => "drain",
            Self::Announce { .. } => "announce",
        }
    }

    /// What may be carried out of this try of an effect and an earlier one: a registration brings in whomever either names.
    /// For the others the last try stands: nobody asks whom an earlier one named, and shares that are given back differ
    /// from try to try by a canary's at the most.
    #[must_use]
    pub(crate) fn with_whom_it_named(mut self, earlier: Self) -> Self {
        if let (Self::Register { instances, .. }, Self::Register { instances: before, .. }) =
            (&mut self, earlier)
        {
            let others: Vec<InstanceId> = before.into_iter().filter(|id| !instances.contains(id)).collect();
            instances.extend(others);
        }
        self
    }
}

/// How an effect ended, as far as anybody can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done(Done),
    /// Known to have left nothing behind.
    Refused {
        why: String,
        /// What would have to be there, when that is known.
        lack: Option<Lack>,
    },
    /// It may have happened: observed again, never undone blindly.
    Unknown(String),
}

/// What was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Room where it was asked for: another subnet may have some, or another type of instance.
    Room,
}

impl Outcome {
    /// Refused, and nobody knows what would help.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), lack: None }
    }
}

/// What a finished effect brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    Nothing,
    Launched(Vec<InstanceId>),
    Moved(WaveResult),
}

/// An effect with its name, ready to be appended and acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub id: EffectId,
    /// Counts from 1; the same id is tried again under the next number.
    pub attempt: u32,
    pub effect: Effect,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (try {})", self.id, self.attempt)
    }
}
