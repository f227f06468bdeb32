//! `[[service]]`: one application that is released.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::{Environment, InstanceType, PoolName, Region, ServiceName, SubnetId, TemplateId};
use segue_domain::service::{LaunchSpec, Service, WarmSpec, Workload};
use segue_engine::Pacing;
use segue_engine::ports::ImageQuery;
use segue_integrations::hooks::TRAFFIC_PORT;

use super::policy;
use super::routing;
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

const SUBNETS_MAX: usize = 16;
/// What has no room is tried with each of them in every subnet.
const TYPES_MAX: usize = 5;

/// Every service of the file.
pub(crate) fn read_all(root: &mut Table<'_>, pacing: Pacing) -> Option<Vec<ServiceConfig>> {
    let tables = root.tables("service");
    if root.lists_nothing("service") {
        root.report("service", "no service is configured", "add one, beginning with a line `[[service]]`");
    }
    if tables.is_empty() {
        return None;
    }
    let mut names = BTreeSet::new();
    let services: Vec<_> = tables.into_iter().map(|table| read(table, &mut names, pacing)).collect();
    services.into_iter().collect()
}

fn read(mut table: Table<'_>, names: &mut BTreeSet<String>, pacing: Pacing) -> Option<ServiceConfig> {
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
    let routing = routing::read(&mut table, region.as_ref());
    let canary = table.table("canary").and_then(policy::canary);
    let full = table.table("full").and_then(policy::full);
    let handover = table.table("handover").and_then(policy::handover);
    let patience = table.table("patience").and_then(policy::patience);
    if let (Some(routing), Some(patience), Pacing::Published) = (&routing, &patience, pacing) {
        routing::fits_a_look(&table, routing, patience.max_age);
    }
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

pub(super) fn bounded<T>(table: &Table<'_>, key: &str, items: &[T], min: usize, max: usize) {
    if items.len() < min || items.len() > max {
        let wanted = if min == max { format!("exactly {min}") } else { format!("{min} to {max}") };
        table.report(key, format!("it lists {}", items.len()), format!("list {wanted}"));
    }
}

pub(super) fn distinct(table: &Table<'_>, items: &[&Placed<String>], noun: &str) {
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
