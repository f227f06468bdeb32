//! Lets what was planned happen, each thing at its time.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::app::AppState;
use segue_domain::event::Word;
use segue_domain::ids::{BoardId, InstanceId, SubnetId};
use segue_domain::instance::InstanceState;
use segue_domain::state::{ReleaseState, Stance};
use segue_engine::fakes::{FIRST, FakeWorld, Fate};
use tokio::time::{Instant, sleep, timeout_at};

use crate::end::keeps_old;
use crate::ground::{Ground, LEASE_TTL};
use crate::happening::{At, Event, Happening, Side, Way};
use crate::journal::Told;
use crate::people;

/// From the last sign of a daemon to another's first look: the lease, and the promise of five seconds.
const TAKES_OVER: Duration = LEASE_TTL.saturating_add(Duration::from_secs(5));

/// From one try to say something to the next.
const COMES_BACK: Duration = Duration::from_secs(10);
/// What a daemon was asked before it froze may be written when it has thawed, whatever it answered.
const COMES_LATE: Duration = Duration::from_mins(3);

/// Waits for its time, then lets it happen.
pub(crate) async fn happen(ground: &Ground, happening: Happening) {
    match happening.at {
        At::Ms(ms) => sleep(Duration::from_millis(ms)).await,
        At::Step { nth, after_ms } => {
            step(ground, nth).await;
            sleep(Duration::from_millis(after_ms)).await;
        }
        At::Released { after_ms } => {
            released(ground).await;
            sleep(Duration::from_millis(after_ms)).await;
        }
    }
    befall(ground, happening.what).await;
}

/// Returns when more than so many steps were entered, over all releases.
async fn step(ground: &Ground, nth: u32) {
    // The journal outlives what happens.
    drop(ground.journal.told().wait_for(|told| told.steps > nth).await);
}

/// Returns when old servers are kept for the first time.
async fn released(ground: &Ground) {
    let is_any = |told: &Told| told.releases.values().any(|state| keeps_old(state));
    drop(ground.journal.told().wait_for(is_any).await);
}

async fn befall(ground: &Ground, event: Event) {
    let world = &ground.world;
    let until = |for_ms: u64| world.elapsed_ms().saturating_add(for_ms);
    match event {
        Event::Dies(side) => servers(ground, side).first().into_iter().for_each(|id| world.die(id)),
        Event::AllDie(side) => servers(ground, side).iter().for_each(|id| world.die(id)),
        Event::Ill { side, for_ms } => fall_ill(ground, servers(ground, side).first(), for_ms),
        Event::AllIll { side, for_ms } => fall_ill(ground, &servers(ground, side), for_ms),
        Event::ZoneLost { zone } => world.lose_zone(&subnet(ground, zone)),
        Event::ZoneFull { zone, for_ms } => {
            world.fill_for(&subnet(ground, zone), Duration::from_millis(for_ms));
        }
        Event::Joins => world.join(FIRST),
        Event::Stale { for_ms } => blind(ground, for_ms, FakeWorld::stop_scraping).await,
        Event::Empty { for_ms } => blind(ground, for_ms, FakeWorld::forget_series).await,
        Event::Partial { for_ms } => blind(ground, for_ms, FakeWorld::spoil_series).await,
        Event::Mixed { for_ms } => blind(ground, for_ms, FakeWorld::mix_series_up).await,
        Event::MetricsAway { for_ms } => ground.spells().metrics_away_until_ms = until(for_ms),
        Event::Throttled { for_ms } => ground.spells().throttled_until_ms = until(for_ms),
        Event::JournalAway { for_ms } => {
            ground.spells().journal_away_until_ms = until(for_ms);
            world.nobody_acts_for(Duration::from_millis(for_ms));
        }
        Event::Returns => closed(ground).iter().for_each(|id| {
            world.open_board_on(id);
        }),
        Event::BadLaunch { way } => world.next_fates(&[fate(way)]),
        Event::ListedLate { for_ms } => world.list_late(Duration::from_millis(for_ms)),
        Event::Stubborn => some_board(ground).iter().for_each(|board| world.make_stubborn(board)),
        Event::Plain => some_board(ground).iter().for_each(|board| world.make_plain(board, 1)),
        Event::MovesRefused { for_ms } => world.refuse_moves(Duration::from_millis(for_ms)),
        Event::Freezes { for_ms } => {
            let time = Duration::from_millis(for_ms);
            ground.leader().iter().for_each(|it| it.life.freeze(time));
            // Another one acts as soon as the lease is its own.
            world.nobody_acts_for(if ground.plan.daemons == 1 { time } else { time.min(TAKES_OVER) });
        }
        Event::Aborts => {
            say(ground, Word::Abort).await;
        }
        Event::Pauses { for_ms } => pause(ground, Duration::from_millis(for_ms)).await,
        Event::Retries => {
            say(ground, Word::Retry).await;
        }
        Event::Promotes => {
            if let Some(state) = newest(ground) {
                people::promote(ground, &state).await;
            }
        }
        Event::AsksForAnother => people::ask_for_another(ground).await,
        Event::EndsByHand(side) => {
            servers(ground, side).first().into_iter().for_each(|id| world.terminate_by_hand(id));
        }
        Event::Leaves(side) => servers(ground, side).first().into_iter().for_each(|id| world.leave(id)),
        Event::StartsByHand => {
            let stopped = world.fleet(FIRST, InstanceState::Stopped);
            stopped.first().into_iter().for_each(|id| world.start_by_hand(id));
        }
        Event::UntagsKept { for_ms } => untag_kept(ground, Duration::from_millis(for_ms)).await,
        Event::Untags { side, for_ms } => untag(ground, side, Duration::from_millis(for_ms)).await,
    }
}

/// Whoever paused it comes back until it goes on. Who was not told that it is paused looks for a while, in case it was.
async fn pause(ground: &Ground, time: Duration) {
    let taken = say(ground, Word::Pause).await;
    let until = if taken { Instant::now() } else { Instant::now() + COMES_LATE };
    let mut wait = time;
    while is_paused_by(ground, until).await {
        // Nothing is begun until somebody says so.
        ground.world.nobody_acts_for(wait);
        sleep(wait).await;
        say(ground, Word::Resume).await;
        wait = COMES_BACK;
    }
}

/// Whether a release is paused now, or will be by then.
async fn is_paused_by(ground: &Ground, until: Instant) -> bool {
    let is_paused = |state: &ReleaseState| matches!(state.stance, Stance::Paused { .. });
    let mut told = ground.journal.told();
    let paused = told.wait_for(|told| told.releases.values().any(|state| is_paused(state)));
    timeout_at(until, paused).await.is_ok()
}

/// Whoever took them away gives them back when it is told who is missing.
async fn untag(ground: &Ground, side: Side, time: Duration) {
    let Some(id) = servers(ground, side).into_iter().next() else { return };
    let tags = ground.world.untag(&id);
    // Somebody else did already, and gives them back.
    if tags.is_empty() {
        return;
    }
    sleep(time).await;
    ground.world.tag_again(&id, tags);
}

/// The same, of everything that is stopped.
async fn untag_kept(ground: &Ground, time: Duration) {
    let stopped = ["1", "2", "3"].into_iter().flat_map(|it| ground.world.fleet(it, InstanceState::Stopped));
    let tags: Vec<_> = stopped.map(|id| (ground.world.untag(&id), id)).collect();
    sleep(time).await;
    for (tags, id) in tags.into_iter().filter(|(tags, _)| !tags.is_empty()) {
        ground.world.tag_again(&id, tags);
    }
}

fn fall_ill<'i>(ground: &Ground, servers: impl IntoIterator<Item = &'i InstanceId>, for_ms: u64) {
    servers.into_iter().for_each(|id| ground.world.fall_ill(id, Duration::from_millis(for_ms)));
}

async fn blind(ground: &Ground, for_ms: u64, how: fn(&FakeWorld)) {
    how(&ground.world);
    sleep(Duration::from_millis(for_ms)).await;
    ground.world.scrape_again();
}

fn fate(way: Way) -> Fate {
    match way {
        Way::Short => Fate::Short,
        Way::Dies => Fate::Dies,
        Way::Mute => Fate::Mute,
    }
}

fn subnet(ground: &Ground, zone: u8) -> SubnetId {
    let subnets = &ground.service.launch.subnets;
    let subnet = subnets.get(usize::from(zone)).or(subnets.first());
    subnet.cloned().unwrap_or_else(|| SubnetId::new("none"))
}

/// Running servers, those of the first version or the others.
fn servers(ground: &Ground, side: Side) -> Vec<InstanceId> {
    let running = |version| ground.world.fleet(version, InstanceState::Running);
    match side {
        Side::Old => running(FIRST),
        Side::New => ["2", "3"].into_iter().flat_map(running).collect(),
    }
}

fn closed(ground: &Ground) -> Option<InstanceId> {
    let all = servers(ground, Side::Old).into_iter().chain(servers(ground, Side::New));
    all.into_iter().find(|id| ground.world.app_state(id).is_some_and(|state| state != AppState::Serving))
}

fn some_board(ground: &Ground) -> Option<BoardId> {
    servers(ground, Side::Old).iter().find_map(|id| ground.world.some_board_on(id))
}

/// To whatever release is on; nobody minds if there is none, or if it is refused. Whether it was taken.
async fn say(ground: &Ground, word: Word) -> bool {
    match newest(ground) {
        Some(state) => people::say(ground, &state.plan.release, word).await,
        None => false,
    }
}

fn newest(ground: &Ground) -> Option<Arc<ReleaseState>> {
    ground.journal.told().borrow().releases.values().next_back().cloned()
}
