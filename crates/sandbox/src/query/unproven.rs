//! How each service says that a call did not prove who made it.
//!
//! EC2 is older than the common sentences: an unsigned call lacks the parameter of EC2's first signatures, a
//! date that is far off has expired either way, and of the rest nothing is told. ELBv2 says what is wrong.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html>

use crate::signature::Unproven;
use crate::world::Refusal;

/// As EC2 says it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.said().2)]
pub(super) struct Ec2Unproven(pub(super) Unproven);

impl Ec2Unproven {
    /// Status, code and message.
    const fn said(&self) -> (u16, &'static str, &'static str) {
        match self.0 {
            Unproven::Unsigned => {
                (400, "MissingParameter", "The request must contain the parameter AWSAccessKeyId")
            }
            Unproven::Expired { .. } | Unproven::NotYetCurrent { .. } | Unproven::ExpiredToken => {
                (400, "RequestExpired", "Request has expired.")
            }
            Unproven::Incomplete(_)
            | Unproven::UnknownKey
            | Unproven::Misdirected(_)
            | Unproven::Mismatch => {
                (401, "AuthFailure", "AWS was not able to validate the provided access credentials")
            }
        }
    }
}

impl Refusal for Ec2Unproven {
    fn code(&self) -> &'static str {
        self.said().1
    }

    fn status(&self) -> u16 {
        self.said().0
    }

    fn is_unknown_action(&self) -> bool {
        false
    }
}

/// As ELBv2 says it; the message is the reason itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ElbUnproven(pub(super) Unproven);

impl ElbUnproven {
    /// Status and code.
    const fn said(&self) -> (u16, &'static str) {
        match self.0 {
            Unproven::Unsigned => (403, "MissingAuthenticationToken"),
            Unproven::Incomplete(_) => (400, "IncompleteSignature"),
            Unproven::UnknownKey => (403, "InvalidClientTokenId"),
            Unproven::ExpiredToken => (403, "ExpiredToken"),
            Unproven::Misdirected(_)
            | Unproven::Expired { .. }
            | Unproven::NotYetCurrent { .. }
            | Unproven::Mismatch => (403, "SignatureDoesNotMatch"),
        }
    }
}

impl Refusal for ElbUnproven {
    fn code(&self) -> &'static str {
        self.said().1
    }

    fn status(&self) -> u16 {
        self.said().0
    }

    fn is_unknown_action(&self) -> bool {
        false
    }
}
