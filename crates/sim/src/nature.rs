//! Lets what was planned happen, each thing at its time.

use std::time::Duration;

use segue_domain::app::AppState;
use segue_domain::event::Word;
use segue_domain::ids::{BoardId, InstanceId};
use segue_engine::fakes::{FIRST, Fate};
use tokio::time::sleep;

use crate::ground::Ground;
use crate::happening::{At, Event, Happening, Side};
use crate::people;

/// Waits for its time, then lets it happen.
pub(crate) async fn happen(ground: &Ground, happening: Happening) {
    match happening.at {
        At::Ms(ms) => sleep(Duration::from_millis(ms)).await,
        At::Step { nth, after_ms } => {
            step(ground, nth).await;
            sleep(Duration::from_millis(after_ms)).await;
        }
    }
    befall(ground, happening.what).await;
}

/// Returns when more than so many steps were entered, over all releases.
async fn step(ground: &Ground, nth: u32) {
    // The ground outlives what happens on it.
    drop(ground.told.subscribe().wait_for(|told| told.steps > nth).await);
}

async fn befall(ground: &Ground, event: Event) {
    let world = &ground.world;
    match event {
        Event::Dies(side) => servers(ground, side).first().into_iter().for_each(|id| world.die(id)),
        Event::AllDie(side) => servers(ground, side).iter().for_each(|id| world.die(id)),
        Event::Joins => world.join(FIRST),
        Event::Stale { for_ms } => {
            world.stop_scraping();
            sleep(Duration::from_millis(for_ms)).await;
            world.scrape_again();
        }
        Event::Empty { for_ms } => {
            world.forget_series();
            sleep(Duration::from_millis(for_ms)).await;
            world.scrape_again();
        }
        Event::Returns => {
            if let Some(id) = closed(ground) {
                world.open_board_on(&id);
            }
        }
        Event::BadLaunch { way } => world.next_fates(&[match way {
            0 => Fate::Short,
            1 => Fate::Dies,
            _ => Fate::Mute,
        }]),
        Event::Stubborn => {
            if let Some(board) = some_board(ground) {
                world.make_stubborn(&board);
            }
        }
        Event::Freezes { for_ms } => {
            if let Some(daemon) = ground.leader() {
                daemon.life.freeze(Duration::from_millis(for_ms));
            }
        }
        Event::Aborts => say(ground, Word::Abort).await,
        Event::Pauses { for_ms } => {
            say(ground, Word::Pause).await;
            sleep(Duration::from_millis(for_ms)).await;
            say(ground, Word::Resume).await;
        }
        Event::Retries => say(ground, Word::Retry).await,
        Event::Promotes => say(ground, Word::Promote).await,
    }
}

/// Running servers, those of the first version or the others.
fn servers(ground: &Ground, side: Side) -> Vec<InstanceId> {
    match side {
        Side::Old => ground.world.fleet(FIRST, "running"),
        Side::New => ["2", "3"].iter().flat_map(|version| ground.world.fleet(version, "running")).collect(),
    }
}

fn closed(ground: &Ground) -> Option<InstanceId> {
    let all = servers(ground, Side::Old).into_iter().chain(servers(ground, Side::New));
    all.into_iter().find(|id| ground.world.app_state(id).is_some_and(|state| state != AppState::Serving))
}

fn some_board(ground: &Ground) -> Option<BoardId> {
    servers(ground, Side::Old).iter().find_map(|id| ground.world.some_board_on(id))
}

/// To whatever release is on; nobody minds if there is none, or if it is refused.
async fn say(ground: &Ground, word: Word) {
    let last = ground.told.borrow().releases.keys().next_back().cloned();
    if let Some(release) = last {
        people::say(ground, &release, word).await;
    }
}
