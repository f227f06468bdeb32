//! Which layers of safety are beside which mistake, and what becomes of a mistake while they are all there.

use crate::bug::Bug;

/// A layer of safety that can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// The laws that the product asserts before it writes what it decided (`segue_domain::laws`).
    Laws,
    /// What is missing where this other mistake is made.
    Without(Bug),
}

impl Layer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Laws => "laws",
            Self::Without(bug) => bug.name(),
        }
    }
}

/// What becomes of a mistake in the product as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A law names it.
    Found,
    /// The product sees it before anything is done, and holds the release; the hold names this law.
    Held(&'static str),
    /// Nothing is to be seen of it.
    Hidden,
}

/// All that is not simply found.
pub(super) const AS_IT_IS: &[(Bug, Fate)] = &[
    // Prometheus and the application would both have to be wrong.
    (Bug::UnknownIsZero, Fate::Hidden),
    (Bug::StaleIsFresh, Fate::Hidden),
    (Bug::NoRecheck, Fate::Hidden),
    // Whoever appends under a lease that is over does not know where the stream ends by now.
    (Bug::Unfenced, Fate::Hidden),
    (Bug::OneHome, Fate::Held("S20")),
    (Bug::TerminatesAtOnce, Fate::Held("S13")),
    (Bug::TerminatesOthers, Fate::Held("S6")),
    (Bug::PauseIgnored, Fate::Held("S19")),
    (Bug::PlanReloaded, Fate::Held("S20")),
    (Bug::BackAfterNoReturn, Fate::Held("S13")),
    (Bug::PaceIgnored, Fate::Held("S10")),
    (Bug::StepsSkipped, Fate::Held("S12")),
    (Bug::GateSkipped, Fate::Held("S18")),
    (Bug::ReleasedAllTheSame, Fate::Held("A6")),
];

/// The layers beside each mistake. Of two mistakes that are each other's layer one line is enough: it is one run, and
/// each alone is tried besides. Those that are not named have none: no other part of the product looks at the same
/// thing.
pub(super) const BESIDE: &[(Bug, Layer)] = &[
    (Bug::UnknownIsZero, Layer::Without(Bug::NoRecheck)),
    (Bug::StaleIsFresh, Layer::Without(Bug::NoRecheck)),
    (Bug::OneZero, Layer::Laws),
    (Bug::Unfenced, Layer::Without(Bug::Unplaced)),
    (Bug::NoGeneration, Layer::Without(Bug::Unfenced)),
    (Bug::LostIntent, Layer::Without(Bug::RandomToken)),
    (Bug::OneHome, Layer::Laws),
    (Bug::TerminatesAtOnce, Layer::Laws),
    (Bug::TerminatesOthers, Layer::Laws),
    (Bug::SlotTwice, Layer::Laws),
    (Bug::PauseIgnored, Layer::Laws),
    (Bug::PlanReloaded, Layer::Laws),
    (Bug::BackAfterNoReturn, Layer::Laws),
    (Bug::PaceIgnored, Layer::Laws),
    (Bug::StepsSkipped, Layer::Laws),
    (Bug::RetireWithoutEmpty, Layer::Laws),
    (Bug::GateSkipped, Layer::Laws),
    (Bug::ReleasedAllTheSame, Layer::Laws),
    (Bug::ReleaseHidden, Layer::Without(Bug::Unplaced)),
];
