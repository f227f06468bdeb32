//! The tag of a view: it changes when anything in the view changes but time passing.
//!
//! The age of a reading and the seconds of a running step grow by themselves; a long poll that woke for them
//! would be a short poll. They are the only numbers here that do: no sentence counts the time that passes.

use segue_api::{Count, ReleaseView, StepState, StepView};
use sha2::{Digest, Sha256};

/// A strong `ETag`, quotes included.
pub(crate) fn etag(view: &ReleaseView) -> String {
    let mut still = view.clone();
    for count in [&mut still.boards.on_blue, &mut still.boards.on_green] {
        if let Count::Known { age_ms, .. } = count {
            *age_ms = 0;
        }
    }
    for step in still.steps.iter_mut().chain(&mut still.way_back) {
        stop_clock(step);
    }
    // A view is made of texts, numbers and lists: serde_json writes all of them.
    let json = serde_json::to_vec(&still).unwrap_or_default();
    let digest = Sha256::digest(&json);
    format!("\"{}\"", hex::encode(digest.get(..12).unwrap_or_default()))
}

fn stop_clock(step: &mut StepView) {
    if step.state == StepState::Running {
        step.seconds = None;
    }
}
