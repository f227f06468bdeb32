//! What a desk does when two things come together.

use segue_domain::adoption::AdoptionRequest;
use segue_domain::event::RequestKey;
use segue_domain::ids::{InstanceId, ServiceName, Version};
use segue_domain::plan::Kind;
use segue_domain::request::Request;
use segue_domain::stranger::{SERVICE_TAG, tags_of};
use segue_journal::{MemoryStore, Owner, Scope, Store};

use super::*;
use crate::decider::ByTheDomain;
use crate::fakes::{FakeWorld, Method, Nth, SECOND, SeededEntropy, What};
use crate::herald::Herald;
use crate::outside::Term;

async fn desk(world: &FakeWorld, store: Arc<MemoryStore>) -> Desk {
    let ttl = std::time::Duration::from_mins(1);
    let lease = store.acquire(&Scope::new("segue"), &Owner::new("test"), ttl).await.unwrap();
    let pen = Pen {
        store,
        term: Arc::new(Term::new(lease)),
        herald: Herald::new(),
        clock: Arc::new(world.clock()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    let setup = ServiceSetup {
        service: world.service(),
        images: world.images(),
        ports: world.ports(),
        decider: Arc::new(ByTheDomain),
    };
    Desk::open(setup, pen, Limits::default(), Rhythm::default(), Arc::default(), Arc::default())
        .await
        .unwrap()
}

async fn start(desk: &Desk, key: &str) -> ReleaseId {
    let version = Some(Version::new(SECOND));
    let request =
        Request { kind: Kind::Full, version, parent: None, overrides: std::collections::BTreeMap::new() };
    let key = RequestKey { key: key.to_owned(), digest: "same".to_owned() };
    desk.start(&request, None, Some(key), &By::engine()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_release_that_begins_in_the_moment_in_which_another_ends_is_kept() {
    let world = FakeWorld::with_fleet(1, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    start(&desk, "first").await;
    let first = desk.active().unwrap();
    let closed = desk.close(&first, After::Anything, Verdict::Released);
    let (closed, second) = tokio::join!(closed, start(&desk, "second"));
    closed.unwrap();
    desk.let_go(&first);
    let active = desk.active().map(|ledger| ledger.watch().borrow().release.clone());
    assert_eq!(active, Some(second));
}

/// What somebody is shown who asks who would be taken in.
async fn shown(desk: &Desk) -> Shown {
    let basis = desk.plan_adoption(&AdoptionRequest::default()).await.unwrap().basis();
    Shown { digest: format!("{basis:?}"), basis }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_servers_that_an_adoption_asks() {
    let world = FakeWorld::with_strangers(2, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    let (request, shown, by) = (AdoptionRequest::default(), shown(&desk).await, By::engine());
    let second = std::time::Duration::from_secs(1);
    world.choke().add(Method::Status, Nth::Each, What::Late(second * 2));
    let looking = async {
        tokio::time::sleep(second).await;
        assert!(desk.book.try_lock().is_ok(), "the book is held while servers are asked");
    };
    let (adopted, ()) = tokio::join!(desk.adopt(&request, &shown, &by), looking);
    assert_eq!(adopted.unwrap().end, AdoptionEnd::Did);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_say_the_same_yes_at_once_one_does_it_and_the_other_finds_it_done() {
    let world = FakeWorld::with_strangers(2, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    let (request, shown, by) = (AdoptionRequest::default(), shown(&desk).await, By::engine());
    let yes = || desk.adopt(&request, &shown, &by);
    let (one, other) = tokio::join!(yes(), yes());
    let mut ends = [one.unwrap().end, other.unwrap().end];
    ends.sort_by_key(|end| *end == AdoptionEnd::Did);
    assert_eq!(ends, [AdoptionEnd::FoundDone, AdoptionEnd::Did]);
    assert_eq!(desk.history().adoptions.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_a_long_wait_is_looked_at_anew() {
    let world = FakeWorld::with_strangers(2, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    let (request, shown, by) = (AdoptionRequest::default(), shown(&desk).await, By::engine());
    let busy = async {
        let book = desk.book.lock().await;
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        world.set_tag(&InstanceId::new("i-0001"), SERVICE_TAG, "chat");
        drop(book);
    };
    let yes = async {
        // After whoever holds the book.
        tokio::task::yield_now().await;
        desk.adopt(&request, &shown, &by).await
    };
    let ((), adopted) = tokio::join!(busy, yes);
    assert_eq!(adopted.unwrap_err().code(), "tagged-for-another-service");
    assert_eq!(world.tags(&InstanceId::new("i-0001"))[SERVICE_TAG], "chat");
}

#[tokio::test(start_paused = true)]
async fn a_yes_of_which_nothing_is_left_to_do_and_nothing_was_done_is_told_so() {
    let world = FakeWorld::with_strangers(2, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    let (request, shown, by) = (AdoptionRequest::default(), shown(&desk).await, By::engine());
    for id in ["i-0001", "i-0002"] {
        for (key, value) in tags_of(&ServiceName::new("boards"), &Version::new("7")) {
            world.set_tag(&InstanceId::new(id), &key, &value);
        }
    }
    assert_eq!(desk.adopt(&request, &shown, &by).await.unwrap_err().code(), "adoption-changed");
}

#[tokio::test(start_paused = true)]
async fn a_plan_asks_servers_that_may_be_somebody_elses_and_ends_no_term() {
    let world = FakeWorld::with_strangers(2, 1);
    world.have_obeyed(900);
    let desk = desk(&world, Arc::new(world.store())).await;
    desk.plan_adoption(&AdoptionRequest::default()).await.unwrap();
    assert!(!desk.pen.term.is_lost());
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_while_aws_is_away_do_not_stand_in_an_endless_row() {
    let world = FakeWorld::with_fleet(1, 1);
    let desk = desk(&world, Arc::new(world.store())).await;
    world.choke().add(Method::Images, Nth::Each, What::Late(std::time::Duration::from_secs(20)));
    let ask = |number: usize| {
        let (desk, version) = (&desk, Some(Version::new(SECOND)));
        let key = RequestKey { key: number.to_string(), digest: "same".to_owned() };
        async move {
            let overrides = std::collections::BTreeMap::new();
            let request = Request { kind: Kind::Full, version, parent: None, overrides };
            desk.start(&request, None, Some(key), &By::engine()).await
        }
    };
    let answers = futures_util::future::join_all((0..=QUEUE_MAX).map(ask)).await;
    let told = |error: &AskError| error.to_string();
    let last = answers.last().unwrap().as_ref().unwrap_err();
    assert_eq!(last.code(), "not-served");
    assert!(told(last).contains("8 requests for the service are being carried out already"), "{last}");
    for error in answers[..QUEUE_MAX].iter().filter_map(|it| it.as_ref().err()) {
        assert_ne!(error.code(), "not-served", "{error}");
    }
    // Who has been answered leaves the row.
    assert!(desk.queue().is_ok());
}
