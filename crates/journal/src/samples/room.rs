//! Launches that look for room.

use segue_domain::effect::{Effect, Intent, Lack, LaunchBatch, Outcome};
use segue_domain::event::Event;

use super::effects::launch;
use super::plan;

/// A plan with types of instances, a launch as one of them, and its end for want of room.
pub(crate) fn events() -> Vec<Event> {
    let mut plan = plan();
    plan.service.launch.types = vec!["m7i.large".into(), "m6i.large".into()];
    let batch = LaunchBatch { instance_type: Some("m7i.large".into()), ..launch() };
    let id = || "boards-12/launch".into();
    let why = "InsufficientInstanceCapacity".to_owned();
    vec![
        Event::Planned(Box::new(plan)),
        Event::Intended(Intent { id: id(), attempt: 1, effect: Effect::Launch(batch) }),
        Event::Ended { id: id(), attempt: 1, outcome: Outcome::Refused { why, lack: Some(Lack::Room) } },
    ]
}
