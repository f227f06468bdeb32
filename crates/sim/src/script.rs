//! What the operators of one run want: releases, one after the other.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// The releases that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    Canary,
    Full,
    CanaryThenFull,
    /// Out, and back again.
    FullThenRollback,
    /// A canary of one version stays, and another version is released: its boards go across too.
    CanaryThenOther,
    /// The new version writes boards as the old one cannot read them: a person is asked.
    FullAndNoWayBack,
    /// A fleet whose servers can only send their clients away.
    FullAtLevelZero,
}

/// One release that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub kind: segue_domain::plan::Kind,
    pub version: &'static str,
}

impl Script {
    pub const ALL: &'static [Self] = &[
        Self::Canary,
        Self::Full,
        Self::CanaryThenFull,
        Self::FullThenRollback,
        Self::CanaryThenOther,
        Self::FullAndNoWayBack,
        Self::FullAtLevelZero,
    ];

    pub fn drawn(chance: Chance) -> Self {
        chance.one_of(Self::ALL).copied().unwrap_or(Self::Full)
    }

    pub fn wishes(self) -> Vec<Wish> {
        use segue_domain::plan::Kind::{Canary, Full, Rollback};
        let wish = |kind, version| Wish { kind, version };
        match self {
            Self::Canary => vec![wish(Canary, "2")],
            Self::Full | Self::FullAtLevelZero | Self::FullAndNoWayBack => vec![wish(Full, "2")],
            Self::CanaryThenFull => vec![wish(Canary, "2"), wish(Full, "2")],
            Self::FullThenRollback => vec![wish(Full, "2"), wish(Rollback, "1")],
            Self::CanaryThenOther => vec![wish(Canary, "3"), wish(Full, "2")],
        }
    }

    /// What the application can do in it.
    pub fn level(self) -> u8 {
        match self {
            Self::FullAtLevelZero => 0,
            Self::Canary
            | Self::Full
            | Self::CanaryThenFull
            | Self::FullThenRollback
            | Self::FullAndNoWayBack
            | Self::CanaryThenOther => 2,
        }
    }

    /// Versions that write what the others cannot read.
    pub fn writes_anew(self) -> &'static [&'static str] {
        if self == Self::FullAndNoWayBack { &["2"] } else { &[] }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Full => "full",
            Self::CanaryThenFull => "canary-then-full",
            Self::FullThenRollback => "full-then-rollback",
            Self::CanaryThenOther => "canary-then-other",
            Self::FullAndNoWayBack => "full-and-no-way-back",
            Self::FullAtLevelZero => "full-at-level-zero",
        }
    }
}
