//! Several daemons, one lease: who acts, who waits, and what happens when the journal does not answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::decision::{Reason, Wait, WaitingOn};
use segue_domain::event::{Event, Word};
use segue_domain::ids::{ReleaseId, ServiceName, Version};
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::request::Request;
use segue_domain::state::{Leg, ReleaseState, Stance};
use segue_domain::step::Step;
use segue_engine::fakes::{FIRST, FakeWorld, Life, Method, Nth, SECOND, What};
use segue_engine::ports::Class;
use segue_engine::{AskError, Engine};
use segue_journal::{MemoryStore, Reader, Record, Stream};
use tokio::time::{sleep, timeout};

use crate::endings::{lawful, serves};
use crate::play::{begin, by};
use crate::stories::world;

/// One world and one journal for all daemons.
pub(crate) struct Place {
    pub(crate) world: FakeWorld,
    pub(crate) store: Arc<MemoryStore>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let world = world();
        let store = Arc::new(world.store());
        Self { world, store }
    }

    pub(crate) fn daemon(&self, name: &str, life: &Life) -> Engine {
        begin(&self.world, &self.store, self.world.service(), (name, life))
    }

    async fn epochs(&self, release: &ReleaseId) -> Vec<u64> {
        let records = self.store.read(&Stream::release(release), 0).await.expect("the journal is whole");
        let mut epochs: Vec<u64> = records.iter().map(|record| record.epoch).collect();
        epochs.dedup();
        epochs
    }
}

pub(crate) async fn full_release(daemon: &Engine) -> Result<ReleaseId, AskError> {
    start(daemon, Kind::Full, SECOND).await
}

pub(crate) async fn rollback(daemon: &Engine) -> Result<ReleaseId, AskError> {
    start(daemon, Kind::Rollback, FIRST).await
}

async fn start(daemon: &Engine, kind: Kind, version: &str) -> Result<ReleaseId, AskError> {
    let version = Some(Version::new(version));
    let request = Request { kind, version, parent: None, overrides: BTreeMap::new() };
    daemon.start(&ServiceName::new("boards"), request, None, by()).await
}

pub(crate) async fn until(daemon: &Engine, release: &ReleaseId, is_so: impl Fn(&ReleaseState) -> bool) {
    let seen = async {
        loop {
            let watch = daemon.watch(release).await.expect("the release is known");
            if is_so(&watch.borrow().state) {
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
    };
    assert!(timeout(Duration::from_mins(30), seen).await.is_ok(), "it was never so");
}

#[tokio::test(start_paused = true)]
async fn a_second_daemon_waits_for_the_lease_and_goes_on_when_the_first_is_gone() {
    let place = Place::new();
    let (first_life, second_life) = (Life::new(), Life::new());
    let first = place.daemon("first", &first_life);
    first.leading().await;
    let second = place.daemon("second", &second_life);
    let release = full_release(&first).await.expect("the first takes it");
    let refused = full_release(&second).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::NotServed { .. }))), "{refused:?}");
    until(&second, &release, |state| !state.launched().is_empty()).await;
    assert!(!second.is_leading());
    first_life.kill();
    drop(first);
    let waited = timeout(Duration::from_secs(32), second.leading()).await;
    assert!(waited.is_ok(), "the lease of a dead daemon ends by itself");
    until(&second, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
    assert_eq!(place.epochs(&release).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_cannot_renew_its_lease_drops_everything_and_comes_back() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    place.world.choke().add(Method::Renew, Nth::Each, What::FailBefore(Class::Retry));
    place.world.choke().add(Method::Append, Nth::Each, What::FailBefore(Class::Retry));
    sleep(Duration::from_secs(27)).await;
    let launches = place.world.choke().calls(Method::Launch);
    sleep(Duration::from_mins(5)).await;
    assert_eq!(place.world.choke().calls(Method::Launch), launches, "it acted without a journal");
    place.world.choke().heal(Method::Renew);
    place.world.choke().heal(Method::Append);
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
    let epochs = place.epochs(&release).await;
    assert!(epochs.len() > 1, "it went on under its old epoch: {epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_for_a_while_is_read_again() {
    let place = Place::new();
    place.world.choke().add(Method::Page, Nth::Each, What::FailBefore(Class::Retry));
    let daemon = place.daemon("only", &Life::new());
    sleep(Duration::from_mins(1)).await;
    let refused = full_release(&daemon).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::NotServed { .. }))), "{refused:?}");
    place.world.choke().heal(Method::Page);
    sleep(Duration::from_secs(10)).await;
    daemon.leading().await;
    full_release(&daemon).await.expect("it reads its journal");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_reads_its_journal_slowly_keeps_its_lease_meanwhile() {
    let place = Place::new();
    place.world.choke().add(Method::Page, Nth::Each, What::Late(Duration::from_mins(2)));
    let first = place.daemon("first", &Life::new());
    sleep(Duration::from_secs(1)).await;
    let second = place.daemon("second", &Life::new());
    sleep(Duration::from_mins(1)).await;
    assert!(!first.is_leading() && !second.is_leading());
    place.world.choke().heal(Method::Page);
    let led = timeout(Duration::from_mins(2), first.leading()).await;
    assert!(led.is_ok() && !second.is_leading(), "the lease went to another who would read as slowly");
    let release = full_release(&first).await.expect("it takes it");
    until(&first, &release, |state| !state.launched().is_empty()).await;
    assert_eq!(place.epochs(&release).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_reads_its_journal_hears_that_it_is_to_stop() {
    let place = Place::new();
    place.world.choke().add(Method::Page, Nth::Only(1), What::Late(Duration::from_hours(1)));
    let first = place.daemon("first", &Life::new());
    sleep(Duration::from_secs(1)).await;
    assert!(timeout(Duration::from_secs(1), first.stop()).await.is_ok(), "it did not stop");
    let second = place.daemon("second", &Life::new());
    assert!(timeout(Duration::from_secs(2), second.leading()).await.is_ok(), "the lease was not given back");
}

#[tokio::test(start_paused = true)]
async fn a_lease_for_which_nobody_answers_ends_on_time() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    place.world.choke().add(Method::Renew, Nth::Each, What::Late(Duration::from_hours(1)));
    // It gets the lease again at once, and is seen reading.
    place.world.choke().add(Method::Page, Nth::Each, What::Late(Duration::from_secs(10)));
    sleep(Duration::from_millis(27_100)).await;
    assert!(!daemon.is_leading(), "it went on beyond the part of the lease that is its own");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_written_ends_with_the_term() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    place.world.choke().add(Method::Renew, Nth::Each, What::FailBefore(Class::Retry));
    let (fails, hangs) = (What::FailBefore(Class::Retry), What::Late(Duration::from_hours(1)));
    for (fault, may_have_arrived) in [(fails, false), (hangs, true)] {
        place.world.choke().add(Method::Append, Nth::Each, fault);
        let asked = timeout(Duration::from_secs(30), full_release(&daemon)).await;
        let error = asked.expect("it ends with the term").expect_err("nothing was written");
        let is_unknown = matches!(error, AskError::NotKnown { .. });
        assert!(is_unknown || !may_have_arrived, "{error}");
        place.world.choke().heal(Method::Append);
        sleep(Duration::from_secs(2)).await;
        daemon.leading().await;
    }
    place.world.choke().heal(Method::Renew);
    full_release(&daemon).await.expect("nothing of it was left");
}

/// It is full, for instance: small rows are still written.
#[tokio::test(start_paused = true)]
async fn a_journal_that_takes_renewals_and_no_records_keeps_nobody_waiting_for_ever() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    place.world.choke().add(Method::Append, Nth::Each, What::FailBefore(Class::Retry));
    let asked = timeout(Duration::from_secs(40), full_release(&daemon)).await;
    assert!(matches!(asked, Ok(Err(AskError::Refused(Refusal::NotServed { .. })))), "{asked:?}");
    place.world.choke().heal(Method::Append);
    sleep(Duration::from_secs(5)).await;
    daemon.leading().await;
    full_release(&daemon).await.expect("it is written again");
}

#[tokio::test(start_paused = true)]
async fn every_record_is_told_once_and_in_order() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    let mut events = daemon.events();
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    let mut told = Vec::new();
    while let Ok(record) = events.try_recv() {
        told.extend((record.stream == Stream::release(&release)).then_some(record.seq));
    }
    let written = daemon.records(&release, 0).await.expect("the journal is whole");
    assert_eq!(told, written.iter().map(|record| record.seq).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_on_what_a_release_waits() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    let mut watch = daemon.watch(&release).await.expect("it is on");
    let seen = timeout(Duration::from_mins(5), watch.wait_for(|it| it.waiting.is_some())).await;
    let seen = seen.expect("it waits for something").expect("the daemon lives").clone();
    assert!(seen.world.is_some() && seen.seq > 1);
    let services = daemon.services();
    assert_eq!(services.iter().filter_map(|it| it.active.as_ref()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_breaks_down_again_and_again_is_held_once_and_then_left_alone() {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    let release = full_release(&first).await.expect("it takes it");
    until(&first, &release, |state| !state.launched().is_empty()).await;
    place.world.choke().add(Method::Targets, Nth::Each, What::Panic);
    sleep(Duration::from_mins(1)).await;
    let looks = place.world.choke().calls(Method::Targets);
    sleep(Duration::from_mins(10)).await;
    assert_eq!(place.world.choke().calls(Method::Targets), looks, "it broke down for ever");
    let trouble = first.services().into_iter().find_map(|it| it.trouble);
    assert!(trouble.is_some_and(|why| why.contains("broke down")), "nobody is told");
    let records = first.records(&release, 0).await.expect("the journal is whole");
    let held = |record: &&Record| matches!(record.fact.release(), Some(Event::Held { .. }));
    assert_eq!(records.iter().filter(held).count(), 1);

    first.stop().await;
    place.world.choke().heal(Method::Targets);
    let second = place.daemon("second", &Life::new());
    second.leading().await;
    second.say(&release, Word::Retry, by()).await.expect("a person says so");
    until(&second, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_cannot_be_written_says_so_and_goes_on_at_a_persons_word() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| !state.launched().is_empty()).await;
    place.world.choke().add(Method::Append, Nth::Each, What::FailBefore(Class::Bug));
    sleep(Duration::from_mins(1)).await;
    let trouble = || daemon.services().into_iter().find_map(|it| it.trouble);
    assert!(trouble().is_some_and(|why| why.contains("cannot be written")), "{:?}", trouble());
    place.world.choke().heal(Method::Append);
    daemon.say(&release, Word::Pause, by()).await.expect("it can be written again");
    daemon.say(&release, Word::Resume, by()).await.expect("and again");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    assert_eq!(trouble(), None);
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_on_a_look_that_is_old_by_the_time_its_intent_is_written() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    place.world.choke().add(Method::Append, Nth::Each, What::Late(Duration::from_secs(12)));
    sleep(Duration::from_secs(100)).await;
    let records = daemon.records(&release, 0).await.expect("the journal is whole");
    let intended = |record: &&Record| matches!(record.fact.release(), Some(Event::Intended(_)));
    assert!(records.iter().any(|record| intended(&record)), "it came to no intent");
    assert_eq!(place.world.choke().calls(Method::Launch), 0, "it acted on what it had seen long ago");
    place.world.choke().heal(Method::Append);
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_looks_are_always_too_old_holds_and_says_so() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| state.was_entered(Step::Launch)).await;
    place.world.choke().add(Method::Instances, Nth::Each, What::Late(Duration::from_secs(12)));
    let mut watch = daemon.watch(&release).await.expect("it is on");
    let is_late =
        |wait: &Wait| matches!(wait.on, WaitingOn::Settling { what, .. } if what.contains("max_age"));
    let shown = watch.wait_for(|it| it.waiting.as_ref().is_some_and(is_late));
    let shown = timeout(Duration::from_mins(2), shown).await.expect("it is shown").expect("it lives").seq;
    let held = |state: &ReleaseState| matches!(state.stance, Stance::Held { .. });
    until(&daemon, &release, held).await;
    let records = daemon.records(&release, shown).await.expect("the journal is whole");
    let [record] = records.as_slice() else { panic!("what cannot be begun is not written: {records:?}") };
    let Some(Event::Held { reason: Reason::CannotGoOn { why, .. } }) = record.fact.release() else {
        panic!("{record:?}")
    };
    assert_eq!(why, "a look that is over within max_age did not come in time");
    place.world.choke().heal(Method::Instances);
    daemon.say(&release, Word::Retry, by()).await.expect("a person says so");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_journal_is_always_too_slow_holds_and_says_so() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| state.was_entered(Step::Launch)).await;
    place.world.choke().add(Method::Append, Nth::Each, What::Late(Duration::from_secs(12)));
    let held = |state: &ReleaseState| matches!(state.stance, Stance::Held { .. });
    until(&daemon, &release, held).await;
    let records = daemon.records(&release, 0).await.expect("the journal is whole");
    let why = records.iter().find_map(|record| match record.fact.release() {
        Some(Event::Held { reason: Reason::CannotGoOn { why, .. } }) => Some(why.as_str()),
        _ => None,
    });
    let slow = "an append that is over while the look before it is younger than max_age did not come in time";
    assert_eq!(why, Some(slow), "and not the step's own patience");
    assert_eq!(place.world.choke().calls(Method::Launch), 0, "it acted on what it had seen long ago");
    place.world.choke().heal(Method::Append);
    daemon.say(&release, Word::Retry, by()).await.expect("a person says so");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_just_entered_does_not_wait_for_what_the_last_one_waited_for() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    let mut watch = daemon.watch(&release).await.expect("it is on");
    let waits = watch.wait_for(|it| it.state.was_entered(Step::Launch) && it.waiting.is_some());
    timeout(Duration::from_mins(2), waits).await.expect("it waits").expect("it lives");
    // Nothing is seen for a while of the step that is entered now.
    place.world.choke().add(Method::Instances, Nth::Each, What::Late(Duration::from_secs(5)));
    daemon.say(&release, Word::Abort, by()).await.expect("it is aborted");
    let turned = watch.wait_for(|it| it.state.leg != Leg::Out && it.state.current().is_some());
    let turned = timeout(Duration::from_mins(2), turned).await.expect("it turns back").expect("it lives");
    assert_eq!(turned.waiting, None, "{:?}", turned.state.current());
}

#[tokio::test(start_paused = true)]
async fn an_old_server_that_was_started_while_its_end_was_written_down_is_not_ended() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    place.world.choke().add(Method::Append, Nth::Each, What::Late(Duration::from_secs(12)));
    let appends = place.world.choke().calls(Method::Append);
    let mut intents_at = appends;
    // The point of no return is one append, the intent the next.
    while intents_at < appends + 2 {
        sleep(Duration::from_secs(1)).await;
        intents_at = place.world.choke().calls(Method::Append);
    }
    let started = place.world.fleet(FIRST, InstanceState::Stopped).first().cloned().expect("they are kept");
    place.world.start_by_hand(&started);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(place.world.choke().calls(Method::Terminate), 0, "it acted on what it had seen long ago");
    place.world.choke().heal(Method::Append);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(place.world.fleet(FIRST, InstanceState::Running), [started], "somebody wants it");
    assert_eq!(place.world.fleet(FIRST, InstanceState::Terminated).len(), 2);
    lawful(&place.world);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_never_answered_is_looked_for_and_written_again() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    let next = place.world.choke().calls(Method::Append) + 3;
    place.world.choke().add(Method::Append, Nth::Only(next), What::Late(Duration::from_hours(10)));
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}
