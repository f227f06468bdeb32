//! The one world behind its lock, and the wake-up for those who carry out what it decides.
//!
//! The lock is held for a moment and never across an await.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::names::InstanceId;
use crate::world::{At, World};

/// Shared by every part of the sandbox.
#[derive(Debug)]
pub(crate) struct Shared {
    held: Mutex<Held>,
    pub(crate) clock: Clock,
    /// Rung when there are effects to carry out or the next due moment has changed.
    pub(crate) changed: Notify,
    pids: Mutex<HashMap<InstanceId, u32>>,
}

/// The world, and when something in it changes by itself: of thousands of instances that is not counted anew for
/// each look.
#[derive(Debug)]
struct Held {
    world: World,
    due: Option<At>,
}

impl Shared {
    pub(crate) fn new(world: World, clock: Clock) -> Self {
        let held = Mutex::new(Held { due: world.next_due(), world });
        Self { held, clock, changed: Notify::new(), pids: Mutex::default() }
    }

    /// Looks at or changes the world as it is now.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut World, At) -> R) -> R {
        self.at(|held, now| {
            let result = look(&mut held.world, now);
            held.due = held.world.next_due();
            result
        })
    }

    /// The same for what changes nothing about when something is due.
    pub(crate) fn glance<R>(&self, look: impl FnOnce(&mut World, At) -> R) -> R {
        self.at(|held, now| look(&mut held.world, now))
    }

    fn at<R>(&self, look: impl FnOnce(&mut Held, At) -> R) -> R {
        let mut held = locked(&self.held);
        let now = self.clock.now();
        let due_before = held.due;
        if held.due.is_some_and(|due| due <= now) {
            held.world.advance(now);
            held.due = held.world.next_due();
        }
        let result = look(&mut held, now);
        if held.world.has_effects() || held.due != due_before {
            self.changed.notify_one();
        }
        result
    }

    /// Writes down, or forgets, which process an instance is.
    pub(crate) fn set_pid(&self, instance: &InstanceId, pid: Option<u32>) {
        let mut pids = locked(&self.pids);
        match pid {
            Some(pid) => pids.insert(instance.clone(), pid),
            None => pids.remove(instance),
        };
    }

    pub(crate) fn pid(&self, instance: &InstanceId) -> Option<u32> {
        locked(&self.pids).get(instance).copied()
    }
}

/// The sandbox keeps serving after a panic in one request: the world's methods leave it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
