//! Bodies and messages of the control contract: what is read means the same when it is written and read again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use segue_handover::wire::{
    ActivateAnswer, ActivateRequest, BoardsPage, BoardsQuery, ClientMessage, DrainAnswer, DrainRequest,
    EndAnswer, EndRequest, Moves, MovesAnswer, OfferAnswer, OfferRequest, OpenRequest, OwnersPage,
    OwnersQuery, PrepareAnswer, PrepareRequest, Problem, SealAnswer, SealRequest, ServerMessage,
    ServerStatus,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn twice<T: Serialize + DeserializeOwned + Debug + PartialEq>(text: &str) {
    let Ok(read) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&read).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, read);
}

fn moves<T, U>(text: &str)
where
    T: Serialize + DeserializeOwned + Debug + PartialEq,
    U: Serialize + DeserializeOwned + Debug + PartialEq,
{
    twice::<Moves<T>>(text);
    twice::<MovesAnswer<U>>(text);
}

/// Messages are read by their own rules, and written as JSON.
fn message<T: Serialize + Debug + PartialEq, E: Debug>(text: &str, parse: impl Fn(&str) -> Result<T, E>) {
    let Ok(read) = parse(text) else { return };
    let written = serde_json::to_string(&read).expect("what was read can be written");
    let again = parse(&written).expect("what was written can be read");
    assert_eq!(again, read);
}

fuzz_target!(|text: &str| {
    twice::<ServerStatus>(text);
    twice::<BoardsQuery>(text);
    twice::<BoardsPage>(text);
    twice::<OwnersQuery>(text);
    twice::<OwnersPage>(text);
    twice::<OpenRequest>(text);
    twice::<DrainRequest>(text);
    twice::<DrainAnswer>(text);
    twice::<Problem>(text);
    moves::<PrepareRequest, PrepareAnswer>(text);
    moves::<OfferRequest, OfferAnswer>(text);
    moves::<SealRequest, SealAnswer>(text);
    moves::<ActivateRequest, ActivateAnswer>(text);
    moves::<EndRequest, EndAnswer>(text);
    message(text, ClientMessage::parse);
    message(text, ServerMessage::parse);
});
