//! An EC2 instance of a service, as EC2 describes it.

use std::fmt;

use crate::ids::{ImageId, InstanceId, PoolName, SubnetId, Version};
use crate::time::Timestamp;

/// One instance. Its tags are immutable and given at launch; its role comes from the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    pub image: ImageId,
    /// The version that its tag names; what the process says of itself is in [`crate::app::AppStatus`].
    pub version: Version,
    pub pool: PoolName,
    pub subnet: SubnetId,
    pub state: InstanceState,
    /// The private address under which the control contract is reached; none while it has not booted.
    pub address: Option<String>,
    pub launched_at: Timestamp,
    /// The effect that launched it, when it was this daemon's family that did.
    pub origin: Origin,
}

/// Who launched an instance, by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `release`, `batch` and `attempt` tags as a launch writes them.
    Release { release: String, batch: u32, attempt: u32 },
    /// Carries the service's tag and no release: seeded or adopted.
    Adopted,
}

/// EC2's instance states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl InstanceState {
    /// Its process cannot be running, by EC2's word.
    pub fn is_down(self) -> bool {
        match self {
            Self::Stopped | Self::Terminated => true,
            Self::Pending | Self::Running | Self::Stopping | Self::ShuttingDown => false,
        }
    }

    /// It will never run again.
    pub fn is_gone(self) -> bool {
        match self {
            Self::ShuttingDown | Self::Terminated => true,
            Self::Pending | Self::Running | Self::Stopping | Self::Stopped => false,
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        })
    }
}

/// An AMI of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub id: ImageId,
    pub version: Version,
    /// What the AMI's `commit` tag says.
    pub commit: Option<crate::ids::Commit>,
    pub created_at: Timestamp,
}
