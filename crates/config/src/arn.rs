//! ARNs of load balancers: how they read, and whether they are of the service's region.

use super::shape::{Shape, quoted};
use super::table::{Placed, Table};

/// One kind of ARN under `routing`.
#[derive(Debug, PartialEq, Eq)]
struct Kind {
    what: &'static str,
    /// What its resource begins with: any of them.
    begins: &'static [&'static str],
    /// A resource of it.
    example: &'static str,
}

static GROUP: Kind = Kind {
    what: "the ARN of a target group",
    begins: &["targetgroup/"],
    example: "targetgroup/boards-a/0123456789abcdef",
};

static FORWARD: Kind = Kind {
    what: "the ARN of a listener or listener rule",
    begins: &["listener/", "listener-rule/"],
    example: "listener/app/boards/0123456789abcdef/0123456789abcdef",
};

/// `arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:targetgroup/…`, of any region: see [`all_are_in`].
pub(super) fn of_group(region: Option<&str>) -> Shape<String> {
    GROUP.shape(region)
}

/// The same of a listener or one of its rules.
pub(super) fn of_forward(region: Option<&str>) -> Shape<String> {
    FORWARD.shape(region)
}

impl Kind {
    fn shape(&'static self, region: Option<&str>) -> Shape<String> {
        Shape::text(self.what, self.example(region), |text| {
            let resource = parts(text)?.1;
            self.begins.iter().any(|kind| resource.starts_with(kind)).then(|| text.to_owned())
        })
    }

    /// As it would be in the service's own region.
    fn example(&self, region: Option<&str>) -> String {
        let region = region.unwrap_or("eu-west-1");
        format!("\"arn:aws:elasticloadbalancing:{region}:123456789012:{}\"", self.example)
    }
}

/// The region and the resource.
fn parts(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _partition, "elasticloadbalancing", region, _account, resource] => Some((region, resource)),
        _ => None,
    }
}

/// The load balancer of a listener or rule: `app/NAME/ID`.
pub(super) fn balancer_of(forward: &str) -> Option<&str> {
    let (_, path) = parts(forward)?.1.split_once('/')?;
    let end = path.match_indices('/').nth(2).map_or(path.len(), |(end, _)| end);
    path.get(..end)
}

/// Notes ARNs that are not of the service's region. Where all of them are of one other region, the region is what
/// is wrong, and is told alone.
pub(super) fn all_are_in(
    table: &Table<'_>,
    region: &Placed<String>,
    forwards: &[&Placed<String>],
    groups: &[&Placed<String>],
) {
    let all = forwards.iter().map(|it| (*it, &FORWARD)).chain(groups.iter().map(|it| (*it, &GROUP)));
    let all: Vec<_> = all.filter_map(|(at, kind)| Some((at, kind, parts(&at.value)?.0))).collect();
    let own = region.value.as_str();
    let other = all.first().map(|(_, _, region)| *region).filter(|other| *other != own);
    if let Some(other) =
        other.filter(|other| all.len() > 1 && all.iter().all(|(_, _, region)| region == other))
    {
        let what = format!("all {} ARNs under routing are of {other}", all.len());
        let hint = format!("write region = \"{other}\", or ARNs of {own} under routing");
        return table.report_at(region, what, hint);
    }
    for (at, kind, _) in all.iter().filter(|(_, _, region)| *region != own) {
        let hint = format!("write {} in {own}, for example {}", kind.what, kind.example(Some(own)));
        table.report_at(at, format!("{} is not {} in {own}", quoted(&at.value), kind.what), hint);
    }
}
