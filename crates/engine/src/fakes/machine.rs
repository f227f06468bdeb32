//! An instance: EC2's states, its tags, and the process that runs on it.

use std::collections::BTreeMap;

use segue_domain::ids::{ServiceName, Version};
use segue_domain::instance::{Instance, InstanceState};
use segue_domain::stranger::{Stranger, tags_of};

use super::app::App;
use super::fixture::SERVICE;
use crate::ports::CallError;

/// From launch or start to running.
const BOOT_MS: u64 = 2_000;
/// From running to the application's first answer.
const APP_START_MS: u64 = 1_000;
/// From stop or terminate to its end.
const DOWN_MS: u64 = 1_500;

/// What becomes of a launched instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Well,
    /// EC2 gives fewer instances than were asked for: the rest of the batch is missing.
    Short,
    /// It is terminated by itself right after its launch.
    Dies,
    /// It runs, and its process never answers.
    Mute,
}

/// The time without tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untagged {
    pub(super) from_ms: u64,
    /// None while it has none.
    pub(super) to_ms: Option<u64>,
}

/// One instance.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) instance: Instance,
    pub(super) tags: BTreeMap<String, String>,
    /// When a person took its tags away, the last time that one did.
    pub(super) untagged: Option<Untagged>,
    /// Some group has had it.
    pub(super) was_registered: bool,
    /// When the state that it is on its way to is reached.
    due_ms: Option<u64>,
    /// None while no process answers.
    pub(super) app: Option<App>,
    /// EC2 does not list it before.
    pub(super) listed_at_ms: u64,
    fate: Fate,
    /// When its process comes up, unless it is mute.
    app_up_ms: Option<u64>,
}

impl Machine {
    pub(super) fn launched(instance: Instance, now_ms: u64, fate: Fate) -> Self {
        let due = now_ms + BOOT_MS;
        let tags = tags_of(&ServiceName::new(SERVICE), &instance.version);
        Self {
            instance,
            tags,
            untagged: None,
            was_registered: false,
            due_ms: Some(due),
            app: None,
            listed_at_ms: now_ms,
            fate,
            app_up_ms: Some(due + APP_START_MS),
        }
    }

    /// The instance as its tags name it; none when they name no service, or another one.
    pub(super) fn listed(&self) -> Result<Option<Instance>, CallError> {
        let stranger = self.stranger(None);
        match (stranger.service(), stranger.tagged_version()) {
            (None, _) => Ok(None),
            (Some(service), _) if service != SERVICE => Ok(None),
            (Some(_), Some(version)) => Ok(Some(Instance { version, ..self.instance.clone() })),
            (Some(_), None) => Err(CallError::refused(format!("{} has no version in its tags", stranger.id))),
        }
    }

    /// Since when it has had no tags; none while it has them.
    pub(super) fn untagged_since_ms(&self) -> Option<u64> {
        self.untagged.filter(|it| it.to_ms.is_none()).map(|it| it.from_ms)
    }

    pub(super) fn is_listed_at(&self, now_ms: u64) -> bool {
        self.listed_at_ms <= now_ms
    }

    pub(super) fn stranger(&self, image_version: Option<Version>) -> Stranger {
        Stranger {
            id: self.instance.id.clone(),
            image: self.instance.image.clone(),
            image_version,
            state: self.instance.state,
            address: self.instance.address.clone(),
            tags: self.tags.clone(),
        }
    }

    pub(super) fn settle(&mut self, now_ms: u64) {
        if self.due_ms.is_some_and(|due| due <= now_ms) {
            self.due_ms = None;
            self.instance.state = self.reached();
        }
        let up = self.app_up_ms.take_if(|up| *up <= now_ms);
        if let Some(up) = up
            && self.instance.state == InstanceState::Running
            && self.fate != Fate::Mute
        {
            self.app = Some(App::new(self.instance.version.clone(), up));
        }
    }

    fn reached(&self) -> InstanceState {
        match self.instance.state {
            InstanceState::Pending if self.fate == Fate::Dies => InstanceState::Terminated,
            InstanceState::Pending | InstanceState::Running => InstanceState::Running,
            InstanceState::Stopping | InstanceState::Stopped => InstanceState::Stopped,
            InstanceState::ShuttingDown | InstanceState::Terminated => InstanceState::Terminated,
        }
    }

    /// A running process at once, for instances that were there before the story begins.
    pub(super) fn already_up(mut self, now_ms: u64) -> Self {
        self.due_ms = None;
        self.app_up_ms = None;
        self.instance.state = InstanceState::Running;
        self.app = Some(App::new(self.instance.version.clone(), now_ms));
        self
    }

    /// Stopped long ago.
    pub(super) fn already_stopped(mut self) -> Self {
        self.go_down(InstanceState::Stopped, 0);
        self.due_ms = None;
        self
    }

    pub(super) fn start(&mut self, now_ms: u64) {
        if self.instance.state == InstanceState::Stopped {
            self.instance.state = InstanceState::Pending;
            self.due_ms = Some(now_ms + BOOT_MS);
            self.app_up_ms = Some(now_ms + BOOT_MS + APP_START_MS);
        }
    }

    pub(super) fn stop(&mut self, now_ms: u64) {
        if matches!(self.instance.state, InstanceState::Running | InstanceState::Pending) {
            self.go_down(InstanceState::Stopping, now_ms);
        }
    }

    pub(super) fn terminate(&mut self, now_ms: u64) {
        if !self.instance.state.is_gone() {
            self.go_down(InstanceState::ShuttingDown, now_ms);
        }
    }

    /// The hardware is gone: no warning, no goodbye.
    pub(super) fn die(&mut self) {
        self.go_down(InstanceState::ShuttingDown, 0);
        self.due_ms = None;
        self.instance.state = InstanceState::Terminated;
    }

    fn go_down(&mut self, state: InstanceState, now_ms: u64) {
        self.instance.state = state;
        self.due_ms = Some(now_ms + DOWN_MS);
        self.app = None;
        self.app_up_ms = None;
    }
}
