//! ARNs of load balancers: how they read, and whether they are of the service's region.

use super::shape::Shape;
use super::table::{Placed, Table};

/// Longer values are cut where a mistake shows them.
const SHOWN_CHARS_MAX: usize = 80;
const GROUP: &str = "the ARN of a target group";
const FORWARD: &str = "the ARN of a listener or listener rule";

/// `arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:targetgroup/…`, of any region: see [`all_are_in`].
pub(super) fn of_group(region: Option<&str>) -> Shape<String> {
    shape(GROUP, &["targetgroup/"], example(region, "targetgroup/boards-a/0123456789abcdef"))
}

/// The same of a listener or one of its rules.
pub(super) fn of_forward(region: Option<&str>) -> Shape<String> {
    let example = example(region, "listener/app/boards/0123456789abcdef/0123456789abcdef");
    shape(FORWARD, &["listener/", "listener-rule/"], example)
}

fn shape(what: &'static str, kinds: &'static [&'static str], example: String) -> Shape<String> {
    Shape::text(what, example, move |text| {
        let resource = parts(text)?.1;
        kinds.iter().any(|kind| resource.starts_with(kind)).then(|| text.to_owned())
    })
}

/// As it would be in the service's own region.
fn example(region: Option<&str>, resource: &str) -> String {
    let region = region.unwrap_or("eu-west-1");
    format!("\"arn:aws:elasticloadbalancing:{region}:123456789012:{resource}\"")
}

/// The region and the resource.
fn parts(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _partition, "elasticloadbalancing", region, _account, resource] => Some((region, resource)),
        _ => None,
    }
}

/// Notes ARNs that are not of the service's region. Where all of them are of one other region, the region is what
/// is wrong, and is told alone.
pub(super) fn all_are_in(
    table: &Table<'_>,
    region: &Placed<String>,
    forward: Option<&Placed<String>>,
    groups: &[&Placed<String>],
) {
    let all: Vec<_> = forward.map(|it| (it, FORWARD)).into_iter().collect();
    let all = all.into_iter().chain(groups.iter().map(|it| (*it, GROUP)));
    let all: Vec<_> = all.filter_map(|(at, what)| Some((at, what, parts(&at.value)?.0))).collect();
    let own = region.value.as_str();
    let other = all.first().map(|(_, _, region)| *region).filter(|other| *other != own);
    if let Some(other) =
        other.filter(|other| all.len() > 1 && all.iter().all(|(_, _, region)| region == other))
    {
        let what = format!("all {} ARNs under routing are of {other}", all.len());
        let hint = format!("write region = \"{other}\", or ARNs of {own} under routing");
        return table.report_at(region, what, hint);
    }
    for (at, what, _) in all.iter().filter(|(_, _, region)| *region != own) {
        let shown: String = at.value.chars().take(SHOWN_CHARS_MAX).collect();
        let cut = if shown.len() < at.value.len() { "…" } else { "" };
        let resource = if *what == GROUP {
            "targetgroup/boards-a/0123456789abcdef"
        } else {
            "listener/app/boards/0123456789abcdef/0123456789abcdef"
        };
        let hint = format!("write {what} in {own}, for example {}", example(Some(own), resource));
        table.report_at(at, format!("\"{shown}\"{cut} is not {what} in {own}"), hint);
    }
}
