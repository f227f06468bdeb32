//! Bodies and names of the HTTP API: what is read means the same when it is written and read again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use segue_api::{
    Actor, AdoptionRequest, IdempotencyKey, PlanView, Problem, Readiness, ReleaseId, ReleaseRequest,
    ReleaseView, ServiceList, VerbRequest, Wait,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn twice<T: Serialize + DeserializeOwned + Debug + PartialEq>(text: &str) {
    let Ok(read) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&read).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, read);
}

fuzz_target!(|text: &str| {
    twice::<ReleaseRequest>(text);
    twice::<VerbRequest>(text);
    twice::<AdoptionRequest>(text);
    twice::<PlanView>(text);
    twice::<ReleaseView>(text);
    twice::<ServiceList>(text);
    twice::<Readiness>(text);
    twice::<Problem>(text);
    if let Ok(id) = text.parse::<ReleaseId>() {
        assert_eq!(id.as_str(), text, "a release's name is another one");
    }
    drop(text.parse::<Actor>());
    drop(text.parse::<IdempotencyKey>());
    drop(text.parse::<Wait>());
});
