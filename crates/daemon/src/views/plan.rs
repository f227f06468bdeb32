//! A plan, call by call.

use segue_api::{CallAt, Explanation, PlanBasis, PlanView, PlannedCall, PlannedStep, ReleaseKind};
use segue_domain::caution::{Caution, cautions};
use segue_domain::outline::{Deed, Outlined, outline};
use segue_domain::plan::Kind;
use segue_domain::preflight;
use segue_domain::state::ReleaseState;
use segue_domain::target::Weights;
use segue_domain::world::World;

use super::release::check;
use crate::words::{counted, group, some};

/// `None` when the release's name is none that the API can tell.
pub(crate) fn plan(basis: PlanBasis, state: &ReleaseState, world: &World) -> Option<PlanView> {
    let plan = &state.plan;
    let checks = preflight(state, world);
    Some(PlanView {
        basis,
        release: super::id(&plan.release)?,
        service: plan.service.name.to_string(),
        kind: match plan.kind {
            Kind::Canary => ReleaseKind::Canary,
            Kind::Full => ReleaseKind::Full,
            Kind::Rollback => ReleaseKind::Rollback,
        },
        version: plan.image.version.to_string(),
        from_version: plan.from_version.to_string(),
        image: plan.image.id.to_string(),
        steps: outline(plan).iter().map(step).collect(),
        checks: checks.iter().map(|(name, result)| check(name.as_str(), result)).collect(),
        warnings: cautions(plan, world).iter().map(|caution| warning(caution, state)).collect(),
    })
}

fn step(outlined: &Outlined) -> PlannedStep {
    let calls = outlined.deeds.iter().map(|deed| PlannedCall {
        at: if deed.is_aws() { CallAt::Aws } else { CallAt::Others },
        call: deed.call().to_owned(),
        times: deed.calls(),
        sentence: sentence(deed),
    });
    PlannedStep { name: outlined.step.to_string(), calls: calls.collect() }
}

fn sentence(deed: &Deed) -> String {
    match deed {
        Deed::Start { instances } => format!("stopped ones of this very AMI: {}", some(instances)),
        Deed::Launch { count, subnet, instance_type, image, template } => {
            let kind = instance_type.as_ref().map_or_else(String::new, |kind| format!(" as {kind}"));
            format!("{}{kind} in {subnet} from {image} by {template}", servers(*count))
        }
        Deed::Configure { servers: n, command } => {
            format!("`{}` for each of {}", command.join(" "), servers(*n))
        }
        Deed::WarmUp { servers: n, path } => format!("{path} of {}, until it answers fast", servers(*n)),
        Deed::Register { group: to, servers: n } => format!("{} in {}", servers(*n), group(to)),
        Deed::RegisterInSlots { servers: n } => {
            format!("each of {} in a free route slot", servers(*n))
        }
        Deed::Open { servers: n } => format!("{} for new boards, unless they are", servers(*n)),
        Deed::SetWeights { forward: _, before, after } => {
            format!("{} becomes {}", shares(before), shares(after))
        }
        Deed::Bake { at_least } => {
            format!("at least {} under real traffic, while the judge watches", seconds(*at_least))
        }
        Deed::CloseToNew { instances } => format!("no new boards on {}", some(instances)),
        Deed::Carry { from, level_max: 0 } => {
            format!("people of {} are asked to reconnect, paced", some(from))
        }
        Deed::Carry { from, level_max } => {
            format!(
                "every board of {}, at level {level_max} of the contract or what both sides can",
                some(from)
            )
        }
        Deed::Deregister { group: from, instances } => format!("{} from {}", some(instances), group(from)),
        Deed::Stop { instances } => some(instances),
        Deed::Terminate { instances, after } => {
            format!("{}, {} after the end of the release", some(instances), seconds(*after))
        }
        Deed::Announce => "that it is done".to_owned(),
    }
}

fn warning(caution: &Caution, state: &ReleaseState) -> Explanation {
    let (new, old) = (&state.plan.image.version, &state.plan.from_version);
    let (sentence, hint) = match caution {
        Caution::CannotRead { writes } => (
            format!(
                "version {new} cannot read {writes:?}, which version {old} writes: admit will fail and go back"
            ),
            "let the new version read what the old one writes",
        ),
        Caution::NoWayBack { blue_reads, green_writes } => (
            format!(
                "version {old} reads {} and not {green_writes:?}, which version {new} writes: admit will ask, and \
                 from the first board on there is no way back",
                some(blue_reads)
            ),
            "release a version in between that reads both, or be ready to say `segue promote`",
        ),
        Caution::FormatsUnknown => (
            format!(
                "no server of version {new} runs that could say what it writes: whether version {old} can read it, \
                 and so whether there is a way back, is known at admit, which asks if there is none"
            ),
            "a canary of the version shows it",
        ),
        Caution::Terminates { after } => (
            format!(
                "{} after its end the old servers are terminated; until then a rollback starts them again",
                seconds(*after)
            ),
            "`full.keep_old` says how long they are kept",
        ),
    };
    Explanation { code: caution.code().to_owned(), sentence, hint: Some(hint.to_owned()) }
}

fn servers(n: u32) -> String {
    counted(u64::from(n), "server")
}

/// Groups without a share say nothing.
fn shares(weights: &Weights) -> String {
    let with: Vec<String> = weights
        .iter()
        .filter(|(_, weight)| **weight > 0)
        .map(|(arn, weight)| format!("{} {weight}", group(arn)))
        .collect();
    if with.is_empty() { "no share at all".to_owned() } else { with.join(", ") }
}

fn seconds(span: std::time::Duration) -> String {
    let s = span.as_secs();
    match s {
        0 => format!("{} ms", span.as_millis()),
        1..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        _ => format!("{} h", s / 3_600),
    }
}
