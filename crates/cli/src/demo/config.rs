//! The daemon's configuration for the sandbox: the file that an operator would write.

use std::fmt::Write as _;
use std::net::SocketAddr;

use segue_sandbox::Ready;

use super::DemoArgs;
use super::place::Place;

/// As TOML text.
pub(super) fn daemon(place: &Place, ready: &Ready, args: &DemoArgs, listen: SocketAddr) -> String {
    let group = |name: &str| {
        let arn = ready.target_groups.iter().find(|(key, _)| key.as_str() == name);
        arn.map(|(_, arn)| arn.to_string()).unwrap_or_default()
    };
    let subnets: Vec<String> = ready.subnets.iter().map(|subnet| format!("\"{subnet}\"")).collect();
    let mut text = format!(
        r#"[daemon]
listen = "{listen}"
journal = "{journal}"
tick = "200ms"

[log]
format = "human"

[aws]
endpoint = "{aws}"

[prometheus]
url = "{prometheus}"

[handover]
key_file = "{key}"

[[service]]
name = "boards"
environment = "demo"
region = "{region}"

[service.images]
tags = {{ service = "boards" }}

[service.launch]
template = "{template}"
subnets = [{subnets}]

[service.canary]
bake = "{bake}s"
min_boards = 5

[service.full]
bake = "3s"
keep_old = "1h"

[service.handover]
attach_deadline = "10s"
attach_rate_per_s = 250
wave_boards = 40
switching_at_once = 4

[service.patience]
step = "60s"
settle = "3s"
max_age = "3s"
zeros_apart = "1s"

[service.routing]
forward = "{listener}"
colours = ["{a}", "{b}"]
canaries = ["{c1}", "{c2}", "{c3}"]
"#,
        journal = place.path("journal.db").display(),
        aws = ready.aws,
        prometheus = ready.prometheus,
        key = place.path("handover.key").display(),
        region = ready.region,
        template = ready.launch_template,
        subnets = subnets.join(", "),
        bake = args.bake.as_secs_f64(),
        listener = ready.listener_arn,
        a = group("a"),
        b = group("b"),
        c1 = group("canary-1"),
        c2 = group("canary-2"),
        c3 = group("canary-3"),
    );
    for slot in &ready.slots {
        let (route, group) = (&slot.value, &slot.target_group);
        // Writing to a string cannot fail.
        let _infallible =
            write!(text, "\n[[service.routing.slots]]\nroute = \"{route}\"\ngroup = \"{group}\"\n");
    }
    text
}
