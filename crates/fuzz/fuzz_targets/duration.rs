//! A span of time as people write it, where a configuration takes one: within its limits, or refused.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use segue_config::{Config, Environment};

/// The longest bake that a configuration takes.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

fuzz_target!(|text: &str| {
    let example = include_str!("../../../deploy/segue.example.toml");
    let mut document: toml::Table = example.parse().expect("the example is TOML");
    let service = document["service"][0].as_table_mut().expect("a service is a table");
    let canary = service.entry("canary").or_insert_with(|| toml::Table::new().into());
    canary.as_table_mut().expect("a canary is a table").insert("bake".to_owned(), text.into());
    let key = ("SEGUE_HANDOVER_KEY".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    let read = Config::parse("segue.toml", &document.to_string(), &Environment::given([key]));
    match read {
        Ok(config) => {
            let bake = config.services[0].service.canary.bake;
            assert!(bake >= Duration::from_secs(1) && bake <= WEEK, "{text:?} was read as {bake:?}");
        }
        Err(mistakes) => assert!(mistakes.to_string().contains("bake"), "{text:?}: {mistakes}"),
    }
});
