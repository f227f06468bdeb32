//! The one pair of keys that the sandbox takes signatures of.
//!
//! It guards nothing: its secret is told to whoever starts a sandbox. It is there so that clients are tried
//! with signing, as AWS tries them.

use serde::{Deserialize, Serialize};

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// Names the pair in every signature.
    pub access_key_id: String,
    /// What calls are signed with.
    pub secret_access_key: String,
    /// What they may not do, as policies write it: `ec2:TerminateInstances`. Everything else they may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            access_key_id: "sandbox".to_owned(),
            secret_access_key: "sandbox".to_owned(),
            deny: Vec::new(),
        }
    }
}

impl Credentials {
    /// What is wrong with it, if anything.
    pub(crate) fn mistakes(&self) -> Vec<&'static str> {
        let mut mistakes = Vec::new();
        // It stands within a header, between a `=` and a `/`.
        let id = &self.access_key_id;
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            mistakes.push("credentials.access_key_id must be letters, digits, _ or -");
        }
        if self.secret_access_key.is_empty() {
            mistakes.push("credentials.secret_access_key must not be empty");
        }
        let is_action = |action: &String| {
            let parts = action.split_once(':');
            parts.is_some_and(|(service, name)| {
                matches!(service, "ec2" | "elasticloadbalancing")
                    && !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric())
            })
        };
        if !self.deny.iter().all(is_action) {
            mistakes.push("credentials.deny lists actions like ec2:RunInstances");
        }
        mistakes
    }

    /// The action that these credentials may not do, of those that a call takes.
    pub(crate) fn denied<'a>(&self, mut actions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        actions.find(|action| self.deny.iter().any(|denied| denied == action))
    }
}
