//! The stories that are told again and again with a daemon that dies: what each begins with, and who tells it.
//!
//! A story that is added here is swept (`sweep.rs`), counts for what is covered (`coverage.rs`) and needs
//! nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::service::{NeedsCanary, Service};
use segue_domain::step::Step;
use segue_engine::fakes::{FakeWorld, SECOND};
use segue_journal::MemoryStore;

use crate::play::{Operator, play};
use crate::{adopting, large, stories};

/// One story.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    scene: fn() -> Scene,
    script: fn(Operator) -> Pin<Box<dyn Future<Output = ()>>>,
    /// Another story that begins in the same world and in the same way: the places up to where they part are
    /// not visited a second time.
    pub(crate) begins_as: Option<&'static str>,
    /// It has at least so many places at which a daemon can die.
    pub(crate) points_min: usize,
}

/// Where a story begins.
pub(crate) struct Scene {
    pub(crate) world: FakeWorld,
    pub(crate) service: Service,
}

/// What is asked of the stories that tell a full release from its beginning to its end.
const FULL: usize = 500;

macro_rules! story {
    ($name:literal, $scene:expr, $script:expr) => {
        story!($name, $scene, $script, None, 1)
    };
    ($name:literal, $scene:expr, $script:expr, $begins_as:expr, $points_min:expr) => {
        Story {
            name: $name,
            scene: $scene,
            script: |it| Box::pin($script(it)),
            begins_as: $begins_as,
            points_min: $points_min,
        }
    };
}

/// The old servers are kept so long where a story waits for their end.
const KEEP_OLD: Duration = Duration::from_mins(1);
/// The story as which those of the small world begin.
const SMALL: Option<&str> = Some("a small full release");

pub(crate) const STORIES: &[Story] = &[
    story!("a full release", large_scene, large::full_release, None, FULL),
    story!("a full release with its canary", canaries_scene, large::full_release_with_canaries, None, FULL),
    story!("a full release in bad times", large_scene, large::full_release_in_bad_times, None, FULL),
    story!("a canary", small, stories::canary_passes),
    story!("a failed canary", small, stories::a_canary_that_fails, Some("a canary"), 1),
    story!("a held canary", small, stories::a_canary_that_is_held, Some("a canary"), 1),
    story!("a small full release", small, stories::full_release),
    story!("the old servers' end", small, |it| stories::the_old_servers_end(it, KEEP_OLD), SMALL, 1),
    story!("a rollback", small, stories::rollback, SMALL, 1),
    story!("room elsewhere", two_types, stories::room_elsewhere),
    story!("an abort in launch", small, |it| stories::abort_in(it, Step::Launch), SMALL, 1),
    story!("an abort in admit", small, |it| stories::abort_in(it, Step::Admit), SMALL, 1),
    story!("an abort in handover", small, |it| stories::abort_in(it, Step::Handover), SMALL, 1),
    story!("an abort in retire", small, |it| stories::abort_in(it, Step::Retire), SMALL, 1),
    story!("a handover with exceptions", small, stories::a_handover_with_exceptions, SMALL, 1),
    story!("a daemon that is told to stop", small, stories::restarted_in_good_order, SMALL, 1),
    story!("an old server joins", small, stories::an_old_server_joins, SMALL, 1),
    story!("a full release without a contract", level_0, stories::drained, SMALL, 1),
    story!("a refused release", needs_canary, stories::refused_by_preflight),
    story!("a step that fails", warm, stories::a_step_that_fails),
    story!("an adoption", strangers, adopting::adoption, None, 8),
];

impl Story {
    pub(crate) fn named(name: &str) -> &'static Self {
        STORIES.iter().find(|story| story.name == name).expect("there is a story of this name")
    }

    pub(crate) fn scene(&self) -> Scene {
        (self.scene)()
    }

    /// Tells it in a scene; the journal that is left.
    pub(crate) async fn tell(&self, scene: &Scene) -> Arc<MemoryStore> {
        play(&scene.world, scene.service.clone(), self.script).await
    }
}

pub(crate) fn small() -> Scene {
    let world = stories::world();
    let mut service = world.service();
    service.full.keep_old = KEEP_OLD;
    Scene { world, service }
}

fn strangers() -> Scene {
    let world = adopting::world();
    Scene { service: world.service(), world }
}

fn level_0() -> Scene {
    let mut scene = small();
    scene.service.handover.level_max = 0;
    scene
}

fn two_types() -> Scene {
    let mut scene = small();
    scene.service.launch.types = vec!["m7i.large".into(), "m6i.large".into()];
    scene
}

fn needs_canary() -> Scene {
    let mut scene = small();
    scene.service.full.needs_canary = NeedsCanary::Yes;
    scene
}

fn warm() -> Scene {
    let world = stories::world();
    Scene { service: world.spread_service(), world }
}

fn large_scene() -> Scene {
    let world = FakeWorld::with_spread_fleet(large::SERVERS, large::BOARDS);
    let mut service = world.spread_service();
    service.canary.bake = Duration::from_secs(4);
    Scene { world, service }
}

fn canaries_scene() -> Scene {
    let mut scene = large_scene();
    scene.world.keep_spare(SECOND);
    // The later version's canary finds nobody who opens a board there.
    scene.service.canary.min_boards = 0;
    scene
}
