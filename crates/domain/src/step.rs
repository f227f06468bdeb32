//! The steps of a journey, out and back.

use std::fmt;

use crate::plan::Kind;

/// One small goal inside a release, done before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The plan's facts hold: the AMI is there, blue is counted.
    Resolve,
    /// Every named check passed or was overridden.
    Preflight,
    /// As many instances run as the plan says.
    Launch,
    /// Every new instance says that it is the new version.
    Configure,
    /// Every new instance answers fast.
    Warm,
    /// Every new instance is healthy by the load balancer's word, reachable by its slot, and has its share.
    Admit,
    /// Green proved itself under real traffic.
    Observe,
    /// No new board opens on blue.
    Close,
    /// No board lives on blue.
    Handover,
    /// Blue is out of the load balancer and stopped.
    Retire,
    /// It was told.
    Announce,
    /// Way back: blue runs, is healthy, open and has its old share.
    Reopen,
    /// Way back: no new board opens on green.
    Shut,
    /// Way back: no board lives on green.
    Return,
    /// Way back: what this release brought is gone.
    Discard,
}

impl Step {
    pub const ALL: [Self; 15] = [
        Self::Resolve,
        Self::Preflight,
        Self::Launch,
        Self::Configure,
        Self::Warm,
        Self::Admit,
        Self::Observe,
        Self::Close,
        Self::Handover,
        Self::Retire,
        Self::Announce,
        Self::Reopen,
        Self::Shut,
        Self::Return,
        Self::Discard,
    ];

    /// The way out of a journey of this kind.
    pub fn way_out(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Canary => &[
                Self::Resolve,
                Self::Preflight,
                Self::Launch,
                Self::Configure,
                Self::Warm,
                Self::Admit,
                Self::Observe,
                Self::Announce,
            ],
            Kind::Full => &[
                Self::Resolve,
                Self::Preflight,
                Self::Launch,
                Self::Configure,
                Self::Warm,
                Self::Admit,
                Self::Observe,
                Self::Close,
                Self::Handover,
                Self::Retire,
                Self::Announce,
            ],
            // Blue was proven once already: minutes, no bake.
            Kind::Rollback => &[
                Self::Resolve,
                Self::Preflight,
                Self::Launch,
                Self::Configure,
                Self::Warm,
                Self::Admit,
                Self::Close,
                Self::Handover,
                Self::Retire,
                Self::Announce,
            ],
        }
    }

    /// The way back from `reached`: what has to be undone, in reverse order of how it was done.
    pub fn way_back(reached: Self) -> &'static [Self] {
        match reached {
            Self::Resolve | Self::Preflight => &[],
            Self::Launch | Self::Configure | Self::Warm => &[Self::Discard],
            Self::Admit
            | Self::Observe
            | Self::Close
            | Self::Handover
            | Self::Retire
            | Self::Announce
            | Self::Reopen
            | Self::Shut
            | Self::Return
            | Self::Discard => &[Self::Reopen, Self::Shut, Self::Return, Self::Discard],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Preflight => "preflight",
            Self::Launch => "launch",
            Self::Configure => "configure",
            Self::Warm => "warm",
            Self::Admit => "admit",
            Self::Observe => "observe",
            Self::Close => "close",
            Self::Handover => "handover",
            Self::Retire => "retire",
            Self::Announce => "announce",
            Self::Reopen => "reopen",
            Self::Shut => "shut",
            Self::Return => "return",
            Self::Discard => "discard",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a step came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The world was already as the step wants it.
    FoundDone,
    /// This release did it.
    Did,
    /// It was in flight when another daemon, or the same one before it died, left it.
    TookOver,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_found_by_its_own_name() {
        for step in Step::ALL {
            assert_eq!(Step::named(step.name()), Some(step));
        }
    }
}
