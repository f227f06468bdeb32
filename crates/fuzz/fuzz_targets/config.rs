//! A configuration: any text is read, or told what is wrong with it, each mistake with its place in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segue_config::{Config, Environment};

fuzz_target!(|text: &str| {
    let key = ("SEGUE_HANDOVER_KEY".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    match Config::parse("segue.toml", text, &Environment::given([key])) {
        Ok(config) => assert!(!config.services.is_empty(), "a configuration without a service was taken"),
        Err(mistakes) => {
            let lines = text.matches('\n').count() + 1;
            let is_inside = |place| (1..=lines).contains(&place);
            let mut places = mistakes.iter().map(|mistake| mistake.place.map(|place| place.line));
            assert!(places.all(|line| line.is_some_and(is_inside)), "a mistake has no place: {mistakes}");
        }
    }
});
