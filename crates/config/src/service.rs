//! `[[service]]`: one application that is released.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::{
    Environment, ForwardArn, GroupArn, InstanceType, PoolName, Region, Route, ServiceName, SubnetId,
    TemplateId,
};
use segue_domain::service::{LaunchSpec, Routing, Service, Slot, WarmSpec, Workload};
use segue_engine::ports::ImageQuery;
use segue_integrations::hooks::TRAFFIC_PORT;

use super::arn;
use super::policy;
use super::shape::{self, Shape};
use super::table::{Placed, Table};

/// The domain's service, and which AMIs are its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    pub service: Service,
    pub images: ImageQuery,
    /// The port of its instances that takes warm-up requests.
    pub warm_port: u16,
}

/// One weighted forward takes five groups: two colours and three canaries.
/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers", target groups per action.
const CANARIES_MAX: usize = 3;
/// As many as an ALB has rules.
const SLOTS_MAX: usize = 100;
const SUBNETS_MAX: usize = 16;
/// What has no room is tried with each of them in every subnet.
const TYPES_MAX: usize = 5;

/// Every service of the file.
pub(crate) fn read_all(root: &mut Table<'_>) -> Option<Vec<ServiceConfig>> {
    let tables = root.tables("service");
    if root.lists_nothing("service") {
        root.report("service", "no service is configured", "add one, beginning with a line `[[service]]`");
    }
    if tables.is_empty() {
        return None;
    }
    let mut names = BTreeSet::new();
    let services: Vec<_> = tables.into_iter().map(|table| read(table, &mut names)).collect();
    services.into_iter().collect()
}

fn read(mut table: Table<'_>, names: &mut BTreeSet<String>) -> Option<ServiceConfig> {
    let name = table.required_at("name", &service_name());
    if let Some(name) = name.as_ref().filter(|name| !names.insert(name.value.clone())) {
        let what = format!("another service is called {} too", name.value);
        table.report_at(name, what, "give each service a name of its own");
    }
    let environment = table.required("environment", &shape::text("a name", "\"production\""));
    let region = table.required_at("region", &region());
    let workload = table.or("workload", Workload::Boards, &workload());
    let pool = table.or("pool", "main".to_owned(), &shape::text("a name", "\"main\""));
    let called = name.as_ref().map(|name| name.value.as_str());
    let images = table.table("images").and_then(|images| read_images(images, called));
    let launch = table.table("launch").and_then(read_launch);
    let routing = table.table("routing").and_then(|routing| read_routing(routing, region.as_ref()));
    let canary = table.table("canary").and_then(policy::canary);
    let full = table.table("full").and_then(policy::full);
    let handover = table.table("handover").and_then(policy::handover);
    let patience = table.table("patience").and_then(policy::patience);
    table.done();
    let (launch, warm_port) = launch?;
    let service = Service {
        name: ServiceName::new(name?.value),
        environment: Environment::new(environment?),
        region: Region::new(region?.value),
        workload: workload?,
        pool: PoolName::new(pool?),
        launch,
        routing: routing?,
        canary: canary?,
        full: full?,
        handover: handover?,
        patience: patience?,
    };
    Some(ServiceConfig { service, images: images?, warm_port })
}

fn read_images(mut table: Table<'_>, service: Option<&str>) -> Option<ImageQuery> {
    let owner = table.or("owner", "self".to_owned(), &owner());
    let tags = match table.table_if_any("tags") {
        Some(tags) => tags.texts(),
        None => Some(service.map(|name| ("service".to_owned(), name.to_owned())).into_iter().collect()),
    };
    table.done();
    Some(ImageQuery { owner: owner?, tags: tags?.into_iter().collect::<BTreeMap<_, _>>() })
}

/// What a launch needs, and the port for warm-up requests.
fn read_launch(mut table: Table<'_>) -> Option<(LaunchSpec, u16)> {
    let template = table.required("template", &id("lt-", "a launch template", "\"lt-0123456789abcdef0\""));
    let subnets = table.list("subnets", &id("subnet-", "a subnet", "\"subnet-0123456789abcdef0\""));
    if let Some(subnets) = &subnets {
        bounded(&table, "subnets", subnets, 1, SUBNETS_MAX);
        distinct(&table, &subnets.iter().collect::<Vec<_>>(), "subnet");
    }
    let types = table.list_or_empty("types", &instance_type());
    if let Some(types) = &types {
        bounded(&table, "types", types, 0, TYPES_MAX);
        distinct(&table, &types.iter().collect::<Vec<_>>(), "instance type");
    }
    let size = table.optional("size", &shape::number32(1, 1000, "50"));
    let configure =
        table.list_or_empty("configure", &shape::text("a word of the command", "\"/opt/configure\""));
    let warm = match table.table_if_any("warm") {
        Some(warm) => policy::warm(warm).map(|(warm, port)| (Some(warm), port)),
        None => Some((None::<WarmSpec>, TRAFFIC_PORT)),
    };
    table.done();
    let (warm, warm_port) = warm?;
    let configure: Vec<_> = configure?.into_iter().map(|word| word.value).collect();
    let spec = LaunchSpec {
        template: TemplateId::new(template?),
        subnets: subnets?.into_iter().map(|subnet| SubnetId::new(subnet.value)).collect(),
        types: types?.into_iter().map(|kind| InstanceType::new(kind.value)).collect(),
        size: size.ok()?,
        configure: (!configure.is_empty()).then_some(configure),
        warm,
    };
    Some((spec, warm_port))
}

fn read_routing(mut table: Table<'_>, region: Option<&Placed<String>>) -> Option<Routing> {
    let in_region = region.map(|region| region.value.as_str());
    let group = arn::of_group(in_region);
    let forward = table.required_at("forward", &arn::of_forward(in_region));
    let colours = table.list("colours", &group);
    let canaries = table.list_or_empty("canaries", &group);
    let slots: Vec<_> = table.tables("slots").into_iter().map(|slot| SlotAt::read(slot, &group)).collect();
    if let Some(colours) = &colours {
        bounded(&table, "colours", colours, 2, 2);
    }
    if let Some(canaries) = &canaries {
        bounded(&table, "canaries", canaries, 0, CANARIES_MAX);
    }
    bounded(&table, "slots", &slots, 0, SLOTS_MAX);
    distinct(&table, &slots.iter().filter_map(|slot| slot.route.as_ref()).collect::<Vec<_>>(), "route");
    let slot_groups = slots.iter().filter_map(|slot| slot.group.as_ref());
    let groups: Vec<_> =
        colours.iter().flatten().chain(canaries.iter().flatten()).chain(slot_groups).collect();
    distinct(&table, &groups, "target group");
    if let Some(region) = region {
        arn::all_are_in(&table, region, forward.as_ref(), &groups);
    }
    table.done();
    let colours: Vec<_> = colours?.into_iter().map(|group| GroupArn::new(group.value)).collect();
    Some(Routing {
        forward: ForwardArn::new(forward?.value),
        colours: <[GroupArn; 2]>::try_from(colours).ok()?,
        canaries: canaries?.into_iter().map(|group| GroupArn::new(group.value)).collect(),
        slots: slots.into_iter().map(SlotAt::slot).collect::<Option<_>>()?,
    })
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

fn bounded<T>(table: &Table<'_>, key: &str, items: &[T], min: usize, max: usize) {
    if items.len() < min || items.len() > max {
        let wanted = if min == max { format!("exactly {min}") } else { format!("{min} to {max}") };
        table.report(key, format!("it lists {}", items.len()), format!("list {wanted}"));
    }
}

fn distinct(table: &Table<'_>, items: &[&Placed<String>], noun: &str) {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(&item.value) {
            let what = format!("the {noun} \"{}\" is named a second time", item.value);
            table.report_at(item, what, format!("name each {noun} once"));
        }
    }
}

/// The journal knows other workloads; taken here, they would be released as if they were boards.
fn workload() -> Shape<Workload> {
    Shape::text("`boards`, the one workload that this version carries across", "\"boards\"", |text| {
        (text == "boards").then_some(Workload::Boards)
    })
}

/// As release ids need it: `boards-12` must read back.
fn service_name() -> Shape<String> {
    let what = "a name of up to 40 lower-case letters, digits and dashes that begins with a letter";
    Shape::text(what, "\"boards\"", |text| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        (begins && text.len() <= 40 && text.chars().all(fits)).then(|| text.to_owned())
    })
}

fn region() -> Shape<String> {
    Shape::text("an AWS region", "\"eu-west-1\"", |text| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let parts: Vec<_> = text.split('-').collect();
        let reads = parts.iter().all(|part| !part.is_empty() && part.chars().all(fits));
        let counted = parts.last().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
        (parts.len() >= 3 && reads && counted).then(|| text.to_owned())
    })
}

fn owner() -> Shape<String> {
    Shape::text("`self`, `amazon` or an account of 12 digits", "\"self\"", |text| {
        let account = text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
        (account || matches!(text, "self" | "amazon")).then(|| text.to_owned())
    })
}

fn id(prefix: &'static str, what: &str, example: &'static str) -> Shape<String> {
    Shape::text(format!("the id of {what}"), example, move |text| {
        let rest = text.strip_prefix(prefix)?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (!rest.is_empty() && rest.chars().all(fits)).then(|| text.to_owned())
    })
}

fn instance_type() -> Shape<String> {
    Shape::text("a type of EC2 instance", "\"m7i.large\"", |text| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let (family, size) = text.split_once('.')?;
        let reads = |part: &str| !part.is_empty() && part.chars().all(fits);
        (text.len() <= 40 && reads(family) && reads(size)).then(|| text.to_owned())
    })
}

fn route() -> Shape<String> {
    Shape::text("a value of up to 32 letters, digits and dashes", "\"s01\"", |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        ((1..=32).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
    })
}
