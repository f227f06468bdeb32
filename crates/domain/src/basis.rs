//! What a plan stands on: the facts that it was made of, each with a name, so that two plans can be compared.
//!
//! A plan that was looked at and kept is carried out only while the world is the same. What is not a fact of the
//! world is not in it: the release's number, who asked, which checks were set aside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ids::{GroupArn, InstanceId, Route};
use crate::plan::{BatchPlan, Plan};
use crate::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Slot, WarmSpec, Workload,
};
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

/// So many of many differences are told: whoever hands in a plan says how many facts it has.
pub const TOLD_MAX: usize = 10;

/// The first of many, and how many more there are.
pub(crate) fn first<T>(all: &[T], between: &str, say: impl Fn(&T) -> String) -> String {
    let more = all.len().saturating_sub(TOLD_MAX);
    let more = (more > 0).then(|| format!("and {more} more"));
    all.iter().take(TOLD_MAX).map(say).chain(more).collect::<Vec<_>>().join(between)
}

impl Plan {
    pub fn basis(&self) -> Basis {
        let facts = [
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
            ("green-group", words(&self.green_groups().collect::<Vec<_>>())),
            ("weights-before", weights(self.fronts.iter().map(|front| &front.weights_before))),
            ("weights-shared", weights(self.fronts.iter().map(|front| &front.weights_shared))),
            ("weights-after", weights(self.fronts.iter().map(|front| &front.weights_after))),
            ("floor", self.floor.to_string()),
        ];
        let facts = facts.into_iter().chain(several(self)).chain(configured(&self.service));
        Basis(facts.map(|(fact, value)| (fact.to_owned(), value)).collect())
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
        write!(f, "{} {}", self.fact, self.change())
    }
}

impl Difference {
    /// `was 1 and is 2`; of two long lists what only one of them has.
    pub fn change(&self) -> String {
        const CHARS_MAX: usize = 240;
        let (then, now) = (words_of(&self.then), words_of(&self.now));
        let whole = format!("was {} and is {}", joined(&then), joined(&now));
        if whole.chars().count() <= CHARS_MAX {
            return whole;
        }
        let (gone, came) = (only_in(&then, &now), only_in(&now, &then));
        match (gone.is_empty(), came.is_empty()) {
            (true, true) => "is in another order".to_owned(),
            (true, false) => format!("also has {}", some(&came)),
            (false, true) => format!("lost {}", some(&gone)),
            (false, false) => format!("lost {} and has {}", some(&gone), some(&came)),
        }
    }
}

fn words_of(value: &str) -> Vec<&str> {
    value.split_whitespace().map(short).collect()
}

fn only_in<'a>(these: &[&'a str], those: &[&str]) -> Vec<&'a str> {
    let those: BTreeSet<&str> = those.iter().copied().collect();
    these.iter().copied().filter(|word| !those.contains(word)).collect()
}

fn joined(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

/// The first of many words, none of them longer than a target group's name with its mark.
fn some(words: &[&str]) -> String {
    const WORDS_MAX: usize = 6;
    const CHARS_MAX: usize = 60;
    let cut = |word: &&str| match word.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or(word)),
        None => (*word).to_owned(),
    };
    let told: Vec<String> = words.iter().take(WORDS_MAX).map(cut).collect();
    match words.len().saturating_sub(WORDS_MAX) {
        0 => told.join(" "),
        more => format!("{} and {more} more", told.join(" ")),
    }
}

/// What tells a target group from the others of its account: `boards-a/6d0ecf831eec9f09`. Whole, two ARNs would
/// be told by what they have in common.
pub(crate) fn short(word: &str) -> &str {
    word.rsplit_once(":targetgroup/").map_or(word, |(_, name)| name)
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

/// What is only to be told apart where there are several load balancers. A plan for one says nothing of it, as it did
/// before there could be several.
fn several(plan: &Plan) -> Vec<Fact> {
    let routing = &plan.service.routing;
    if routing.others.is_empty() {
        return Vec::new();
    }
    let balancers = routing.balancers().map(|it| {
        let groups: Vec<&GroupArn> = it.groups().collect();
        format!("{} share={} {}", it.forward, it.share, words(&groups))
    });
    let homes = plan.homes.iter().map(|(id, forward)| (id, forward.balancer().to_owned()));
    let launched = plan
        .batches
        .iter()
        .filter(|it| it.count > 0)
        .map(|it| format!("{}={}@{}", it.subnet, it.count, it.forward.balancer()));
    let floors = plan.fronts.iter().map(|it| format!("{}={}", it.forward.balancer(), it.floor));
    vec![
        ("load-balancers", balancers.collect::<Vec<_>>().join(" ")),
        ("homes", pairs(homes)),
        ("launch-for", launched.collect::<Vec<_>>().join(" ")),
        ("floors", floors.collect::<Vec<_>>().join(" ")),
    ]
}

fn batches(batches: &[BatchPlan]) -> String {
    let batches = batches.iter().filter(|it| it.count > 0);
    let words: Vec<String> = batches.map(|it| format!("{}={}", it.subnet, it.count)).collect();
    words.join(" ")
}

fn weights<'a>(weights: impl Iterator<Item = &'a Weights>) -> String {
    let words: Vec<String> = weights.flatten().map(|(group, weight)| format!("{group}={weight}")).collect();
    words.join(" ")
}

/// A fact and its value.
type Fact = (&'static str, String);

/// Everything of the configuration, for a release is carried out by it. Each part is taken apart whole, so that
/// a field that is added and forgotten here does not compile.
fn configured(service: &Service) -> Vec<Fact> {
    let Service {
        name,
        environment,
        region,
        workload,
        pool,
        launch,
        routing,
        canary,
        full,
        handover,
        patience,
    } = service;
    let workload = match workload {
        Workload::Boards => "boards",
        Workload::Requests => "requests",
        Workload::None => "none",
    };
    let mut facts = vec![
        ("service", name.to_string()),
        ("environment", environment.to_string()),
        ("region", region.to_string()),
        ("workload", workload.to_owned()),
        ("pool", pool.to_string()),
    ];
    facts.extend(launched(launch));
    facts.extend(routed(routing));
    facts.extend(judged(canary, full));
    facts.extend(carried(handover));
    facts.extend(waited(patience));
    facts
}

fn launched(launch: &LaunchSpec) -> Vec<Fact> {
    let LaunchSpec { template, subnets, types, size, configure, warm } = launch;
    let warm = warm.as_ref().map(|WarmSpec { path, requests, median_ms }| {
        format!("{path} at most {requests} times until its median is {median_ms} ms")
    });
    let mut facts = vec![
        ("template", template.to_string()),
        ("subnets", words(subnets)),
        ("size", size.map(|size| size.to_string()).unwrap_or_default()),
        ("configure", configure.as_deref().unwrap_or_default().join(" ")),
        ("warm", warm.unwrap_or_default()),
    ];
    // A plan that was kept before there were any knows no such fact, and is none the worse for it.
    if !types.is_empty() {
        facts.push(("types", words(types)));
    }
    facts
}

fn routed(routing: &Routing) -> [Fact; 4] {
    let Routing { first: _, others: _ } = routing;
    let (mut forwards, mut colours, mut canaries) = (Vec::new(), Vec::new(), Vec::new());
    // Their shares are told where there are several.
    for Balancer { forward, share: _, colours: own, canaries: for_canaries, slots: _ } in routing.balancers()
    {
        forwards.push(forward);
        colours.extend(own);
        canaries.extend(for_canaries);
    }
    let slots: Vec<String> =
        routing.slots().map(|Slot { route, group }| format!("{route}={group}")).collect();
    [
        ("forward", words(&forwards)),
        ("colours", words(&colours)),
        ("canary-groups", words(&canaries)),
        ("all-slots", slots.join(" ")),
    ]
}

fn judged(canary: &CanaryPolicy, full: &FullPolicy) -> [Fact; 7] {
    let CanaryPolicy { count, bake, min_boards, max_error_ratio } = canary;
    let FullPolicy { bake: full_bake, needs_canary, keep_old } = full;
    let needs_canary = match needs_canary {
        NeedsCanary::Yes => "yes",
        NeedsCanary::No => "no",
    };
    [
        ("canary.count", count.to_string()),
        ("canary.bake", format!("{bake:?}")),
        ("canary.min_boards", min_boards.to_string()),
        ("canary.max_error_ratio", max_error_ratio.to_string()),
        ("full.bake", format!("{full_bake:?}")),
        ("full.needs_canary", needs_canary.to_owned()),
        ("full.keep_old", format!("{keep_old:?}")),
    ]
}

fn carried(handover: &HandoverPolicy) -> [Fact; 6] {
    let HandoverPolicy {
        level_max,
        seal_ttl,
        attach_deadline,
        attach_rate_per_s,
        wave_boards,
        switching_at_once,
    } = handover;
    [
        ("handover.level_max", level_max.to_string()),
        ("handover.seal_ttl", format!("{seal_ttl:?}")),
        ("handover.attach_deadline", format!("{attach_deadline:?}")),
        ("handover.attach_rate_per_s", attach_rate_per_s.to_string()),
        ("handover.wave_boards", wave_boards.to_string()),
        ("handover.switching_at_once", switching_at_once.to_string()),
    ]
}

fn waited(patience: &Patience) -> [Fact; 4] {
    let Patience { step, settle, max_age, zeros_apart } = patience;
    [
        ("patience.step", format!("{step:?}")),
        ("patience.settle", format!("{settle:?}")),
        ("patience.max_age", format!("{max_age:?}")),
        ("patience.zeros_apart", format!("{zeros_apart:?}")),
    ]
}

fn words<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(" ")
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

    #[test]
    fn of_long_lists_what_differs_is_told_and_not_what_they_have_in_common() {
        let group = |name: &str, share: u32| {
            format!(
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/6d0ecf831eec9f09={share}"
            )
        };
        let then = ["a", "b", "c", "d", "e", "f"].map(|name| group(name, 2)).join(" ");
        let now = then.replace("b/6d0ecf831eec9f09=2", "b/6d0ecf831eec9f09=3");
        let change = |then: &str, now: &str| {
            let of = |value: &str| value.to_owned();
            Difference { fact: of("weights-before"), then: of(then), now: of(now) }.change()
        };
        assert_eq!(change(&then, &now), "lost b/6d0ecf831eec9f09=2 and has b/6d0ecf831eec9f09=3");
        let many = |from: u32| (from..99).map(|n| format!("i-{n:017}")).collect::<Vec<_>>().join(" ");
        let told = change(&many(0), &many(20));
        assert!(told.starts_with("lost i-00000000000000000 ") && told.ends_with("and 14 more"), "{told}");
        assert!(
            change(&many(98), &many(0)).starts_with("also has i-00000000000000000 "),
            "{}",
            change(&many(98), &many(0))
        );
    }
}
