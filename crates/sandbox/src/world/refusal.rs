//! Every way in which the stand-in says no, in AWS's codes and AWS's words.
//!
//! Source of codes and statuses: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
//! and <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html>. The sentences
//! are AWS's, capital letters and all, because clients of AWS show them.

use crate::names::{ImageId, InstanceId, SubnetId, TemplateId};

/// A service's way to say no; what it displays is the message.
pub(crate) trait Refusal: std::error::Error {
    /// The error code on the wire.
    fn code(&self) -> &'static str;

    /// The HTTP status.
    fn status(&self) -> u16;

    /// Whether nothing is wrong but that the sandbox has no such action.
    fn is_unknown_action(&self) -> bool;
}

/// Why EC2 refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ec2Refusal {
    #[error("Request would have succeeded, but DryRun flag is set.")]
    DryRun,
    #[error("The request must contain the parameter {0}")]
    MissingParameter(String),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("{0}")]
    InvalidParameterCombination(String),
    #[error("The parameter {0} is not recognized")]
    UnknownParameter(String),
    #[error("The action {0} is not valid for this web service.")]
    UnknownAction(String),
    #[error("The image id '[{0}]' does not exist")]
    ImageNotFound(ImageId),
    #[error("Invalid id: \"{0}\" (expecting \"ami-...\")")]
    ImageMalformed(String),
    #[error("The instance ID{} {} not exist", if .0.len() == 1 { "" } else { "s" }, quoted(.0))]
    InstanceNotFound(Vec<InstanceId>),
    #[error("Invalid id: \"{0}\"")]
    InstanceMalformed(String),
    #[error("The subnet ID '{0}' does not exist")]
    SubnetNotFound(SubnetId),
    #[error("The specified launch template, with template ID {0}, does not exist.")]
    TemplateNotFound(TemplateId),
    #[error("The specified launch template, with template name {0}, does not exist.")]
    TemplateNameNotFound(String),
    #[error(
        "Could not find launch template version {version} for the specified launch template ID {template}."
    )]
    TemplateVersionNotFound { template: TemplateId, version: u64 },
    #[error("Invalid launch template version: '{0}'.")]
    TemplateVersionMalformed(String),
    #[error(
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
    )]
    IdempotentParameterMismatch,
    #[error("The client token was used by a request whose instance has been terminated.")]
    IdempotentInstanceTerminated,
    #[error("The instance '{instance}' is not in a state from which it can be {verb}.")]
    IncorrectInstanceState { instance: InstanceId, verb: &'static str },
    #[error(
        "There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of instances."
    )]
    NoFreeAddresses { subnet: SubnetId },
    #[error(
        "You have requested more instances ({wanted}) than your current instance limit of {limit} allows."
    )]
    InstanceLimit { wanted: u32, limit: u32 },
    #[error("Request limit exceeded.")]
    Throttled,
    #[error(
        "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested \
         ({zone}). Our system will be working on provisioning additional capacity. You can currently get \
         {instance_type} capacity by not specifying an Availability Zone in your request or choosing {}.",
        .others.join(", ")
    )]
    NoCapacity { instance_type: String, zone: String, others: Vec<String> },
    #[error(
        "You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance \
         bucket that the specified instance type belongs to. Please visit \
         http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
    )]
    VcpuLimit { limit: u32 },
    #[error(
        "The instance '{instance}' may not be terminated. Modify its 'disableApiTermination' instance attribute \
         and try again."
    )]
    Protected { instance: InstanceId },
    #[error("The ID '{0}' is not valid")]
    UnknownResource(String),
    #[error("The maximum number of Tags for a resource has been reached.")]
    TagLimit,
}

fn quoted(ids: &[InstanceId]) -> String {
    let list = ids.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(", ");
    let verb = if ids.len() == 1 { "does" } else { "do" };
    format!("'{list}' {verb}")
}

impl Refusal for Ec2Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::DryRun => "DryRunOperation",
            Self::MissingParameter(_) => "MissingParameter",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::InvalidParameterCombination(_) => "InvalidParameterCombination",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::UnknownAction(_) => "InvalidAction",
            Self::ImageNotFound(_) => "InvalidAMIID.NotFound",
            Self::ImageMalformed(_) => "InvalidAMIID.Malformed",
            Self::InstanceNotFound(_) => "InvalidInstanceID.NotFound",
            Self::InstanceMalformed(_) => "InvalidInstanceID.Malformed",
            Self::SubnetNotFound(_) => "InvalidSubnetID.NotFound",
            Self::TemplateNotFound(_) => "InvalidLaunchTemplateId.NotFound",
            Self::TemplateNameNotFound(_) => "InvalidLaunchTemplateName.NotFoundException",
            Self::TemplateVersionNotFound { .. } => "InvalidLaunchTemplateId.VersionNotFound",
            Self::TemplateVersionMalformed(_) => "InvalidLaunchTemplateId.Malformed",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatch",
            Self::IdempotentInstanceTerminated => "IdempotentInstanceTerminated",
            Self::IncorrectInstanceState { .. } => "IncorrectInstanceState",
            Self::NoFreeAddresses { .. } => "InsufficientFreeAddressesInSubnet",
            Self::InstanceLimit { .. } => "InstanceLimitExceeded",
            Self::Throttled => "RequestLimitExceeded",
            Self::NoCapacity { .. } => "InsufficientInstanceCapacity",
            Self::VcpuLimit { .. } => "VcpuLimitExceeded",
            Self::Protected { .. } => "OperationNotPermitted",
            Self::UnknownResource(_) => "InvalidID",
            Self::TagLimit => "TagLimitExceeded",
        }
    }

    /// A dry run is a failed precondition, AWS owns up to two, and the rest are the caller's mistakes.
    fn status(&self) -> u16 {
        if matches!(self, Self::DryRun) {
            412
        } else if matches!(self, Self::NoCapacity { .. }) {
            500
        } else if matches!(self, Self::Throttled) {
            503
        } else {
            400
        }
    }

    fn is_unknown_action(&self) -> bool {
        matches!(self, Self::UnknownAction(_))
    }
}

/// Why Elastic Load Balancing refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElbRefusal {
    #[error("{0}")]
    Validation(String),
    #[error("Could not find operation {0} for version 2015-12-01")]
    UnknownAction(String),
    /// The code is what the service sends, whatever the page of common errors calls it.
    #[error("Rate exceeded")]
    Throttled,
    #[error("One or more target groups not found")]
    GroupNotFound,
    #[error("One or more listeners not found")]
    ListenerNotFound,
    #[error("One or more rules not found")]
    RuleNotFound,
    #[error("One or more load balancers not found")]
    BalancerNotFound,
    #[error("The following target groups cannot be associated with more than one load balancer: {0}")]
    GroupElsewhere(crate::names::GroupArn),
    #[error("{0}")]
    InvalidTarget(String),
    #[error("The maximum number of targets per {per} is {max}")]
    TooManyTargets { per: &'static str, max: usize },
    #[error("{0}")]
    InvalidLoadBalancerAction(String),
    #[error("{0}")]
    OperationNotPermitted(String),
}

impl Refusal for ElbRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationError",
            Self::UnknownAction(_) => "InvalidAction",
            Self::Throttled => "Throttling",
            Self::GroupNotFound => "TargetGroupNotFound",
            Self::ListenerNotFound => "ListenerNotFound",
            Self::RuleNotFound => "RuleNotFound",
            Self::BalancerNotFound => "LoadBalancerNotFound",
            Self::GroupElsewhere(_) => "TargetGroupAssociationLimit",
            Self::InvalidTarget(_) => "InvalidTarget",
            Self::TooManyTargets { .. } => "TooManyTargets",
            Self::InvalidLoadBalancerAction(_) => "InvalidLoadBalancerAction",
            Self::OperationNotPermitted(_) => "OperationNotPermitted",
        }
    }

    fn status(&self) -> u16 {
        400
    }

    fn is_unknown_action(&self) -> bool {
        matches!(self, Self::UnknownAction(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_instances_are_named_in_awss_words() {
        let one = Ec2Refusal::InstanceNotFound(vec!["i-1".into()]);
        assert_eq!(one.to_string(), "The instance ID 'i-1' does not exist");
        let two = Ec2Refusal::InstanceNotFound(vec!["i-1".into(), "i-2".into()]);
        assert_eq!(two.to_string(), "The instance IDs 'i-1, i-2' do not exist");
    }
}
