//! What a stream folds to, in a few lines: everything by which a daemon goes on, in the format's own words, so that a
//! new name in the code changes nothing here.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use segue_domain::effect::Outcome;
use segue_domain::event::CheckResult;
use segue_domain::service_state::{ReleaseSummary, ServiceState};
use segue_domain::state::{Bake, EffectRecord, Leg, Promoted, ReleaseState, Stance, StepRecord};
use segue_domain::step::How;

/// Lines of a name and what is to be said of it; what has nothing to say is left out.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn say(&mut self, name: &str, what: impl Display) {
        let what = what.to_string();
        if !what.is_empty() {
            writeln!(self.0, "  {name}: {what}").expect("a string takes what is written to it");
        }
    }

    fn list<T: Display>(&mut self, name: &str, all: impl IntoIterator<Item = T>) {
        let all: Vec<String> = all.into_iter().map(|it| it.to_string()).collect();
        self.say(name, all.join(", "));
    }
}

pub(super) fn of_release(state: &ReleaseState) -> String {
    let mut lines = Lines::default();
    plan(&mut lines, state);
    course(&mut lines, state);
    servers(&mut lines, state);
    boards(&mut lines, state);
    lines.0
}

fn plan(lines: &mut Lines, state: &ReleaseState) {
    let plan = &state.plan;
    let (kind, to, from) = (plan.kind.name(), &plan.image.version, &plan.from_version);
    lines.say("release", format!("{kind} of {to} after {from}, floor {}", plan.floor));
    let level = plan.service.handover.level_max;
    let keep_old = plan.service.full.keep_old;
    lines.say("service", format!("level {level}, old servers are kept for {keep_old:?}"));
    lines.list("blue", &plan.blue);
    lines.list("spares", &plan.spares);
    lines.list("taken over", &plan.takeover);
    lines.list("after the canary", &plan.passed_canary);
    let batch = |batch: &segue_domain::plan::BatchPlan| format!("{} in {}", batch.count, batch.subnet);
    lines.list("batches wanted", plan.batches.iter().map(batch));
    let homes: BTreeMap<_, Vec<String>> = plan.homes.iter().fold(BTreeMap::new(), |mut homes, (id, home)| {
        homes.entry(home).or_default().push(id.to_string());
        homes
    });
    lines.list("homes", homes.iter().map(|(home, ids)| format!("{home} {}", ids.join(" "))));
    let shares = |weights: &segue_domain::target::Weights| {
        let shares = weights.values().map(ToString::to_string);
        shares.collect::<Vec<_>>().join("/")
    };
    let front = |front: &segue_domain::plan::Front| {
        let all = [&front.weights_before, &front.weights_shared, &front.weights_after].map(shares);
        format!("{} floor {} shares {}", front.forward, front.floor, all.join(" then "))
    };
    lines.list("fronts", plan.fronts.iter().map(front));
}

fn course(lines: &mut Lines, state: &ReleaseState) {
    let since = |at: segue_domain::time::Timestamp| format!("after {:?}", at.since(state.began_at));
    lines.say(
        "stance",
        match &state.stance {
            Stance::Going => "going".to_owned(),
            Stance::Paused { since: at } => format!("paused {}", since(*at)),
            Stance::Asking { since: at, .. } => format!("asking {}", since(*at)),
            Stance::Held { since: at, .. } => format!("held {}", since(*at)),
            Stance::Closed { verdict, at } => format!("closed as {} {}", verdict.name(), since(*at)),
        },
    );
    if let Leg::Back { cause, steps } = &state.leg {
        let steps: Vec<&str> = steps.iter().map(|step| step.name()).collect();
        lines.say("way back", format!("{cause}: {}", steps.join(" ")));
    }
    let step = |record: &StepRecord| {
        let how = record.done.as_ref().map(|(how, _)| match how {
            How::FoundDone => "found done",
            How::Did => "did",
            How::TookOver => "took over",
        });
        format!("{} {}", record.step.name(), how.unwrap_or("not done"))
    };
    lines.list("steps", state.steps.iter().map(step));
    let check = |(name, result): (&segue_domain::ids::CheckName, &CheckResult)| match result {
        CheckResult::Passed(_) => format!("{name} passed"),
        CheckResult::Failed(_) => format!("{name} failed"),
        CheckResult::Overridden { .. } => format!("{name} overridden"),
    };
    lines.list("checks", state.checks.iter().map(check));
    let effect = |(id, record): (&segue_domain::ids::EffectId, &EffectRecord)| {
        let end = record.ended.as_ref().map(|(outcome, _)| match outcome {
            Outcome::Done(_) => "done",
            Outcome::Refused { .. } => "refused",
            Outcome::Unknown(_) => "unknown",
        });
        format!("{id} ({}, try {}) {}", record.effect.verb(), record.attempt, end.unwrap_or("in flight"))
    };
    lines.list("effects", state.effects.iter().map(effect));
    lines.list("unseen", state.unseen.keys());
    lines.list("no way back", state.no_return.map(since));
    let yes = |promoted: Promoted| (promoted == Promoted::Yes).then_some("yes");
    lines.list("promoted", yes(state.promoted));
    lines.list("judged", yes(state.judged));
    let enough = |(at, able): (&Option<segue_domain::ids::ForwardArn>, &u32)| match at {
        Some(at) => format!("{able} at {at}"),
        None => format!("{able} in all"),
    };
    lines.list("enough", state.enough.iter().map(enough));
}

fn servers(lines: &mut Lines, state: &ReleaseState) {
    for (number, batch) in state.batches.iter().enumerate() {
        let ids = |ids: &std::collections::BTreeSet<segue_domain::ids::InstanceId>| {
            ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let (launched, lost) = (ids(&batch.launched), ids(&batch.lost));
        let what = format!("try {} of {}: launched [{launched}], lost [{lost}]", batch.attempt, batch.count);
        lines.say(&format!("batch {number}"), what);
    }
    lines.list("routes", state.routes.iter().map(|(id, route)| format!("{id} {route}")));
    lines.list("admitted", state.admitted.iter().flatten());
    lines.list("terminated", &state.terminated);
}

fn boards(lines: &mut Lines, state: &ReleaseState) {
    if let Some(Bake { start, enough_boards, .. }) = &state.bake {
        lines.say("bake", format!("of {} servers, enough boards {enough_boards:?}", start.len()));
    }
    lines.list("boards at close", state.boards_at_close);
    for (direction, tally) in &state.waves {
        let what = format!(
            "{} begun, {} boards and {} clients moved, {} exceptions, {} gone, {} fruitless",
            tally.begun,
            tally.boards_moved,
            tally.clients_moved,
            tally.exceptions,
            tally.gone,
            tally.fruitless
        );
        lines.say(&format!("waves {}", direction.name()), what);
    }
    lines.list("zeros", state.zeros.iter().map(|(id, zeros)| format!("{id} {}", zeros.len())));
    lines.list("occupied", state.occupied.keys());
}

pub(super) fn of_service(state: &ServiceState) -> String {
    let mut lines = Lines::default();
    let release = |it: &ReleaseSummary| {
        let end = it.ended.as_ref().map_or("on", |(verdict, _)| verdict.name());
        format!("{} {} of {} after {}: {end}", it.release, it.kind.name(), it.version, it.from_version)
    };
    lines.list("releases", state.releases.iter().map(release));
    lines.list("requests", state.requests.iter().map(|(key, (_, release))| format!("{key} {release}")));
    let adoption = |it: &segue_domain::service_state::Adoption| {
        let servers: Vec<String> =
            it.servers.iter().map(|(id, taken)| format!("{id} {}", taken.version)).collect();
        let end = it.ended.as_ref().map_or("on", |(outcome, _)| match outcome {
            Outcome::Done(_) => "done",
            Outcome::Refused { .. } => "refused",
            Outcome::Unknown(_) => "unknown",
        });
        format!("{} of {} ({}): {end}", it.number, servers.join(" "), it.digest)
    };
    lines.list("adoptions", state.adoptions.iter().map(adoption));
    lines.list("open", state.active().map(|it| it.release.to_string()));
    lines.0
}
