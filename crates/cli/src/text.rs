//! Views of the API as text for people: aligned, readable without colour, the same everywhere.

mod adoption;

use std::fmt::Write as _;

use segue_api::{
    BoardsView, CheckVerdict, Count, FleetRole, FleetView, Health, History, Problem, ReleaseState,
    ReleaseView, ServiceList, ServiceView, StepOutcome, StepState, StepView, Time, Verdict, WaitingView,
};

pub(crate) use adoption::{adopted, adoption};

/// One release, whole: its steps with what each waits on, since when, until when, and what happens then.
pub(crate) fn release(release: &ReleaseView) -> String {
    let mut text = format!("{}\n", headline(release));
    line(&mut text, &format!("  by {}", by(release)));
    for check in release.checks.iter().filter(|check| check.verdict != CheckVerdict::Passed) {
        let verdict = match check.verdict {
            CheckVerdict::Passed => "passed",
            CheckVerdict::Failed => "failed",
            CheckVerdict::Overridden => "overridden",
        };
        line(&mut text, &format!("    check {} {verdict}: {}", check.name, check.sentence));
    }
    for each in &release.steps {
        step(&mut text, each);
    }
    if !release.way_back.is_empty() {
        line(&mut text, "  the way back");
        for each in &release.way_back {
            step(&mut text, each);
        }
    }
    if let Some(wait) = &release.waiting {
        waits(&mut text, "  ", wait);
    }
    line(&mut text, &format!("  boards: {}", boards_of(release)));
    if let Some(because) = &release.because {
        line(&mut text, &format!("  because: {} ({})", because.sentence, because.code));
        if let Some(hint) = &because.hint {
            line(&mut text, &format!("  hint: {hint}"));
        }
    }
    text
}

/// Of a release that is over nobody counts where boards are: the next one may have moved them.
fn boards_of(release: &ReleaseView) -> String {
    let BoardsView { moved, failed, on_blue, on_green, .. } = &release.boards;
    match release.state {
        ReleaseState::Closed => format!("{moved} moved, failed tries: {failed}"),
        ReleaseState::Running | ReleaseState::Paused | ReleaseState::Asking | ReleaseState::Held => {
            format!("{on_blue} on blue, {on_green} on green, {moved} moved, failed tries: {failed}")
        }
    }
}

/// `boards-12  full 2 after 1  running`
pub(crate) fn headline(release: &ReleaseView) -> String {
    let from = release.from_version.as_ref().map(|from| format!(" after {from}")).unwrap_or_default();
    format!("{}  {} {}{from}  {}", release.id, release.kind, release.version, state(release))
}

/// Who asked for it and why: `ada: the fix for Tuesday`.
fn by(release: &ReleaseView) -> String {
    let reason = release.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{reason}", release.actor)
}

/// What was accepted, and how to go on.
pub(crate) fn accepted(release: &ReleaseView) -> String {
    format!("{}\n`segue status {} --watch` shows it", headline(release), release.id)
}

/// One line: where a release is now.
pub(crate) fn now(release: &ReleaseView) -> String {
    let id = &release.id;
    match (release.state, &release.because) {
        (ReleaseState::Paused, _) => {
            return format!("{id}: paused and needs a person: `segue resume {id}` goes on");
        }
        (ReleaseState::Held | ReleaseState::Asking, Some(because)) => {
            let (sentence, code) = (&because.sentence, &because.code);
            return format!("{id}: {} and needs a person: {sentence} ({code})", state(release));
        }
        (ReleaseState::Held | ReleaseState::Asking | ReleaseState::Running | ReleaseState::Closed, _) => {}
    }
    let (what, waiting) = match release.current_step() {
        Some(step) => (step.name.as_str(), &step.waiting),
        None => (state(release), &release.waiting),
    };
    match waiting {
        Some(wait) => format!("{id}: {what}: {}", wait.on),
        None => format!("{id}: {what}"),
    }
}

fn state(release: &ReleaseView) -> &'static str {
    match (release.state, release.verdict) {
        (ReleaseState::Running, _) => "running",
        (ReleaseState::Paused, _) => "paused",
        (ReleaseState::Asking, _) => "asking",
        (ReleaseState::Held, _) => "held",
        (ReleaseState::Closed, Some(Verdict::Passed)) => "passed",
        (ReleaseState::Closed, Some(Verdict::Released)) => "released",
        (ReleaseState::Closed, Some(Verdict::RolledBack)) => "rolled back",
        (ReleaseState::Closed, Some(Verdict::Aborted)) => "aborted",
        (ReleaseState::Closed, Some(Verdict::Refused)) => "refused",
        (ReleaseState::Closed, None) => "closed",
    }
}

fn step(text: &mut String, step: &StepView) {
    let mark = match step.state {
        StepState::Pending => ' ',
        StepState::Running => '>',
        StepState::Done => '+',
        StepState::Failed => '!',
    };
    let how = match step.outcome {
        Some(StepOutcome::FoundDone) => "found done",
        Some(StepOutcome::Did) => "done",
        Some(StepOutcome::TookOver) => "taken over and done",
        None => "",
    };
    let seconds = step.seconds.map(|seconds| format!("{seconds} s")).unwrap_or_default();
    line(text, &format!("  {mark} {:<10} {seconds:>6}  {how}", step.name));
    if let Some(wait) = &step.waiting {
        waits(text, "      ", wait);
    }
}

fn waits(text: &mut String, margin: &str, wait: &WaitingView) {
    line(text, &format!("{margin}waits: {}", wait.on));
    line(text, &format!("{margin}{}", span(wait)));
}

fn span(wait: &WaitingView) -> String {
    match &wait.until {
        Some(until) => format!("since {}, until {}, then {}", clock(&wait.since), clock(until), wait.then),
        None => format!("since {}, {}", clock(&wait.since), wait.then),
    }
}

/// The time of day of a time stamp, which is what one compares with the clock on the wall (UTC).
fn clock(time: &Time) -> String {
    let written = time.to_string();
    written.get(11..19).map_or(written.clone(), |day| format!("{day}Z"))
}

pub(crate) fn history(history: &History) -> String {
    if history.releases.is_empty() {
        return "no releases yet".to_owned();
    }
    let row =
        |release: &ReleaseView| format!("{}  {}  by {}", release.created_at, headline(release), by(release));
    history.releases.iter().map(row).collect::<Vec<_>>().join("\n")
}

pub(crate) fn services(list: &ServiceList, active: &[ReleaseView]) -> String {
    let services: Vec<String> = list.services.iter().map(|it| service(it, active)).collect();
    if services.is_empty() { "no services are configured".to_owned() } else { services.join("\n") }
}

/// With those of the active releases that are its own.
pub(crate) fn service(service: &ServiceView, active: &[ReleaseView]) -> String {
    let version = service.version.as_deref().unwrap_or("unknown");
    let mut text =
        format!("{}  {} in {}  version {version}\n", service.name, service.environment, service.region);
    for release in active.iter().filter(|release| release.service == service.name) {
        line(&mut text, &format!("  {}", now(release)));
        line(&mut text, &format!("    `segue status {} --watch` says more", release.id));
    }
    if let Some(why) = &service.unknown {
        line(&mut text, &format!("  the fleets are unknown: {why}"));
        line(
            &mut text,
            "  hint: `segue check --config FILE`, run as the daemon is, says what is to be mended",
        );
    }
    for each in &service.fleets {
        fleet(&mut text, each);
    }
    if !service.strangers.is_empty() {
        let (name, strangers) = (&service.name, service.strangers.join(", "));
        line(&mut text, &format!("  not known: {strangers}: `segue adopt {name}` takes them in"));
    }
    text
}

fn fleet(text: &mut String, fleet: &FleetView) {
    let role = match fleet.role {
        FleetRole::Blue => "blue",
        FleetRole::Green => "green",
        FleetRole::Canary => "canary",
        FleetRole::Spare => "spare",
    };
    let count = fleet.instances.len();
    let plural = if count == 1 { "" } else { "s" };
    line(
        text,
        &format!(
            "  {role:<7} version {}  {count} instance{plural}  {} boards",
            fleet.version,
            boards(&fleet.boards)
        ),
    );
    for instance in &fleet.instances {
        let slot = instance.slot.as_deref().unwrap_or("-");
        let at = instance.load_balancer.as_ref().map_or_else(String::new, |name| format!(", at {name}"));
        line(
            text,
            &format!(
                "    {:<20} {:<10} {:<14} slot {slot:<5} {} boards, {} clients{at}",
                instance.id,
                format!("{:?}", instance.state).to_lowercase(),
                health(instance.health),
                instance.boards,
                instance.clients
            ),
        );
    }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Initial => "initial",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Draining => "draining",
        Health::Unused => "unused",
        Health::NotRegistered => "not registered",
        Health::Unknown => "unknown",
    }
}

fn boards(count: &Count) -> String {
    match count {
        Count::Known { count, .. } => count.to_string(),
        Count::Unknown { why } => format!("unknown ({why})"),
    }
}

/// A refusal that is this program's own, as the daemon's are told.
pub(crate) fn refusal(code: &str, sentence: &str, hint: &str) -> String {
    format!("refused ({code}): {sentence}\nhint: {hint}")
}

/// A refusal, or a failure of the daemon, as a person reads it.
pub(crate) fn problem(problem: &Problem) -> String {
    let word = if problem.status < 500 { "refused" } else { "error" };
    let mut text = format!("{word} ({}): {}", problem.code, problem.detail);
    for error in &problem.errors {
        // Each mistake on a line of its own.
        let _infallible = write!(text, "\n  {}: {}", error.place, error.detail);
    }
    if let Some(hint) = &problem.hint {
        let _infallible = write!(text, "\nhint: {hint}");
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}
