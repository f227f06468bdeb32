//! Decisions that come too late: what they stand on is too old when they could be acted on.
//!
//! The next look may be quicker. Where one after the other is not, that is a wait like any other: it has an end, and
//! a person is called then.

use super::hold;
use super::scope::Scope;
use crate::decision::{Reason, Then, Wait, WaitingOn};
use crate::state::ReleaseState;
use crate::step::Step;
use crate::time::Timestamp;
use crate::world::World;

/// What took so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    Look,
    Journal,
}

impl Slow {
    fn goal(self) -> &'static str {
        match self {
            Self::Look => "a look that is over within max_age",
            Self::Journal => "an append that is over while the look before it is younger than max_age",
        }
    }
}

/// The wait for something quicker, or why the release holds when there was nothing in the step's patience.
pub fn too_old(state: &ReleaseState, slow: Slow, since: Timestamp, at: Timestamp) -> Result<Wait, Reason> {
    let on = WaitingOn::Settling { what: slow.goal(), missing: Vec::new() };
    let until = since.after(state.plan.service.patience.step);
    if at < until {
        return Ok(Wait { on, since, until, then: Then::Hold });
    }
    let step = state.current().map(|record| record.step).or_else(|| state.next_step());
    let world = World::unseen(at);
    Err(hold(&Scope { state, world: &world, step: step.unwrap_or(Step::Resolve) }, on))
}
