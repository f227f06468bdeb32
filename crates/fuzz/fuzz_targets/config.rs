//! A configuration: any text is read, or told what is wrong with it, each mistake with its place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segue_config::{Config, Environment};

fuzz_target!(|text: &str| {
    let key = ("SEGUE_HANDOVER_KEY".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    match Config::parse("segue.toml", text, &Environment::given([key])) {
        Ok(config) => assert!(!config.services.is_empty(), "a configuration without a service was taken"),
        Err(mistakes) => assert!(mistakes.to_string().contains("segue.toml"), "a mistake has no place"),
    }
});
