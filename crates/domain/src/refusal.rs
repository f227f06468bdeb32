//! Why a request was not taken: a stable code, a sentence and a hint. Nothing was changed.

mod hint;

use std::fmt;

use crate::adoption::{self, Unfit};
use crate::basis::{self, Difference};
use crate::decision::Verdict;
use crate::event::Word;
use crate::ids::{ForwardArn, GroupArn, InstanceId, ReleaseId, ServiceName, TemplateId, Version};
use crate::plan::Kind;

/// Declares refusals together with their codes, so that no code can be forgotten or given twice. What stands in
/// the brackets are declarations of their own, which it takes in whole.
macro_rules! refusals {
    (
        $all:ident [$($whole:ident),*]
        $($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } = $code:literal;)*
    ) => {
        /// A request that was not taken. Each code has a page in `docs/errors`.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $all {
            $($(#[$doc])* $name { $($field: $type),* },)*
            $($whole($whole),)*
        }

        impl $all {
            /// Every code of its own, for the test that none is given twice.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// The stable name of this refusal.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)*
                    $(Self::$whole(inner) => inner.code(),)*
                }
            }
        }

        $(impl From<$whole> for $all {
            fn from(inner: $whole) -> Self {
                Self::$whole(inner)
            }
        })*
    };
}

pub(crate) use refusals;

refusals! {
    Refusal [Unfit]
    /// Another release of this service is not over.
    ReleaseActive { active: ReleaseId } = "release-active";
    /// No AMI of the service carries this version.
    VersionUnknown { version: Version, newest: Vec<Version> } = "version-unknown";
    /// It is what runs today, or for a canary what one that passed serves already.
    VersionRunning { service: ServiceName, version: Version, kind: Kind, is_canary: bool } = "version-running";
    /// No AMI at all carries what the configuration asks for.
    NoImages {} = "no-images";
    /// A release without a version, and there is none newer than what runs, or only such as were taken back: the
    /// newest of them, and by which rollback.
    NothingNew { running: Version, taken_back: Option<(Version, ReleaseId)> } = "nothing-new";
    /// No healthy fleet of the service was found.
    NothingRuns {} = "nothing-runs";
    /// Servers that do not carry the service's tags are registered in its colour groups.
    StrangersServe { service: ServiceName, strangers: Vec<InstanceId> } = "strangers-serve";
    /// The world is not what it was when the plan of an adoption was shown.
    AdoptionChanged { service: ServiceName, differences: Vec<Difference> } = "adoption-changed";
    /// EC2 did not let the tags be written.
    TagsRefused { why: String } = "tags-refused";
    /// No earlier version is known to go back to by itself; these served the whole fleet at some time.
    NothingBefore { service: ServiceName, served: Vec<Version> } = "nothing-before";
    /// Both colours serve: which one is green cannot be told.
    NoFreeColour { groups: Vec<GroupArn> } = "no-free-colour";
    /// Every canary group has targets.
    NoFreeCanaryGroup {} = "no-free-canary-group";
    /// A target group of the configuration is not in the weighted forward.
    GroupNotForwarded { group: GroupArn } = "group-not-forwarded";
    /// The new fleet is too small to leave somebody at each load balancer that has users.
    NobodyForBalancer { forward: ForwardArn, size: u32 } = "nobody-for-balancer";
    /// Servers are registered in groups of two load balancers.
    AtTwoBalancers { instances: Vec<InstanceId> } = "at-two-balancers";
    /// The AMI that the plan needs is gone, though instances of it exist.
    ImageGone { version: Version } = "image-gone";
    /// The launch template of the configuration does not exist.
    TemplateGone { template: TemplateId } = "template-gone";
    /// What the outside world says could not be read.
    CannotSee { what: String } = "cannot-see";
    /// This daemon cannot act for the service now.
    NotServed { why: String } = "not-served";
    /// The release is over.
    ReleaseOver { release: ReleaseId, verdict: Verdict } = "release-over";
    /// The word makes no sense in this state.
    NotNow { release: ReleaseId, word: Word, state: Standing } = "not-now";
    /// Instances were terminated already.
    NoWayBack { release: ReleaseId } = "no-way-back";
    /// The same `Idempotency-Key` came with another body.
    KeyReused { key: String } = "key-reused";
    /// No service of this name is configured.
    ServiceUnknown { service: String, known: Vec<String> } = "service-unknown";
    /// No release of this name.
    ReleaseUnknown { release: String } = "release-unknown";
    /// The plan that was handed in stands on facts that are others now.
    PlanStale { differences: Vec<Difference> } = "plan-stale";
    /// What was handed in is no plan that this version can take.
    PlanInvalid { what: String } = "plan-invalid";
    /// A request that contradicts itself.
    RequestInvalid { what: String } = "request-invalid";
}

/// What a release does when a word to it makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    GoesOn,
    Paused,
    Asks,
    Holds,
    Over,
    GoesBack,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GoesOn => "going on",
            Self::Paused => "paused",
            Self::Asks => "asking",
            Self::Holds => "held",
            Self::Over => "over",
            Self::GoesBack => "on its way back",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReleaseActive { active } => write!(f, "{active} is not over yet"),
            Self::VersionUnknown { version, newest } => {
                write!(
                    f,
                    "no image of this service carries version {version}; the newest are {}",
                    list(newest)
                )
            }
            Self::VersionRunning { version, is_canary: false, .. } => {
                write!(f, "version {version} is what runs already")
            }
            Self::VersionRunning { version, is_canary: true, .. } => {
                write!(f, "version {version} serves already, as a canary")
            }
            Self::NoImages {} => f.write_str("no AMI of this service was found at all"),
            Self::NothingNew { running, taken_back: None } => {
                write!(f, "there is no version newer than {running}, which runs")
            }
            Self::NothingNew { running, taken_back: Some((version, rollback)) } => write!(
                f,
                "version {version} is newer than {running}, which runs, and was taken back by {rollback}"
            ),
            Self::NothingRuns {} => f.write_str("no running fleet of this service was found"),
            Self::StrangersServe { strangers, .. } => write!(
                f,
                "servers that Segue does not know are registered in the colour groups: {}",
                list(strangers)
            ),
            Self::AdoptionChanged { service, differences } => write!(
                f,
                "what would be taken into {service} is not what was shown: {}",
                adoption::changes(differences)
            ),
            Self::TagsRefused { why } => write!(f, "the tags were not written: {why}"),
            Self::NothingBefore { .. } => f.write_str("no earlier version is known to go back to"),
            Self::NoFreeColour { groups } => {
                write!(f, "both colour groups have targets that serve: {}", list(groups))
            }
            Self::NoFreeCanaryGroup {} => f.write_str("every canary group is in use"),
            Self::GroupNotForwarded { group } => {
                write!(f, "target group {group} is not in the service's weighted forward")
            }
            Self::NobodyForBalancer { forward, size } => f.write_str(&nobody_for(forward, *size)),
            Self::AtTwoBalancers { instances } => {
                write!(f, "registered at two load balancers of the service: {}", list(instances))
            }
            Self::ImageGone { version } => write!(f, "the image of version {version} is gone"),
            Self::TemplateGone { template } => write!(f, "there is no launch template {template}"),
            Self::CannotSee { what } => write!(f, "the daemon cannot see what runs: {what}"),
            Self::NotServed { why } => write!(f, "the service cannot be served now: {why}"),
            Self::ReleaseOver { release, verdict } => write!(f, "{release} is over: {}", verdict.name()),
            Self::NotNow { release, word, state } => {
                write!(f, "{} makes no sense while {release} is {state}", word.name())
            }
            Self::NoWayBack { release } => {
                write!(f, "{release} is past its point of no return: there is no way back")
            }
            Self::KeyReused { key } => write!(f, "the key {key:?} was used for another request"),
            Self::ServiceUnknown { service, known } => {
                write!(f, "no service {service:?} is configured; there is {}", list(known))
            }
            Self::ReleaseUnknown { release } => write!(f, "there is no release {release:?}"),
            Self::PlanStale { differences } => {
                let facts = basis::first(differences, ", ", |it| it.fact.clone());
                write!(f, "the world is not as it was when the plan was made: {facts}")
            }
            Self::RequestInvalid { what } | Self::PlanInvalid { what } => f.write_str(what),
            Self::Unfit(unfit) => unfit.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// A canary takes no `to`, a rollback takes no canary: said in one place.
    pub fn not_for(kind: Kind, what: &str) -> Self {
        Self::RequestInvalid { what: format!("a {kind} release takes no {what}") }
    }
}

fn nobody_for(forward: &ForwardArn, size: u32) -> String {
    format!(
        "with a new fleet of {size} nobody would serve the users of the load balancer {}",
        forward.balancer()
    )
}

pub(crate) fn list<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_given_twice() {
        let mut codes = [Refusal::CODES, Unfit::CODES].concat();
        let given = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), given);
    }
}
