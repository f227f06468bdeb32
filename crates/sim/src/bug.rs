//! Known mistakes, each planted on purpose from outside: by whoever decides, at a port, or in the journal. The product
//! has not a line for them. A simulation that does not find one of them proves nothing about it.

mod minds;
mod worlds;

use std::collections::BTreeSet;

use segue_journal::Lease;
use serde::{Deserialize, Serialize};

pub(crate) use minds::Misguided;
pub(crate) use worlds::Between;

/// Declares the bugs: name and sentence.
macro_rules! bugs {
    ($($name:ident = $text:literal $sentence:literal;)*) => {
        /// A known mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Bug {
            $(#[doc = $sentence] $name,)*
        }

        impl Bug {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }
        }
    };
}

bugs! {
    UnknownIsZero = "unknown-is-zero" "A number of boards that could not be read is taken for none.";
    StaleIsFresh = "stale-is-fresh" "An old sample is taken for a new one.";
    NoRecheck = "no-recheck" "The application's own word is not asked for: it is what Prometheus says.";
    OneZero = "one-zero" "One zero is taken for two.";
    StaysRegistered = "stays-registered" "Deregistration is forgotten.";
    LeavesEarly = "leaves-early" "Old servers are deregistered as soon as they are closed.";
    Unfenced = "unfenced" "The journal takes an append under a lease that is over.";
    Unplaced = "unplaced" "The journal takes an append wherever its stream ends by now.";
    NoGeneration = "no-generation" "Servers obey whoever calls.";
    RandomToken = "random-token" "Each launch has a token of its own.";
    LostIntent = "lost-intent" "A launch is begun before its intent is in the journal.";
    TokenReused = "token-reused" "What comes short is launched again under the first token.";
    BackWithoutCapacity = "back-without-capacity" "The way back does not look whether old servers serve.";
    CloseWithoutCapacity = "close-without-capacity" "Old servers are closed whether or not new ones serve.";
    OneForward = "one-forward" "Shares are set at the first load balancer, and taken for set at the others.";
    OneHome = "one-home" "Whoever is new serves at the first load balancer.";
    HealthRemembered = "health-remembered" "Health that was seen at the beginning of a step is believed to its end, pauses and all.";
    IllIsHealthy = "ill-is-healthy" "A server that fails the load balancer's checks is taken for healthy.";
    ActivateDropped = "activate-dropped" "A board is taken for moved when its new server never took it.";
    MovesToClosed = "moves-to-closed" "Boards are moved to a server that is closed.";
    MovesAnywhere = "moves-anywhere" "Boards are moved to whichever server has room, whichever load balancer their users come to.";
    SlotBelieved = "slot-believed" "A slot is taken to lead to its new server before it does.";
    SwitchesEarly = "switches-early" "Boards are switched before their clients have attached.";
    OfferLapses = "offer-lapses" "Clients give a move up while the others of their board are waited for.";
    WeightsDropped = "weights-dropped" "Shares are never changed, and taken for changed.";
    TerminatesAtOnce = "terminates-at-once" "Old servers are terminated where they should be stopped.";
    TerminatesOthers = "terminates-others" "A server that is not in the plan is ended with the others.";
    SlotTwice = "slot-twice" "Two servers get the same route slot.";
    WaitsForTheNotifier = "waits-for-the-notifier" "A release holds when it cannot tell.";
    PauseIgnored = "pause-ignored" "A pause stops nothing.";
    PlanReloaded = "plan-reloaded" "The newest image is launched, not the planned one.";
    AbortIgnored = "abort-ignored" "After blue is closed an abort is written as a word, and the way back is not.";
    BackAfterNoReturn = "back-after-no-return" "It turns back after the point of no return.";
    PaceIgnored = "pace-ignored" "All boards are moved in one wave.";
    NotConfigured = "not-configured" "A command whose end nobody saw is taken for done.";
    SentAway = "sent-away" "Clients are sent away where boards could be carried.";
    StepsSkipped = "steps-skipped" "A step begins before the one before it is done.";
    RetireWithoutEmpty = "retire-without-empty" "The handover is taken for done when its first wave has ended.";
    OrphansLeft = "orphans-left" "What a release launched is forgotten on the way back.";
    BlueStaysClosed = "blue-stays-closed" "The way back does not open old servers again.";
    GateSkipped = "gate-skipped" "Nobody is asked when there would be no way back.";
    RetriesAtOnce = "retries-at-once" "EC2's list is asked for again at once, and again, when it was not given.";
    ReleasedAllTheSame = "released-all-the-same" "An abort that was carried out is closed as a release.";
    ReleaseHidden = "release-hidden" "Whoever takes over does not read that a release is on.";
    KeptForNothing = "kept-for-nothing" "Old servers are terminated when the release is over.";
    KeptForEver = "kept-for-ever" "Nobody looks after old servers when the release is over.";
    JoinedIgnored = "joined-ignored" "Whoever joins the old servers in the middle is left as it is.";
    KeepsTurning = "keeps-turning" "A wave that moved nothing is begun again at once, for ever.";
}

/// The mistakes of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bugs(BTreeSet<Bug>);

impl Bugs {
    pub fn of(bugs: &[Bug]) -> Self {
        Self(bugs.iter().copied().collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.0.contains(&bug)
    }

    /// Whoever has the lease, an append goes through.
    pub(crate) fn lease_to_append_under(&self, lease: &Lease, newest: Option<Lease>) -> Lease {
        newest.filter(|_| self.has(Bug::Unfenced)).unwrap_or_else(|| lease.clone())
    }
}
