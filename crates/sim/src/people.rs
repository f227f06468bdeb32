//! The people of one run: who asks for releases, and says something when one of them waits for a person.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::decision::Reason;
use segue_domain::event::{RequestKey, Word};
use segue_domain::ids::{InstanceId, ReleaseId, Version};
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::request::Request;
use segue_domain::state::{Leg, ReleaseState, Stance};
use segue_domain::step::Step;
use segue_engine::AskError;
use tokio::time::{Instant, sleep, timeout};

use crate::ground::{Ground, person};
use crate::run::HEALS;
use crate::script::Wish;

/// From one request for a release to the next.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// An answer that does not come within this will not come: the daemon died, or is frozen.
const ANSWER: Duration = Duration::from_mins(1);
/// How long somebody asks for a release that is refused because of what the world looks like.
const INSISTS: Duration = Duration::from_mins(10);
/// Time for everything that was struck to be tried again.
const TWO_TRIES: Duration = Duration::from_mins(5);
/// From a hold, or a question, to a person's word.
const NOTICES: Duration = Duration::from_secs(45);
/// Words to one release that holds; then it is turned back, and at last left alone.
const TRIES: u32 = 4;
const GIVES_UP: u32 = 10;

/// Asks for everything that the script wants, one after the other, and sees each to its end.
pub(crate) async fn follow_the_script(ground: &Ground) {
    for (number, wish) in ground.plan.script.wishes().into_iter().enumerate() {
        if let Some(release) = ask(ground, number, wish).await {
            see_to_its_end(ground, &release).await;
        }
    }
}

/// Sees every release to its end, those as well that nobody's script asked for.
pub(crate) async fn see_all_to_their_ends(ground: &Ground) {
    let told = ground.journal.told().borrow().clone();
    for release in told.releases.keys() {
        see_to_its_end(ground, release).await;
    }
}

/// Whether a release is on that nobody has given up.
pub(crate) fn is_any_on(ground: &Ground) -> bool {
    // While faults may strike nobody gives one up that holds, whoever asked for it.
    let holds_on = !is_healed(ground);
    ground.journal.told().borrow().releases.values().any(|state| match state.stance {
        Stance::Going | Stance::Paused { .. } | Stance::Asking { .. } => true,
        Stance::Held { .. } => holds_on,
        Stance::Closed { .. } => false,
    })
}

/// The release; none when it was refused for good.
async fn ask(ground: &Ground, number: usize, wish: Wish) -> Option<ReleaseId> {
    let began = Instant::now();
    loop {
        match try_to_ask(ground, number, wish).await {
            Some(Ok(release)) => return Some(release),
            // The answer may have been lost: the same key finds the same release.
            Some(Err(_)) if began.elapsed() > INSISTS => return None,
            None | Some(Err(_)) => {}
        }
        sleep(ASK_AGAIN).await;
    }
}

async fn try_to_ask(ground: &Ground, number: usize, wish: Wish) -> Option<Result<ReleaseId, AskError>> {
    let daemon = ground.leader()?;
    let request = Request {
        kind: wish.kind,
        version: Some(Version::new(wish.version)),
        parent: None,
        overrides: BTreeMap::new(),
    };
    let key = RequestKey { key: format!("wish-{number}"), digest: "same".to_owned() };
    let asked = daemon.engine.start(&ground.service.name, request, Some(key), person());
    answer(&daemon.life, asked).await
}

/// Somebody who does not know that a release is on.
pub(crate) async fn ask_for_another(ground: &Ground) {
    let Some(daemon) = ground.leader() else { return };
    let version = Some(Version::new("2"));
    let request = Request { kind: Kind::Full, version, parent: None, overrides: BTreeMap::new() };
    let asked = daemon.engine.start(&ground.service.name, request, None, person());
    let asked = answer(&daemon.life, asked).await;
    // Whoever holds a daemon keeps it from being buried.
    drop(daemon);
    if let Some(Ok(release)) = asked {
        see_to_its_end(ground, &release).await;
    }
}

/// Says a word to a release; whether it was taken.
pub(crate) async fn say(ground: &Ground, release: &ReleaseId, word: Word) -> bool {
    let Some(daemon) = ground.leader() else { return false };
    let said = daemon.engine.say(release, word, person());
    matches!(answer(&daemon.life, said).await, Some(Ok(())))
}

/// Says yes to what waits for a person. Whoever takes fewer servers for enough asks for no more.
pub(crate) async fn promote(ground: &Ground, state: &ReleaseState) {
    if let Stance::Held { reason: Reason::NoCapacity { able, at, .. }, .. } = &state.stance
        && matches!(state.leg, Leg::Back { .. })
    {
        ground.world.expect_no_more(at.as_ref(), *able);
    }
    say(ground, &state.plan.release, Word::Promote).await;
}

async fn answer<T>(life: &segue_engine::fakes::Life, asked: impl Future<Output = T>) -> Option<T> {
    let answered = async {
        tokio::select! {
            biased;
            () = life.death() => None,
            answer = asked => Some(answer),
        }
    };
    timeout(ANSWER, answered).await.ok().flatten()
}

/// Until its verdict. A release that waits for a person gets one: a few times a friendly one, then an impatient.
async fn see_to_its_end(ground: &Ground, release: &ReleaseId) {
    let (mut tries, mut tried_when_healed) = (0, false);
    loop {
        let state =
            until(ground, release, |state| waits_for_a_person(state) || state.verdict().is_some()).await;
        if state.verdict().is_some() {
            return;
        }
        // What is held, or asks, does nothing until then.
        ground.world.nobody_acts_for(NOTICES);
        sleep(NOTICES).await;
        tries += 1;
        // Where the world has healed and it holds all the same, nobody can help.
        if tries > GIVES_UP && tried_when_healed && matches!(state.stance, Stance::Held { .. }) {
            return;
        }
        tried_when_healed = is_healed(ground);
        if tries > 1 {
            end_the_mute(ground, &state);
        }
        match (&state.stance, &state.leg, tries > TRIES) {
            (Stance::Asking { .. }, _, _)
            | (Stance::Held { reason: Reason::NoCapacity { able: 1.., .. }, .. }, Leg::Back { .. }, true) => {
                promote(ground, &state).await;
            }
            (_, _, false) => {
                say(ground, release, Word::Retry).await;
            }
            (_, _, true) => {
                say(ground, release, Word::Abort).await;
                say(ground, release, Word::Retry).await;
            }
        }
    }
}

/// Terminates whoever came in the place of a dead one and does not answer, as the runbook says: `retry` asks the same
/// server again.
fn end_the_mute(ground: &Ground, state: &ReleaseState) {
    let Stance::Held { reason: Reason::CannotGoOn { step: Step::Handover | Step::Retire, .. }, .. } =
        &state.stance
    else {
        return;
    };
    let instances = ground.world.instances();
    let runs = |id: &&InstanceId| instances.get(*id).is_some_and(|it| it.state == InstanceState::Running);
    let is_mute = |id: &&InstanceId| ground.world.app_state(id).is_none();
    state.arriving().iter().filter(runs).filter(is_mute).for_each(|id| ground.world.terminate_by_hand(id));
}

pub(crate) fn is_healed(ground: &Ground) -> bool {
    Duration::from_millis(ground.world.elapsed_ms()) > HEALS + TWO_TRIES
}

fn waits_for_a_person(state: &ReleaseState) -> bool {
    match state.stance {
        Stance::Held { .. } | Stance::Asking { .. } => true,
        Stance::Going | Stance::Paused { .. } | Stance::Closed { .. } => false,
    }
}

/// Waits until the journal says so.
async fn until(
    ground: &Ground,
    release: &ReleaseId,
    is_so: impl Fn(&ReleaseState) -> bool,
) -> Arc<ReleaseState> {
    let mut told = ground.journal.told();
    let now = told.wait_for(|told| told.releases.get(release).is_some_and(|state| is_so(state))).await;
    let now = now.expect("the journal outlives its people");
    Arc::clone(now.releases.get(release).expect("it was just seen"))
}
