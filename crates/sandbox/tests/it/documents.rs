//! docs/sandbox.md says what is true: its configuration is read, and knows every key; its faults can be set.

use std::collections::BTreeSet;
use std::path::Path;

use segue_sandbox::SandboxConfig;
use segue_sandbox::faults::Fault;

/// The blocks of a language in the page.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let start = format!("```{language}\n");
    let parts = page.split(&start).skip(1);
    parts.filter_map(|part| part.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

fn keys(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        if let Some(inner) = value.as_table() {
            keys(&format!("{path}."), inner, found);
        }
        found.insert(path);
    }
}

#[test]
fn the_page_shows_a_configuration_that_is_read_and_has_every_key() {
    // The first is the whole, others show a part.
    let shown = blocks("toml");
    for block in &shown {
        toml::from_str::<SandboxConfig>(block).expect("it is a configuration");
    }
    let config: SandboxConfig = toml::from_str(&shown[0]).expect("it is a configuration");
    config.check().expect("and a legal one");
    let (mut written, mut there) = (BTreeSet::new(), BTreeSet::new());
    keys("", &toml::from_str(&shown[0]).expect("it is TOML"), &mut written);
    let default = toml::to_string(&SandboxConfig::default()).expect("it has a form in TOML");
    keys("", &toml::from_str(&default).expect("it is TOML"), &mut there);
    assert_eq!(there.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_values_that_the_page_calls_defaults_are() {
    let mut shown: SandboxConfig = toml::from_str(&blocks("toml")[0]).expect("it is a configuration");
    let default = SandboxConfig::default();
    // What is left out by default has to say something in an example.
    (shown.seed, shown.data_dir, shown.handover_key, shown.fleet) = (None, None, None, None);
    (shown.instances.zone_max, shown.instances.vcpus_max) = (None, None);
    shown.credentials.deny.clear();
    shown.images = default.images.clone();
    shown.faults.clear();
    assert_eq!(shown, default);
}

#[test]
fn the_page_shows_every_fault_as_it_can_be_set() {
    let shown: Vec<Fault> =
        blocks("json").iter().map(|block| serde_json::from_str(block).expect("it is a fault")).collect();
    for fault in &shown {
        assert_eq!(fault.check(), Ok(()));
    }
    let kinds: Vec<_> = shown.iter().map(kind).collect();
    let all = [
        "throttle",
        "expire_credentials",
        "refuse_capacity",
        "lose_response",
        "kill",
        "freeze",
        "thaw",
        "slow_boot",
        "unhealthy",
        "prometheus",
    ];
    assert_eq!(kinds, all);
}

/// Does not compile when there is a fault that the list above may lack.
fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Throttle { .. } => "throttle",
        Fault::ExpireCredentials { .. } => "expire_credentials",
        Fault::RefuseCapacity { .. } => "refuse_capacity",
        Fault::LoseResponse { .. } => "lose_response",
        Fault::Kill { .. } => "kill",
        Fault::Freeze { .. } => "freeze",
        Fault::Thaw { .. } => "thaw",
        Fault::SlowBoot { .. } => "slow_boot",
        Fault::Unhealthy { .. } => "unhealthy",
        Fault::Prometheus { .. } => "prometheus",
    }
}
