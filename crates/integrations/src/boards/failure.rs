//! What a failed control call means in the engine's terms.

use std::time::Duration;

use segue_engine::ports::{CallError, Class, Target, chain};
use segue_handover::control::{ControlError, ErrorClass, refusal_class};
use segue_handover::wire::{BadText, Problem};

pub(super) fn failed(call: &str, at: &Target, error: &ControlError) -> CallError {
    CallError::of(class(error.class()), format!("{call} at {} failed: {}", at.instance, chain(error)))
}

/// One item of a plural answer that was a no.
pub(super) fn refused_item(call: &str, at: &Target, problem: &Problem) -> CallError {
    let what = format!("{call} at {} was refused for one: {problem}", at.instance);
    CallError::of(class(refusal_class(problem.code)), what)
}

/// What one item was answered, not longer than a journal takes.
pub(super) fn said(problem: &Problem) -> String {
    CallError::refused(problem.to_string()).what
}

fn class(class: ErrorClass) -> Class {
    match class {
        ErrorClass::Retry => Class::Retry,
        ErrorClass::Unknown => Class::Unknown,
        ErrorClass::Refused => Class::Refused,
        ErrorClass::Bug => Class::Bug,
    }
}

/// An id as the contract allows it. One that it does not allow came from nowhere good.
pub(super) fn id<T>(parsed: Result<T, BadText>) -> Result<T, CallError> {
    parsed.map_err(|error| CallError::bug(error.to_string()))
}

/// A span as the contract takes it.
pub(super) fn in_time(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
