//! Why a server cannot be taken in. One that cannot stops all of them: half a fleet that Segue does not know
//! would be left behind by the next release.

use std::fmt;

use super::KnownBy;
use crate::ids::{InstanceId, Version};
use crate::instance::InstanceState;
use crate::refusal::{list, refusals};

refusals! {
    Unfit []
    /// It is a member of an Auto Scaling group, which would replace what Segue stops.
    OwnedByScalingGroup { group: String, instances: Vec<InstanceId> } = "owned-by-scaling-group";
    /// EC2 lists no such instance.
    InstanceUnknown { instance: InstanceId } = "instance-unknown";
    /// Its `segue:service` tag names another service.
    TaggedForAnotherService { instance: InstanceId, service: String } = "tagged-for-another-service";
    /// It does not serve this service: no group of the weighted forward lists it.
    InNoColourGroup { instance: InstanceId } = "in-no-colour-group";
    /// Only what runs can be looked at.
    NotRunning { instance: InstanceId, state: InstanceState } = "instance-not-running";
    /// Neither its AMI nor its application nor anybody says which version it runs.
    VersionUnreadable { instance: InstanceId, why: String } = "version-unreadable";
    /// Two say different things.
    VersionsContradict {
        instance: InstanceId,
        first: (KnownBy, Version),
        second: (KnownBy, Version)
    } = "versions-contradict";
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnedByScalingGroup { group, instances } => write!(
                f,
                "{} belong to the Auto Scaling group {group}: it would replace what a release stops, and end \
                 what a release keeps",
                list(instances)
            ),
            Self::InstanceUnknown { instance } => {
                write!(f, "EC2 knows no instance {instance} in this region")
            }
            Self::TaggedForAnotherService { instance, service } => {
                write!(f, "{instance} belongs to the service {service}, by its tag")
            }
            Self::InNoColourGroup { instance } => {
                write!(f, "{instance} is registered in none of this service's colour and canary groups")
            }
            Self::NotRunning { instance, state } => {
                write!(f, "{instance} is {state}: only a running server is taken in")
            }
            Self::VersionUnreadable { instance, why } => {
                write!(f, "nothing says which version {instance} runs: its AMI has no releaseVersion tag")?;
                match why.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", and its application could not be asked ({why})"),
                }
            }
            Self::VersionsContradict { instance, first: (by, version), second: (other_by, other) } => write!(
                f,
                "{instance} runs version {version} by {}, and {other} by {}",
                by.name(),
                other_by.name()
            ),
        }
    }
}

impl Unfit {
    /// What the asker can do.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::OwnedByScalingGroup { .. } => {
                "detach them from the group (its desired capacity goes down with them), see that the colour \
                 group still lists them, and ask again"
            }
            Self::InstanceUnknown { .. } => "check the id, the region and the account",
            Self::TaggedForAnotherService { .. } => {
                "see that `name` of the service in the daemon's configuration is right; if it is, deregister the \
                 server from this service's groups, or take its segue:service tag away if that is wrong"
            }
            Self::InNoColourGroup { .. } => {
                "register it in the colour group of its fleet first: what serves nobody is not taken in"
            }
            Self::NotRunning { .. } => {
                "start it or deregister it; or name those that shall be taken in with --instance"
            }
            Self::VersionUnreadable { .. } => "name the version with --version",
            Self::VersionsContradict { .. } => {
                "find out what runs there and mend what is wrong: an AMI's tag, an instance's tag, or --version"
            }
        }
        .to_owned()
    }
}
