//! What a plan stands on: the facts that it was made of, each with a name, so that two plans can be compared.
//!
//! A plan that was looked at and kept is carried out only while the world is the same. What is not a fact of the
//! world is not in it: the release's number, who asked, which checks were set aside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ids::{InstanceId, Route};
use crate::plan::{BatchPlan, Plan};
use crate::service::NeedsCanary;
use crate::target::Weights;

/// Facts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis(pub BTreeMap<String, String>);

/// A fact that is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub fact: String,
    pub then: String,
    pub now: String,
}

impl Plan {
    pub fn basis(&self) -> Basis {
        let service = &self.service;
        let facts = [
            ("service", service.name.to_string()),
            ("kind", self.kind.to_string()),
            ("version", self.image.version.to_string()),
            ("image", self.image.id.to_string()),
            ("from-version", self.from_version.to_string()),
            ("blue", list(&self.blue)),
            ("blue-groups", pairs(self.blue_groups.iter().map(|(id, groups)| (id, list(groups))))),
            ("slots", slots(&self.routes)),
            ("spares", list(&self.spares)),
            ("canaries-taken-over", list(&self.takeover)),
            ("launch", batches(&self.batches)),
            ("template", service.launch.template.to_string()),
            ("green-group", self.green_group.to_string()),
            ("weights-before", weights(&self.weights_before)),
            ("weights-shared", weights(&self.weights_shared)),
            ("weights-after", weights(&self.weights_after)),
            ("floor", self.floor.to_string()),
            ("policy", policy(self)),
        ];
        Basis(facts.into_iter().map(|(fact, value)| (fact.to_owned(), value)).collect())
    }
}

impl Basis {
    /// What this one has otherwise than `now`; a fact that only one of them knows counts.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let facts: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let value = |basis: &Self, fact: &String| basis.0.get(fact).cloned().unwrap_or_default();
        facts
            .into_iter()
            .filter(|fact| self.0.get(*fact) != now.0.get(*fact))
            .map(|fact| Difference { fact: fact.clone(), then: value(self, fact), now: value(now, fact) })
            .collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fact, then, now } = self;
        let (then, now) = (shown(then), shown(now));
        write!(f, "{fact} was {then} and is {now}")
    }
}

/// A fact that is longer than a line is told by its beginning.
fn shown(value: &str) -> String {
    const CHARS_MAX: usize = 120;
    match (value.is_empty(), value.chars().count() > CHARS_MAX) {
        (true, _) => "none".to_owned(),
        (false, true) => format!("{}…", value.chars().take(CHARS_MAX).collect::<String>()),
        (false, false) => value.to_owned(),
    }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(" ")
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a InstanceId, String)>) -> String {
    pairs.map(|(id, value)| format!("{id}={value}")).collect::<Vec<_>>().join(" ")
}

fn slots(routes: &BTreeMap<InstanceId, Route>) -> String {
    pairs(routes.iter().map(|(id, route)| (id, route.to_string())))
}

fn batches(batches: &[BatchPlan]) -> String {
    let words: Vec<String> = batches.iter().map(|it| format!("{}={}", it.subnet, it.count)).collect();
    words.join(" ")
}

fn weights(weights: &Weights) -> String {
    let words: Vec<String> = weights.iter().map(|(group, weight)| format!("{group}={weight}")).collect();
    words.join(" ")
}

/// Everything of the configuration that a release is carried out by.
fn policy(plan: &Plan) -> String {
    let service = &plan.service;
    let (canary, full, handover) = (&service.canary, &service.full, &service.handover);
    let needs_canary = match full.needs_canary {
        NeedsCanary::Yes => "yes",
        NeedsCanary::No => "no",
    };
    let warm = service.launch.warm.as_ref();
    let words = [
        format!("configure={}", service.launch.configure.as_deref().unwrap_or_default().join(" ")),
        format!("warm={}", warm.map(|it| format!("{}x{}", it.path, it.requests)).unwrap_or_default()),
        format!("canary.bake={:?}", canary.bake),
        format!("canary.min_boards={}", canary.min_boards),
        format!("canary.max_error_ratio={}", canary.max_error_ratio),
        format!("full.bake={:?}", full.bake),
        format!("full.needs_canary={needs_canary}"),
        format!("full.keep_old={:?}", full.keep_old),
        format!("handover.level_max={}", handover.level_max),
        format!("handover.seal_ttl={:?}", handover.seal_ttl),
        format!("handover.attach_deadline={:?}", handover.attach_deadline),
        format!("handover.attach_rate_per_s={}", handover.attach_rate_per_s),
        format!("handover.wave_boards={}", handover.wave_boards),
        format!("handover.switching_at_once={}", handover.switching_at_once),
    ];
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(facts: &[(&str, &str)]) -> Basis {
        Basis(facts.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_differs_is_told_by_its_name_and_both_values() {
        let then = basis(&[("image", "ami-1"), ("blue", "i-1 i-2"), ("floor", "2")]);
        assert_eq!(then.differences(&then), []);
        let now = basis(&[("image", "ami-1"), ("blue", "i-1"), ("spares", "")]);
        let told: Vec<String> = then.differences(&now).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["blue was i-1 i-2 and is i-1", "floor was 2 and is none", "spares was none and is none"]
        );
    }
}
