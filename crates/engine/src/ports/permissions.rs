//! Whether calls would be allowed, asked without making them.

use async_trait::async_trait;
use segue_domain::ids::{ForwardArn, GroupArn, ImageId, InstanceId, InstanceType, SubnetId, TemplateId};

use super::CallError;

/// AWS's own word on what these credentials may do. Nothing is ever changed by a question: what would change
/// something is asked with EC2's `DryRun`, and what AWS offers no dry run for is not asked.
#[async_trait]
pub trait Permissions: Send + Sync {
    async fn ask(&self, question: &Question) -> Result<Answer, CallError>;
}

/// A call that may be allowed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Reading, of images, instances, launch templates and subnets.
    Describe(Described),
    /// One instance, with the tags that every launch carries.
    Launch {
        template: TemplateId,
        image: ImageId,
        subnet: SubnetId,
        /// None: the template's own.
        instance_type: Option<InstanceType>,
    },
    Start(InstanceId),
    Stop(InstanceId),
    Terminate(InstanceId),
    /// Tags on what runs already.
    Tag(InstanceId),
    /// Read for real: Elastic Load Balancing knows no dry run.
    Forward(ForwardArn),
    /// Read for real, as well.
    Targets(GroupArn),
}

/// What EC2 describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    Images,
    Instances,
    Templates,
    Subnets,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It would be done.
    Allowed,
    /// The credentials are good, and this is not among what they may do.
    Denied(String),
    /// AWS does not take the credentials.
    NotTaken(String),
    /// AWS takes them elsewhere: they were used for a region that is not this one.
    ElsewhereOnly(String),
    /// There are none, or their source did not answer. Nothing was sent.
    NoCredentials(String),
    /// It was refused for another reason before the permission was looked at.
    Unsaid(String),
    /// It was answered as if it had been called for real, and perhaps it was: whoever answers keeps no dry runs.
    Real(String),
}

impl Question {
    /// Made for real it would change nothing.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Describe(_) | Self::Forward(_) | Self::Targets(_) => true,
            Self::Launch { .. } | Self::Start(_) | Self::Stop(_) | Self::Terminate(_) | Self::Tag(_) => false,
        }
    }

    /// The call as AWS spells it.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Describe(Described::Images) => "DescribeImages",
            Self::Describe(Described::Instances) => "DescribeInstances",
            Self::Describe(Described::Templates) => "DescribeLaunchTemplates",
            Self::Describe(Described::Subnets) => "DescribeSubnets",
            Self::Launch { .. } => "RunInstances",
            Self::Start(_) => "StartInstances",
            Self::Stop(_) => "StopInstances",
            Self::Terminate(_) => "TerminateInstances",
            Self::Tag(_) => "CreateTags",
            Self::Forward(forward) if forward.is_rule() => "DescribeRules",
            Self::Forward(_) => "DescribeListeners",
            Self::Targets(_) => "DescribeTargetHealth",
        }
    }
}
