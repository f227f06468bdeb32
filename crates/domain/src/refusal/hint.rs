//! What whoever was refused can do: a command that can be pasted, wherever there is one.

use super::{Refusal, Standing, list};
use crate::decision::Verdict;
use crate::ids::{ReleaseId, ServiceName, Version};
use crate::plan::Kind;

const VERSION_UNKNOWN: &str = "check the AMI's releaseVersion tag, its service tag and the region";
const NO_IMAGES: &str = "AMIs are found by the tags that `service.images` names and by releaseVersion, in the service's \
                         region: `segue check --config FILE` says which; build one, or mend the tags";
const NOTHING_RUNS: &str = "register the running servers in a colour group; `segue adopt SERVICE` takes in what Segue did not \
                            launch";
const TAGS_REFUSED: &str = "allow the daemon's role ec2:CreateTags on instances, then ask again";
const NO_FREE_COLOUR: &str =
    "one of the two must be empty: deregister what does not belong there, once it has no boards";
const NO_FREE_CANARY_GROUP: &str = "a full release of another version frees the groups of canaries that are still up; \
                                    or configure one more group (three at most)";
const GROUP_NOT_FORWARDED: &str =
    "add the group to the forward action with weight 0, so that its health is checked";
const NOBODY_FOR_BALANCER: &str =
    "raise `launch.size`: each load balancer gets its users by DNS, and needs a server of its own";
const AT_TWO_BALANCERS: &str =
    "deregister them from the groups of one: each server belongs to one load balancer";
const IMAGE_GONE: &str = "build the AMI again, or name another version";
const TEMPLATE_GONE: &str = "make the launch template, or give the id of another one as `launch.template`";
const CANNOT_SEE: &str = "nothing was changed: mend what it names and ask again. Credentials are the daemon's own, in its \
                          environment or its role; `segue check --config FILE`, run as the daemon is, looks at everything that a \
                          release needs";
const NOT_SERVED: &str = "ask again in a moment; where another daemon holds the lease, ask that one";
const NO_WAY_BACK: &str = "let it end, then release the earlier version again";
const KEY_REUSED: &str = "send a new Idempotency-Key for a new request";
const SERVICE_UNKNOWN: &str = "`segue status` lists the services";
const RELEASE_UNKNOWN: &str = "`segue history` lists the releases";
const PLAN_STALE: &str =
    "make the plan again (`segue plan SERVICE --kind KIND --out FILE`), look at it, and hand that one in";
const PLAN_INVALID: &str = "make the plan again (`segue plan SERVICE --kind KIND --out FILE`, `segue adopt SERVICE`), and hand it in \
                            as it is";
const REQUEST_INVALID: &str = "nothing was changed: mend what it names, and ask again";

impl Refusal {
    /// What the asker can do.
    pub fn hint(&self) -> String {
        let fixed = match self {
            Self::ReleaseActive { active } => return release_active(active),
            Self::VersionRunning { service, version, kind, is_canary } => {
                return version_running(service, version, *kind, *is_canary);
            }
            Self::NothingNew { taken_back, .. } => return nothing_new(taken_back.as_ref()),
            Self::StrangersServe { service, .. } => return strangers_serve(service),
            Self::AdoptionChanged { service, .. } => {
                return format!("look at it again: `segue adopt {service}`");
            }
            Self::NothingBefore { service, served } => return nothing_before(service, served),
            Self::ReleaseOver { release, verdict } => return release_over(release, verdict),
            Self::NotNow { release, state, .. } => return not_now(release, *state),
            Self::Unfit(unfit) => return unfit.hint(),
            Self::VersionUnknown { .. } => VERSION_UNKNOWN,
            Self::NoImages {} => NO_IMAGES,
            Self::NothingRuns {} => NOTHING_RUNS,
            Self::TagsRefused { .. } => TAGS_REFUSED,
            Self::NoFreeColour { .. } => NO_FREE_COLOUR,
            Self::NoFreeCanaryGroup {} => NO_FREE_CANARY_GROUP,
            Self::GroupNotForwarded { .. } => GROUP_NOT_FORWARDED,
            Self::NobodyForBalancer { .. } => NOBODY_FOR_BALANCER,
            Self::AtTwoBalancers { .. } => AT_TWO_BALANCERS,
            Self::ImageGone { .. } => IMAGE_GONE,
            Self::TemplateGone { .. } => TEMPLATE_GONE,
            Self::CannotSee { .. } => CANNOT_SEE,
            Self::NotServed { .. } => NOT_SERVED,
            Self::NoWayBack { .. } => NO_WAY_BACK,
            Self::KeyReused { .. } => KEY_REUSED,
            Self::ServiceUnknown { .. } => SERVICE_UNKNOWN,
            Self::ReleaseUnknown { .. } => RELEASE_UNKNOWN,
            Self::PlanStale { .. } => PLAN_STALE,
            Self::PlanInvalid { .. } => PLAN_INVALID,
            Self::RequestInvalid { .. } => REQUEST_INVALID,
        };
        fixed.to_owned()
    }
}

fn release_active(active: &ReleaseId) -> String {
    format!(
        "`segue status {active} --watch` says what it waits for: wait for it, say the word that it asks for, or end it \
         (`segue abort {active}`)"
    )
}

fn version_running(service: &ServiceName, version: &Version, kind: Kind, is_canary: bool) -> String {
    match (kind, is_canary) {
        (_, true) => format!(
            "`segue release {service} --version {version}` carries the whole service to it; a release of another version \
             takes it away"
        ),
        (Kind::Rollback, false) => format!(
            "name another one: `segue rollback {service} --to VERSION`; `segue history {service}` lists what was released"
        ),
        (Kind::Canary | Kind::Full, false) => nothing_new(None),
    }
}

fn nothing_new(taken_back: Option<&(Version, ReleaseId)>) -> String {
    match taken_back {
        Some((version, rollback)) => format!(
            "build an AMI of a newer version; to try {version} once more: `segue canary {} --version {version}`",
            rollback.service
        ),
        None => "build an AMI of a newer version, or name another one with --version".to_owned(),
    }
}

fn strangers_serve(service: &ServiceName) -> String {
    format!(
        "`segue adopt {service}` takes them in; deregister what does not belong there. Servers that Segue launched carry \
         its tags: if these do, see that `name` of the service is what their tag segue:service says"
    )
}

fn nothing_before(service: &ServiceName, served: &[Version]) -> String {
    match served.is_empty() {
        true => format!("nothing was released here yet: `segue history {service}`"),
        false => format!(
            "name the version: `segue rollback {service} --to VERSION`, to one that served here: {}",
            list(served)
        ),
    }
}

fn release_over(release: &ReleaseId, verdict: &Verdict) -> String {
    let service = &release.service;
    match verdict {
        Verdict::Passed => format!(
            "a canary that passed serves until a release of another version takes it away (`segue status {service}` shows \
             whether it is up); `segue release {service} --version VERSION` carries the whole service to it"
        ),
        Verdict::Released => format!(
            "`segue history {service}` lists what came after {release}; if nothing did, `segue rollback {service}` goes back \
             from it"
        ),
        Verdict::Refused { .. } | Verdict::RolledBack { .. } | Verdict::Aborted { .. } => {
            format!("`segue history {service}` lists what came after {release}")
        }
    }
}

fn not_now(release: &ReleaseId, state: Standing) -> String {
    match state {
        Standing::Paused => format!("`segue resume {release}` goes on"),
        Standing::GoesOn | Standing::Asks | Standing::Holds | Standing::Over | Standing::GoesBack => {
            format!("`segue status {release}` says what it waits for")
        }
    }
}
