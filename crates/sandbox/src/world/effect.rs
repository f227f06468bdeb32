//! What the world asks its shell to do. The world itself does nothing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::target::TargetKey;
use crate::names::{GroupArn, InstanceId};

/// One thing to do, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Start an instance's program.
    Start(Launch),
    /// End an instance's program, politely at first.
    Stop { instance: InstanceId, run: u32 },
    /// Send a signal to an instance's program.
    Signal { instance: InstanceId, run: u32, signal: ProcessSignal },
    /// Close the connections that a load balancer still holds to a target.
    Cut { group: GroupArn, target: TargetKey },
}

/// What a program can be sent that does not ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessSignal {
    Kill,
    Freeze,
    Thaw,
}

impl ProcessSignal {
    /// The fault that sends it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
        }
    }
}

/// Everything that is needed to start an instance's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The instance.
    pub instance: InstanceId,
    /// How many times the instance's program has been started, this one included.
    pub run: u32,
    /// The loopback address that is the instance's alone.
    pub address: Ipv4Addr,
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// Its whole environment, apart from `PATH`.
    pub env: BTreeMap<String, String>,
}
