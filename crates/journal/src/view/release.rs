//! What happened in a release.

use segue_domain::event::{CheckResult, Event};
use segue_domain::plan::Plan;
use segue_domain::step::How;

use super::{count, decision, effect, instances};

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::Planned(plan) => planned(plan),
        Event::StepEntered { step } => format!("{step} began"),
        Event::StepDone { step, how } => format!("{step} is done: {}", way(*how)),
        Event::Checked { check, result } => match result {
            CheckResult::Passed(said) => format!("the check {check} passed: {said}"),
            CheckResult::Failed(said) => format!("the check {check} failed: {said}"),
            CheckResult::Overridden { failed, reason } => {
                format!("the check {check} failed and was overridden: {failed}; {reason}")
            }
        },
        Event::Intended(intent) => {
            format!("about to {}, as {intent}", effect::sentence(&intent.effect))
        }
        Event::Ended { id, attempt, outcome } => {
            format!("{id} (try {attempt}) {}", effect::outcome(outcome))
        }
        Event::BatchRaised { batch, count: 0, lost, .. } if lost.is_empty() => {
            format!("batch {batch} is given up: nobody else is launched in it")
        }
        Event::BatchRaised { batch, count: 0, lost, .. } => {
            format!("batch {batch} gives up {}: nobody is launched in their place", instances(lost))
        }
        Event::BatchRaised { batch, attempt, count: wanted, lost } => {
            let wanted = count(*wanted, "instance");
            format!("batch {batch} lost {}; attempt {attempt} is to launch {wanted}", instances(lost))
        }
        Event::Joined { servers } => {
            format!("{} joined the old servers, and are left like them", instances(servers.keys()))
        }
        Event::SlotsLeased { routes } => {
            let leased: Vec<_> = routes.iter().map(|(id, route)| format!("{route} to {id}")).collect();
            format!("leased route slots: {}", super::list(leased.iter().map(String::as_str)))
        }
        Event::BakeBegan { start } => format!("the bake began with {}", instances(start.keys())),
        Event::EnoughBoards { boards } => {
            format!("the canary held {}, which is enough", count(*boards, "board"))
        }
        Event::BoardsCounted { on_blue } => {
            format!("{} lived on blue when it was closed", count(*on_blue, "board"))
        }
        Event::FoundEmpty { instance, sampled_at } => {
            format!("{instance} was empty at {}", super::time(*sampled_at))
        }
        Event::FoundOccupied { instance } => format!("{instance} is not empty any more"),
        Event::WayBackBegan { cause } => format!("the way back began: {cause}"),
        Event::PointOfNoReturn => "from here on there is no way back".to_owned(),
        Event::Asked { gate } => format!("asks: {}", decision::gate(gate)),
        Event::Held { reason } => format!("holds: {}", decision::reason(reason)),
        Event::Closed { verdict } => format!("ended: {}", decision::verdict(verdict)),
        Event::Said { actor, word, reason } => {
            let reason = reason.as_deref().map(|reason| format!(": {reason}"));
            format!("{actor} said {}{}", word.name(), reason.unwrap_or_default())
        }
    }
}

fn planned(plan: &Plan) -> String {
    let Plan { release, kind, service, image, from_version, blue, .. } = plan;
    format!(
        "planned {release}, a {kind} release of {} from {from_version} to {} ({}) in {}, {}: {} beside {}",
        service.name,
        image.version,
        image.id,
        service.environment,
        service.region,
        count(plan.green_size(), "new instance"),
        count(u64::try_from(blue.len()).unwrap_or(u64::MAX), "old one"),
    )
}

fn way(how: How) -> &'static str {
    match how {
        How::FoundDone => "found so",
        How::Did => "this release did it",
        How::TookOver => "taken over in flight",
    }
}
