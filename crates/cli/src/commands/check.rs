//! `segue check`: what has to be right before a release, one line each. It ends with 1 when something is not.

use std::path::Path;

use anyhow::Result;
use segue_daemon::{Check, CheckState};
use serde::Serialize;

use crate::args::Common;
use crate::exit::Exit;
use crate::output;

#[derive(Serialize)]
struct Report<'a> {
    failed: usize,
    checks: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    state: &'static str,
    sentence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

pub(super) async fn run(common: &Common, config: &Path) -> Result<Exit> {
    let checks = segue_daemon::check(config).await;
    let failed = checks.iter().filter(|check| check.state == CheckState::Fail).count();
    let report = Report { failed, checks: checks.iter().map(row).collect() };
    output::data(common.output, &report, text)?;
    if failed == 0 {
        return Ok(Exit::Done);
    }
    output::say(&format!(
        "{failed} of {} checks failed; docs/check.md explains each by its name",
        checks.len()
    ));
    Ok(Exit::Error)
}

fn row(check: &Check) -> Row<'_> {
    let Check { name, service, state, sentence, hint } = check;
    Row { name, service: service.as_deref(), state: state.word(), sentence, hint: hint.as_deref() }
}

/// A line for each check; the lines of a longer sentence, and what to do, stand below it.
fn text(report: &Report<'_>) -> String {
    let about = |row: &Row<'_>| match row.service {
        Some(service) => format!("{service} {}", row.name),
        None => row.name.to_owned(),
    };
    let width = report.checks.iter().map(|row| about(row).len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in &report.checks {
        let mut sentence = row.sentence.trim_end().lines();
        let first = sentence.next().unwrap_or_default();
        lines.push(format!("{:<4}  {:<width$}  {first}", row.state, about(row)));
        lines.extend(sentence.map(|line| format!("      {line}")));
        lines.extend(row.hint.map(|hint| format!("      hint: {hint}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_its_line_and_a_hint_below_what_failed() {
        let row = |name, state, sentence, hint| Row { name, service: Some("boards"), state, sentence, hint };
        let report = Report {
            failed: 1,
            checks: vec![
                row("template", "ok", "lt-1 is there", None),
                row("may-stop", "fail", "not allowed", Some("allow it")),
            ],
        };
        assert_eq!(
            text(&report),
            "ok    boards template  lt-1 is there\n\
             fail  boards may-stop  not allowed\n      hint: allow it"
        );
    }
}
