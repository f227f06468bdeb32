//! Names of the things that the sandbox keeps, one type each, so that an image is never passed where an
//! instance is meant.
//!
//! Deliberately not shared with the rest of the product: the sandbox stands in for AWS, and a stand-in that
//! shares code with what it stands in for proves nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

name! {
    /// `i-` and 17 hexadecimal digits.
    InstanceId
}
name! {
    /// `ami-` and 17 hexadecimal digits.
    ImageId
}
name! {
    /// `subnet-` and 17 hexadecimal digits.
    SubnetId
}
name! {
    /// `lt-` and 17 hexadecimal digits.
    TemplateId
}
name! {
    /// `r-` and 17 hexadecimal digits: what one `RunInstances` call reserved.
    ReservationId
}
name! {
    /// What a caller names a launch by, so that asking twice launches once. At most 64 ASCII characters.
    ClientToken
}
name! {
    /// The ARN of a target group.
    GroupArn
}
name! {
    /// The ARN of a listener rule.
    RuleArn
}
