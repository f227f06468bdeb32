//! The daemon's configuration for a sandbox: the file that an operator would write.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use segue_sandbox::{Ready, Slot};

/// What the file says of itself; the sandbox says the rest.
#[derive(Debug)]
pub(crate) struct DaemonConfig<'a> {
    pub(crate) ready: &'a Ready,
    pub(crate) listen: SocketAddr,
    pub(crate) journal: &'a Path,
    pub(crate) key_file: &'a Path,
    pub(crate) canary_bake: Duration,
    /// A canary that held fewer is held.
    pub(crate) canary_min_boards: u32,
    pub(crate) patience: Patience,
}

/// How patient it is with boards and steps, and how much it does at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without progress.
    pub(crate) step: Duration,
    /// From one look at the world to the next.
    pub(crate) tick: Duration,
    /// For the world to show what is so: a reading that is missing, an effect that was done.
    pub(crate) settle: Duration,
    /// A number from Prometheus that is older is unknown.
    pub(crate) max_age: Duration,
    /// For a wave's clients to come to their new servers.
    pub(crate) attach_deadline: Duration,
    /// Boards that are carried at a time.
    pub(crate) wave_boards: u32,
    /// Of those, the ones whose clients wait at a time.
    pub(crate) switching_at_once: u32,
    pub(crate) needs_canary: NeedsCanary,
    pub(crate) pacing: Pacing,
}

/// Whether what is done at AWS is kept under the published rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pacing {
    Published,
    Off,
}

impl Pacing {
    const fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Off => "off",
        }
    }
}

/// Whether a full release wants a canary before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeedsCanary {
    Yes,
    No,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            step: Duration::from_mins(1),
            tick: Duration::from_millis(200),
            settle: Duration::from_secs(3),
            max_age: Duration::from_secs(3),
            attach_deadline: Duration::from_secs(10),
            wave_boards: 40,
            switching_at_once: 4,
            needs_canary: NeedsCanary::Yes,
            // So many looks a second would find AWS's buckets empty, and the sandbox counts nothing unless it is told
            // to.
            pacing: Pacing::Off,
        }
    }
}

impl DaemonConfig<'_> {
    /// As TOML text.
    pub(crate) fn text(&self) -> String {
        self.outside() + &self.service() + &self.policies() + &self.routings()
    }

    fn outside(&self) -> String {
        format!(
            r#"[daemon]
listen = "{listen}"
journal = {journal}
tick = "{tick_ms}ms"

[log]
format = "human"

[aws]
endpoint = "{aws}"
pacing = "{pacing}"

[prometheus]
url = "{prometheus}"

[handover]
key_file = {key}
port = {control_port}
"#,
            listen = self.listen,
            journal = quoted(self.journal),
            tick_ms = self.patience.tick.as_millis(),
            aws = self.ready.aws,
            pacing = self.patience.pacing.word(),
            prometheus = self.ready.prometheus,
            key = quoted(self.key_file),
            control_port = self.ready.ports.control,
        )
    }

    fn service(&self) -> String {
        let Ready { service, region, launch_template, .. } = self.ready;
        let subnets: Vec<String> = self.ready.subnets.iter().map(|subnet| format!("\"{subnet}\"")).collect();
        let subnets = subnets.join(", ");
        format!(
            r#"
[[service]]
name = "{service}"
environment = "demo"
region = "{region}"

[service.images]
tags = {{ service = "{service}" }}

[service.launch]
template = "{launch_template}"
subnets = [{subnets}]
"#
        )
    }

    fn policies(&self) -> String {
        let patience = &self.patience;
        format!(
            r#"
[service.canary]
bake = "{bake}s"
min_boards = {min_boards}

[service.full]
bake = "3s"
keep_old = "1h"
needs_canary = {needs_canary}

[service.handover]
attach_deadline = "{attach_deadline_s}s"
attach_rate_per_s = 250
wave_boards = {wave_boards}
switching_at_once = {switching_at_once}

[service.patience]
step = "{patience_s}s"
settle = "{settle_s}s"
max_age = "{max_age_s}s"
zeros_apart = "1s"
"#,
            bake = self.canary_bake.as_secs_f64(),
            min_boards = self.canary_min_boards,
            needs_canary = patience.needs_canary == NeedsCanary::Yes,
            attach_deadline_s = patience.attach_deadline.as_secs_f64(),
            wave_boards = patience.wave_boards,
            switching_at_once = patience.switching_at_once,
            patience_s = patience.step.as_secs_f64(),
            settle_s = patience.settle.as_secs_f64(),
            max_age_s = patience.max_age.as_secs_f64(),
        )
    }

    /// One load balancer is a table, several are a list of them.
    fn routings(&self) -> String {
        let ready = self.ready;
        let first = routing(&ready.listener_arn, &ready.target_groups, &ready.slots);
        let others = ready.others.iter().map(|it| routing(&it.listener_arn, &it.target_groups, &it.slots));
        let header = if ready.others.is_empty() { "[service.routing]" } else { "[[service.routing]]" };
        let all = std::iter::once(first).chain(others);
        all.fold(String::new(), |text, routing| text + "\n" + header + "\n" + &routing)
    }
}

/// A load balancer, below its header.
fn routing(listener: &str, groups: &BTreeMap<String, impl ToString>, all_slots: &[Slot]) -> String {
    let group = |name: &str| {
        let arn = groups.iter().find(|(key, _)| key.as_str() == name);
        arn.map(|(_, arn)| arn.to_string()).unwrap_or_default()
    };
    let [a, b, c1, c2, c3] = ["a", "b", "canary-1", "canary-2", "canary-3"].map(group);
    let head = format!(
        "forward = \"{listener}\"\ncolours = [\"{a}\", \"{b}\"]\ncanaries = [\"{c1}\", \"{c2}\", \"{c3}\"]\n"
    );
    head + &slots(all_slots)
}

fn slots(slots: &[Slot]) -> String {
    let table = |slot: &Slot| {
        format!(
            "\n[[service.routing.slots]]\nroute = \"{}\"\ngroup = \"{}\"\n",
            slot.value, slot.target_group
        )
    };
    slots.iter().map(table).collect()
}

/// A path as a TOML string.
fn quoted(path: &Path) -> toml::Value {
    toml::Value::String(path.display().to_string())
}
