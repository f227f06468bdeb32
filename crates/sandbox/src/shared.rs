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
    world: Mutex<World>,
    pub(crate) clock: Clock,
    /// Rung when there are effects to carry out or the next due moment has changed.
    pub(crate) changed: Notify,
    pids: Mutex<HashMap<InstanceId, u32>>,
}

impl Shared {
    pub(crate) fn new(world: World, clock: Clock) -> Self {
        Self { world: Mutex::new(world), clock, changed: Notify::new(), pids: Mutex::default() }
    }

    /// Looks at or changes the world as it is now.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut World, At) -> R) -> R {
        let mut world = locked(&self.world);
        let now = self.clock.now();
        let due_before = world.next_due();
        world.advance(now);
        let result = look(&mut world, now);
        if world.has_effects() || world.next_due() != due_before {
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
