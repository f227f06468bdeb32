//! `[service.routing]`: the load balancer of a service; written `[[service.routing]]`, once for each of several.
//!
//! What only AWS knows is not looked at here: whether a group is in the forward under which it stands. `segue check`
//! asks.

use std::collections::BTreeSet;
use std::time::Duration;

use segue_domain::ids::{ForwardArn, GroupArn, Route};
use segue_domain::service::{Balancer, Routing, Slot};
use segue_engine::BALANCER_CALLS_PER_S;

use super::arn;
use super::service::{bounded, distinct};
use super::shape::{self, Shape};
use super::table::{Placed, Table};

/// One weighted forward takes five groups: two colours and three canaries.
/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers", target groups per action.
const CANARIES_MAX: usize = 3;
/// As many as an ALB has rules.
const SLOTS_MAX: usize = 100;
/// Each is looked at in every look.
const BALANCERS_MAX: usize = 8;
const SHARE_MAX: u32 = 1_000;

/// The load balancers under the key `routing`.
pub(super) fn read(service: &mut Table<'_>, region: Option<&Placed<String>>) -> Option<Routing> {
    if !service.is_list("routing") {
        let table = service.table("routing")?;
        let read = BalancerAt::read(table, region, Among::Alone);
        agree(service, region, std::slice::from_ref(&read));
        return Some(Routing::of(read.balancer()?));
    }
    let tables = service.tables("routing").into_iter();
    let read: Vec<_> = tables.map(|table| BalancerAt::read(table, region, Among::Several)).collect();
    if service.lists_nothing("routing") {
        let hint = "describe the load balancer in a section `[service.routing]`";
        service.report("routing", "no load balancer is configured", hint);
    }
    bounded(service, "routing", &read, 1, BALANCERS_MAX);
    agree(service, region, &read);
    let balancers: Option<Vec<Balancer>> = read.into_iter().map(BalancerAt::balancer).collect();
    let mut balancers = balancers?.into_iter();
    Some(Routing { first: balancers.next()?, others: balancers.collect() })
}

/// Whether there are others beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    Alone,
    Several,
}

/// A load balancer as far as it could be read.
struct BalancerAt {
    forward: Option<Placed<String>>,
    share: Option<u32>,
    colours: Option<Vec<Placed<String>>>,
    canaries: Option<Vec<Placed<String>>>,
    slots: Vec<SlotAt>,
}

impl BalancerAt {
    fn read(mut table: Table<'_>, region: Option<&Placed<String>>, among: Among) -> Self {
        let in_region = region.map(|region| region.value.as_str());
        let group = arn::of_group(in_region);
        let forward = table.required_at("forward", &arn::of_forward(in_region));
        let share = match among {
            Among::Alone => Some(1),
            Among::Several => table.or("share", 1, &shape::number32(1, SHARE_MAX, "1")),
        };
        let colours = table.list("colours", &group);
        let canaries = table.list_or_empty("canaries", &group);
        let slots: Vec<_> =
            table.tables("slots").into_iter().map(|slot| SlotAt::read(slot, &group)).collect();
        if let Some(colours) = &colours {
            bounded(&table, "colours", colours, 2, 2);
        }
        if let Some(canaries) = &canaries {
            bounded(&table, "canaries", canaries, 0, CANARIES_MAX);
        }
        bounded(&table, "slots", &slots, 0, SLOTS_MAX);
        table.done();
        Self { forward, share, colours, canaries, slots }
    }

    fn groups(&self) -> impl Iterator<Item = &Placed<String>> {
        let slots = self.slots.iter().filter_map(|slot| slot.group.as_ref());
        self.colours.iter().flatten().chain(self.canaries.iter().flatten()).chain(slots)
    }

    fn balancer(self) -> Option<Balancer> {
        let colours: Vec<_> = self.colours?.into_iter().map(|group| GroupArn::new(group.value)).collect();
        Some(Balancer {
            forward: ForwardArn::new(self.forward?.value),
            share: self.share?,
            colours: <[GroupArn; 2]>::try_from(colours).ok()?,
            canaries: self.canaries?.into_iter().map(|group| GroupArn::new(group.value)).collect(),
            slots: self.slots.into_iter().map(SlotAt::slot).collect::<Option<_>>()?,
        })
    }
}

/// What must hold for all of them together.
fn agree(service: &Table<'_>, region: Option<&Placed<String>>, all: &[BalancerAt]) {
    let routes = all.iter().flat_map(|it| &it.slots).filter_map(|slot| slot.route.as_ref());
    // By its route alone a server knows its address, whichever load balancer it is at.
    distinct(service, &routes.collect::<Vec<_>>(), "route");
    let groups: Vec<_> = all.iter().flat_map(BalancerAt::groups).collect();
    distinct(service, &groups, "target group");
    let forwards: Vec<_> = all.iter().filter_map(|it| it.forward.as_ref()).collect();
    distinct_balancers(service, &forwards);
    all_have_slots(service, all);
    if let Some(region) = region {
        arn::all_are_in(service, region, &forwards, &groups);
    }
}

/// Some looks read each group and each forward, by a call each. One that takes most of the age at which it is too old leaves
/// no time to act on it, and the release would wait for a younger one for ever.
pub(super) fn fits_a_look(service: &Table<'_>, routing: &Routing, max_age: Duration) {
    let calls = routing.balancers().map(|it| 1 + it.groups().count()).sum::<usize>();
    let takes = Duration::from_secs(
        u64::try_from(calls).unwrap_or(u64::MAX).div_ceil(u64::from(BALANCER_CALLS_PER_S)),
    );
    let needed = takes * 4 / 3;
    if max_age < needed {
        let what = format!(
            "{calls} target groups and forwards take {} to read at AWS's pace, and `max_age` is {}",
            shape::spoken(takes),
            shape::spoken(max_age)
        );
        let hint = format!(
            "write `max_age = \"{}s\"` or more in `[service.patience]`, or list fewer slots",
            needed.as_secs() + 1
        );
        service.report("routing", what, hint);
    }
}

/// Two forwards of one load balancer would share its rules and its targets, and each would reckon with all of them.
fn distinct_balancers(service: &Table<'_>, forwards: &[&Placed<String>]) {
    let mut seen = BTreeSet::new();
    for forward in forwards {
        let Some(id) = arn::balancer_of(&forward.value) else { continue };
        if !seen.insert(id) {
            let what = format!("the load balancer {id} is named a second time");
            service.report_at(forward, what, "name each load balancer once, with one listener or rule of it");
        }
    }
}

fn all_have_slots(service: &Table<'_>, all: &[BalancerAt]) {
    let without = all.iter().find(|it| it.slots.is_empty()).and_then(|it| it.forward.as_ref());
    let (Some(without), true) = (without, all.iter().any(|it| !it.slots.is_empty())) else { return };
    let hint = "list route slots for each load balancer; for none when the application redirects by itself";
    service.report_at(without, "it has no route slots, and another load balancer has some", hint);
}

/// A slot as far as it could be read.
struct SlotAt {
    route: Option<Placed<String>>,
    group: Option<Placed<String>>,
}

impl SlotAt {
    fn read(mut table: Table<'_>, group: &Shape<String>) -> Self {
        let read =
            Self { route: table.required_at("route", &route()), group: table.required_at("group", group) };
        table.done();
        read
    }

    fn slot(self) -> Option<Slot> {
        Some(Slot { route: Route::new(self.route?.value), group: GroupArn::new(self.group?.value) })
    }
}

fn route() -> Shape<String> {
    Shape::text("a value of up to 32 letters, digits and dashes", "\"s01\"", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        ((1..=32).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
    })
}
