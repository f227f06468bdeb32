//! `segue plan`: what a release would do, shown and kept; and reading such a file again.

use std::path::Path;

use anyhow::{Context as _, Result};
use segue_api::{CheckVerdict, PlanView, ReleaseKind, ReleaseRequest};

use super::client;
use crate::args::{Common, Kind, PlanArgs};
use crate::exit::Exit;
use crate::output::{self, say};
use crate::text;

/// Longer than any plan that the daemon takes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

pub(super) async fn run(common: &Common, args: PlanArgs) -> Result<Exit> {
    let PlanArgs { service, kind, version, out } = args;
    let kind = match kind {
        Kind::Full => ReleaseKind::Full,
        Kind::Canary => ReleaseKind::Canary,
        Kind::Rollback => ReleaseKind::Rollback,
    };
    let (version, to) = match kind {
        ReleaseKind::Canary | ReleaseKind::Full => (version, None),
        ReleaseKind::Rollback => (None, version),
    };
    let overrides = Vec::new();
    let request = ReleaseRequest { service, kind, version, to, overrides, reason: None, plan: None };
    let plan = client(common)?.plan(&request).await?;
    if let Some(file) = &out {
        let text = serde_json::to_string_pretty(&plan)? + "\n";
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        let (kept, order) = (file.display(), order(&plan));
        let then = match plan.checks.iter().any(|check| check.verdict == CheckVerdict::Failed) {
            true => "would be refused as things are now",
            false => "does it",
        };
        say(&format!("kept in {kept}; `segue {order} --plan {kept}` {then}"));
    }
    output::data(common.output, &plan, text)?;
    Ok(Exit::Done)
}

/// The command that asks for such a release.
fn order(plan: &PlanView) -> String {
    let verb = match plan.kind {
        ReleaseKind::Canary => "canary",
        ReleaseKind::Full => "release",
        ReleaseKind::Rollback => "rollback",
    };
    format!("{verb} {}", plan.service)
}

/// A file that holds no plan for what was asked.
#[derive(Debug)]
pub(super) struct NoPlan {
    what: String,
    hint: String,
}

impl NoPlan {
    pub(super) fn told(&self) -> Exit {
        say(&text::refusal("plan-invalid", &self.what, &self.hint));
        Exit::Refused
    }
}

/// The plan in a file, for this service and kind. Whether it is what the daemon made, and whether it still holds,
/// the daemon says.
pub(super) fn read(file: &Path, service: &str, kind: ReleaseKind) -> Result<PlanView, NoPlan> {
    let again = || "`segue plan SERVICE --out FILE` makes one".to_owned();
    let unfit = |what: String| NoPlan { what: format!("{} {what}", file.display()), hint: again() };
    let length = std::fs::metadata(file).map_err(|error| unfit(format!("cannot be read: {error}")))?.len();
    if length > FILE_BYTES_MAX {
        return Err(unfit(format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unfit(format!("cannot be read: {error}")))?;
    let plan: PlanView = serde_json::from_str(&text).map_err(|error| {
        match serde_json::from_str::<segue_api::AdoptionPlan>(&text) {
            Ok(_) => unfit("is the plan of an adoption".to_owned()),
            Err(_) => unfit(format!("is no plan: {error}")),
        }
    })?;
    if plan.service != service || plan.kind != kind {
        let hint = format!("`segue {} --plan {}` is what it is for", order(&plan), file.display());
        let what = format!("{} is the plan of a {} release of {}", file.display(), plan.kind, plan.service);
        return Err(NoPlan { what, hint });
    }
    Ok(plan)
}

fn text(plan: &PlanView) -> String {
    let PlanView { release, kind, version, from_version, image, .. } = plan;
    let mut lines = vec![format!(
        "{release}: {kind} release of version {version} ({image}), from version {from_version}"
    )];
    for step in &plan.steps {
        let mut name = step.name.as_str();
        if step.calls.is_empty() {
            lines.push(format!("  {name:<10}only looks"));
        }
        for call in &step.calls {
            let times = call.times.filter(|times| *times != 1).map(|times| format!(" ({times} calls)"));
            lines.push(format!("  {name:<10}{}{}: {}", call.call, times.unwrap_or_default(), call.sentence));
            name = "";
        }
    }
    for check in &plan.checks {
        let verdict = match check.verdict {
            CheckVerdict::Passed => "passed",
            CheckVerdict::Failed => "would refuse",
            CheckVerdict::Overridden => "overridden",
        };
        lines.push(format!("check {}: {verdict}: {}", check.name, check.sentence));
    }
    for warning in &plan.warnings {
        lines.push(format!("warning ({}): {}", warning.code, warning.sentence));
        lines.extend(warning.hint.as_deref().map(|hint| format!("  hint: {hint}")));
    }
    lines.push("nothing was done".to_owned());
    lines.join("\n")
}
