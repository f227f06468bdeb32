//! One instance: its states and what moves it from one to the next.
//!
//! pending → running → stopping → stopped → pending …, and from anywhere to shutting-down → terminated.
//! An instance's program is its machine: when the program ends by itself, the instance shows `stopped` with
//! AWS's reason for a machine that shut itself down (`Client.InstanceInitiatedShutdown`).
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use std::net::Ipv4Addr;

use super::at::At;
use super::image::Tags;
use super::lag::Sight;
use crate::names::{ClientToken, ImageId, InstanceId, ReservationId, SubnetId};

/// One EC2 instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    /// Its place in the order of launches; listings and paging follow it.
    pub(crate) seq: u64,
    pub(crate) reservation: ReservationId,
    /// Its place in its reservation, from 0.
    pub(crate) launch_index: u32,
    pub(crate) image: ImageId,
    pub(crate) instance_type: String,
    pub(crate) subnet: SubnetId,
    pub(crate) zone: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) tags: Tags,
    pub(crate) user_data: Vec<u8>,
    pub(crate) client_token: Option<ClientToken>,
    pub(crate) launched_at: At,
    pub(crate) phase: Phase,
    pub(crate) sight: Sight,
    pub(crate) protection: Protection,
    pub(crate) reason: Option<StateReason>,
    /// How often its program was started: an ending of an earlier run says nothing of this one.
    pub(crate) run: u32,
}

/// Whether calls may terminate an instance.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    On,
    Off,
}

impl Protection {
    /// As `DisableApiTermination` says it.
    pub(crate) const fn from_flag(is_disabled: bool) -> Self {
        match is_disabled {
            true => Self::On,
            false => Self::Off,
        }
    }
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending { running_at: At },
    Running,
    Stopping { not_before: At, program: Program },
    Stopped,
    ShuttingDown { not_before: At, program: Program },
    Terminated { at: At },
}

/// Whether the instance's program has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Ending,
    Ended,
}

/// The state as AWS names and numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// On its way down, or down.
    pub(crate) const fn is_end(self) -> bool {
        match self {
            Self::Stopping | Self::Stopped | Self::ShuttingDown | Self::Terminated => true,
            Self::Pending | Self::Running => false,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// Why an instance is in its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StateReason {
    /// A call stopped or terminated it.
    UserInitiated,
    /// Its program ended by itself.
    InstanceInitiated { how: String },
    /// Its program could not be started at all.
    LaunchFailed { why: String },
}

impl StateReason {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UserInitiated => "Client.UserInitiatedShutdown",
            Self::InstanceInitiated { .. } => "Client.InstanceInitiatedShutdown",
            Self::LaunchFailed { .. } => "Server.InternalError",
        }
    }

    /// The short form, which EC2 has for what users did only.
    pub(crate) const fn transition(&self) -> &'static str {
        match self {
            Self::UserInitiated => "User initiated",
            Self::InstanceInitiated { .. } | Self::LaunchFailed { .. } => "",
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::UserInitiated => format!("{}: User initiated shutdown", self.code()),
            Self::InstanceInitiated { how } => {
                format!("{}: Instance initiated shutdown ({how})", self.code())
            }
            Self::LaunchFailed { why } => format!("{}: Internal error on launch ({why})", self.code()),
        }
    }
}

impl Phase {
    pub(crate) const fn state(self) -> InstanceState {
        match self {
            Self::Pending { .. } => InstanceState::Pending,
            Self::Running => InstanceState::Running,
            Self::Stopping { .. } => InstanceState::Stopping,
            Self::Stopped => InstanceState::Stopped,
            Self::ShuttingDown { .. } => InstanceState::ShuttingDown,
            Self::Terminated { .. } => InstanceState::Terminated,
        }
    }

    /// When time alone moves it on; none while it waits for its program, or for nothing.
    pub(crate) const fn due(self) -> Option<At> {
        match self {
            Self::Pending { running_at } => Some(running_at),
            Self::Stopping { not_before, program: Program::Ended }
            | Self::ShuttingDown { not_before, program: Program::Ended } => Some(not_before),
            Self::Stopping { program: Program::Ending, .. }
            | Self::ShuttingDown { program: Program::Ending, .. }
            | Self::Running
            | Self::Stopped
            | Self::Terminated { .. } => None,
        }
    }

    /// The phase after its time has come, or itself.
    pub(crate) fn at(self, now: At) -> Self {
        match self.due() {
            Some(due) if due <= now => match self {
                Self::Pending { .. } => Self::Running,
                Self::Stopping { .. } => Self::Stopped,
                Self::ShuttingDown { .. } => Self::Terminated { at: due },
                Self::Running | Self::Stopped | Self::Terminated { .. } => self,
            },
            Some(_) | None => self,
        }
    }

    /// The phase after the program has ended, by itself or because it was told to.
    pub(crate) const fn program_ended(self) -> Self {
        match self {
            Self::Stopping { not_before, .. } => Self::Stopping { not_before, program: Program::Ended },
            Self::ShuttingDown { not_before, .. } => {
                Self::ShuttingDown { not_before, program: Program::Ended }
            }
            Self::Running => Self::Stopped,
            Self::Pending { .. } | Self::Stopped | Self::Terminated { .. } => self,
        }
    }
}

impl Instance {
    pub(crate) const fn state(&self) -> InstanceState {
        self.phase.state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_waits_for_the_program_and_for_its_time() {
        let soon = At::from_ms(10);
        let stopping = Phase::Stopping { not_before: soon, program: Program::Ending };
        assert_eq!(stopping.at(At::from_ms(99)), stopping, "the program still runs");
        let ended = stopping.program_ended();
        assert_eq!(ended.at(At::from_ms(9)), ended, "it is too early");
        assert_eq!(ended.at(soon), Phase::Stopped);
    }

    #[test]
    fn a_program_that_ends_by_itself_stops_its_instance() {
        assert_eq!(Phase::Running.program_ended(), Phase::Stopped);
    }

    #[test]
    fn a_terminated_instance_stays_terminated() {
        let terminated = Phase::Terminated { at: At::from_ms(3) };
        assert_eq!(terminated.at(At::from_ms(999)).program_ended(), terminated);
    }
}
