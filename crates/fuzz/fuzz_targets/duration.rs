//! A span of time as people write it, where a configuration takes one: within its limits, or refused.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use segue_config::{Config, Environment};

/// What a canary's bake may be.
const SECOND: Duration = Duration::from_secs(1);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The example, before and after the text that is tried.
static AROUND: LazyLock<(String, String)> = LazyLock::new(|| {
    let example = include_str!("../../../deploy/segue.example.toml");
    let mut document: toml::Table = example.parse().expect("the example is TOML");
    let service = document["service"][0].as_table_mut().expect("a service is a table");
    let canary = service.entry("canary").or_insert_with(|| toml::Table::new().into());
    canary.as_table_mut().expect("a canary is a table").insert("bake".to_owned(), "HERE".into());
    let document = document.to_string();
    let (before, after) = document.split_once("\"HERE\"").expect("it was put in");
    (before.to_owned(), after.to_owned())
});

fuzz_target!(|text: &str| {
    let (before, after) = &*AROUND;
    let value = toml::Value::from(text);
    let key = ("SEGUE_HANDOVER_KEY".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    let read = Config::parse("segue.toml", &format!("{before}{value}{after}"), &Environment::given([key]));
    match read {
        Ok(config) => {
            let bake = config.services[0].service.canary.bake;
            assert!((SECOND..=WEEK).contains(&bake), "{text:?} was read as {bake:?}");
        }
        Err(mistakes) => {
            let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
            assert_eq!(keys, ["service[0].canary.bake"], "{text:?}: {mistakes}");
        }
    }
});
