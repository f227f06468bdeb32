//! How each service says that a call is not among what its credentials may do.
//!
//! Only actions are denied, never single resources, and there is nothing to allow: whoever wants to see what
//! their tool says without a permission takes it away by `credentials.deny`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use super::params::Params;
use crate::credentials::Credentials;
use crate::world::Refusal;

/// Every pair of keys belongs to this user.
const USER: &str = "arn:aws:iam::111122223333:user/sandbox";

/// As EC2 says it.
#[derive(Debug, thiserror::Error)]
#[error(
    "You are not authorized to perform this operation. User: {USER} is not authorized to perform: {0} because \
     no identity-based policy allows the {0} action."
)]
pub(super) struct Ec2Denied(String);

/// As ELBv2 says it.
#[derive(Debug, thiserror::Error)]
#[error(
    "User: {USER} is not authorized to perform: {0} because no identity-based policy allows the {0} action"
)]
pub(super) struct ElbDenied(String);

/// Why EC2 denies a call, if it does. A launch that tags what it launches takes the permission to tag too.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
pub(super) fn ec2(credentials: &Credentials, action: &str, tags_too: Tags) -> Option<Ec2Denied> {
    let tagging = (action == "RunInstances" && tags_too == Tags::Asked).then_some("ec2:CreateTags");
    let action = format!("ec2:{action}");
    let denied = credentials.denied(std::iter::once(action.as_str()).chain(tagging))?;
    Some(Ec2Denied(denied.to_owned()))
}

/// Why ELBv2 denies a call, if it does.
pub(super) fn elb(credentials: &Credentials, action: &str) -> Option<ElbDenied> {
    let action = format!("elasticloadbalancing:{action}");
    credentials.denied(std::iter::once(action.as_str())).map(|denied| ElbDenied(denied.to_owned()))
}

/// Whether a call asks for tags beside what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    Asked,
    None,
}

impl Tags {
    pub(super) fn of(params: &Params) -> Self {
        if params.has_list("TagSpecification") { Self::Asked } else { Self::None }
    }
}

impl Refusal for Ec2Denied {
    fn code(&self) -> &'static str {
        "UnauthorizedOperation"
    }

    fn status(&self) -> u16 {
        403
    }

    fn is_unknown_action(&self) -> bool {
        false
    }
}

impl Refusal for ElbDenied {
    fn code(&self) -> &'static str {
        "AccessDenied"
    }

    fn status(&self) -> u16 {
        403
    }

    fn is_unknown_action(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(action: &str) -> Credentials {
        Credentials { deny: vec![action.to_owned()], ..Credentials::default() }
    }

    #[test]
    fn an_action_is_denied_by_its_name_in_the_words_of_its_service() {
        let stops = without("ec2:StopInstances");
        let denied = ec2(&stops, "StopInstances", Tags::None).expect("denied");
        assert_eq!((denied.code(), denied.status()), ("UnauthorizedOperation", 403));
        assert!(denied.to_string().contains("not authorized to perform: ec2:StopInstances"), "{denied}");
        assert!(
            ec2(&stops, "StartInstances", Tags::None).is_none() && elb(&stops, "StopInstances").is_none()
        );

        let targets = without("elasticloadbalancing:RegisterTargets");
        let denied = elb(&targets, "RegisterTargets").expect("denied");
        assert_eq!((denied.code(), denied.status()), ("AccessDenied", 403));
    }

    #[test]
    fn a_launch_with_tags_takes_the_permission_to_tag() {
        let tags = without("ec2:CreateTags");
        assert!(ec2(&tags, "RunInstances", Tags::None).is_none());
        let denied = ec2(&tags, "RunInstances", Tags::Asked).expect("denied");
        assert!(denied.to_string().contains("ec2:CreateTags"), "{denied}");
    }
}
