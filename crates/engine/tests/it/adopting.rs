//! Servers that Segue did not launch are taken in, whatever happens on the way.

use std::time::Duration;

use segue_domain::adoption::KnownBy;
use segue_domain::effect::Outcome;
use segue_domain::ids::InstanceId;
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::stranger::{MANAGED_BY_TAG, SCALING_GROUP_TAG, SERVICE_TAG, VERSION_TAG};
use segue_engine::AdoptionEnd;
use segue_engine::fakes::{FIRST, FakeWorld, Method, Nth, SECOND, What};
use segue_engine::ports::Class;
use tokio::time::sleep;

use crate::endings;
use crate::play::{Operator, play};

const SERVERS: u32 = 3;

pub(crate) fn world() -> FakeWorld {
    FakeWorld::with_strangers(SERVERS, 9)
}

/// Every server says whose it is and what it runs.
#[track_caller]
fn all_are_known(world: &FakeWorld) {
    for id in world.fleet(FIRST, InstanceState::Running) {
        let tags = world.tags(&id);
        assert_eq!(tags.get(SERVICE_TAG).map(String::as_str), Some("boards"), "{id}: {tags:?}");
        assert_eq!(tags.get(VERSION_TAG).map(String::as_str), Some(FIRST), "{id}: {tags:?}");
        assert!(tags.contains_key("Name"), "{id} lost a tag of others: {tags:?}");
    }
}

#[track_caller]
fn nobody_is_known(world: &FakeWorld) {
    for id in world.fleet(FIRST, InstanceState::Running) {
        assert!(!world.tags(&id).contains_key(SERVICE_TAG), "{id} was tagged");
    }
}

/// Every adoption has its end in the journal, and the last one a good one.
async fn until_all_is_told(it: &Operator) {
    loop {
        let adoptions = it.adoptions().await;
        if adoptions.iter().all(|adoption| adoption.ended.is_some()) {
            assert!(
                adoptions.last().is_some_and(segue_domain::service_state::Adoption::is_done),
                "{adoptions:?}"
            );
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// A fleet that nobody has adopted is refused a release, is taken in, and is released.
async fn the_first_day(it: Operator) {
    let refused = it.try_start(Kind::Canary, Some(SECOND)).await.expect_err("strangers serve");
    assert_eq!(refused.code(), "strangers-serve");
    let adopted = it.adopt().await.expect("they can be taken in");
    assert!(matches!(adopted.end, AdoptionEnd::Did | AdoptionEnd::FoundDone), "{adopted:?}");
    all_are_known(&it.world);
    until_all_is_told(&it).await;
    let canary = it.start(Kind::Canary, Some(SECOND)).await;
    assert_eq!(it.verdict(&canary).await, "passed");
    endings::lawful(&it.world);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_segue_did_not_launch_is_taken_in_and_released() {
    let world = world();
    play(&world, world.service(), |it| async move {
        the_first_day(it.clone()).await;
        let full = it.start(Kind::Full, Some(SECOND)).await;
        assert_eq!(it.verdict(&full).await, "released");
        endings::serves(&it.world, SECOND, "b", 3);
        endings::lawful(&it.world);
    })
    .await;
}

/// What is swept: all that a canary adds is visited in stories of its own.
pub(crate) async fn adoption(it: Operator) {
    it.adopt().await.expect("they can be taken in");
    all_are_known(&it.world);
    until_all_is_told(&it).await;
    endings::lawful(&it.world);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_taken_wherever_an_adoption_was_cut_off_before_it() {
    for place in [What::CrashBefore, What::CrashAfter] {
        let world = world();
        world.choke().add(Method::Tag, Nth::Only(1), place);
        play(&world, world.service(), the_first_day).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_was_cut_off_is_ended_by_the_next_daemon_with_nobody_asking() {
    let world = world();
    world.choke().add(Method::Tag, Nth::Only(1), What::CrashBefore);
    play(&world, world.service(), |it| async move {
        tokio::select! {
            biased;
            // Whoever asked has gone with the daemon that he asked.
            _ = it.adopt() => panic!("the daemon died before it could answer"),
            () = sleep(Duration::from_secs(2)) => {}
        }
        let adoptions = it.adoptions().await;
        assert!(adoptions.iter().all(|it| it.ended.is_none()) && adoptions.len() == 1, "{adoptions:?}");
        until_all_is_told(&it).await;
        all_are_known(&it.world);
        endings::lawful(&it.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_changes_nothing() {
    for what in [What::FailAfter, What::FailBefore(Class::Unknown), What::FailBefore(Class::Retry)] {
        let world = world();
        world.choke().add(Method::Tag, Nth::Only(1), what);
        play(&world, world.service(), |it| async move {
            assert_eq!(it.adopt().await.map(|adopted| adopted.end), Ok(AdoptionEnd::Did));
            all_are_known(&it.world);
        })
        .await;
    }
}

/// A large fleet takes many calls. One that fails is made again, and no other.
#[tokio::test(start_paused = true)]
async fn a_large_fleet_is_tagged_by_the_hundred() {
    let world = FakeWorld::with_strangers(250, 0);
    world.choke().add(Method::Tag, Nth::Only(2), What::FailBefore(Class::Retry));
    // Its servers are listed in many calls, too.
    world.choke().add(Method::Strangers, Nth::Each, What::Late(Duration::from_secs(8)));
    play(&world, world.service(), |it| async move {
        assert_eq!(it.adopt().await.map(|adopted| adopted.end), Ok(AdoptionEnd::Did));
        all_are_known(&it.world);
        assert_eq!(it.world.choke().calls(Method::Tag), 4);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tags_that_nobody_knows_of_are_told_as_such_and_asking_again_goes_on() {
    let world = world();
    world.choke().add(Method::Tag, Nth::Each, What::FailAfter);
    play(&world, world.service(), |it| async move {
        let adopted = it.adopt().await.expect("it was taken");
        assert!(matches!(adopted.end, AdoptionEnd::Unknown(_)), "{adopted:?}");
        it.world.choke().heal(Method::Tag);
        let again = it.adopt().await.expect("it goes on");
        assert_eq!(again.end, AdoptionEnd::FoundDone);
        let adoptions = it.adoptions().await;
        assert!(matches!(adoptions[0].ended, Some((Outcome::Unknown(_), _))), "{adoptions:?}");
        all_are_known(&it.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_may_not_tag_says_so_and_can_be_asked_again() {
    let world = world();
    world.choke().add(Method::Tag, Nth::Each, What::Refuse("UnauthorizedOperation".to_owned()));
    play(&world, world.service(), |it| async move {
        let refused = it.adopt().await.expect_err("it may not");
        assert_eq!(refused.code(), "tags-refused");
        nobody_is_known(&it.world);
        it.world.choke().heal(Method::Tag);
        assert_eq!(it.adopt().await.map(|adopted| adopted.end), Ok(AdoptionEnd::Did));
        assert_eq!(it.adoptions().await.len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_shown_is_not_done_and_what_was_done_is_found_done() {
    let world = world();
    play(&world, world.service(), |it| async move {
        let shown = it.shown().await.expect("there is a plan");
        let mut other = shown.clone();
        other.basis.0.remove("i-0002");
        other.basis.0.insert("i-0009".to_owned(), "ami-9".to_owned());
        let changed = it.adopt_as(&other).await.expect_err("nobody has seen that");
        assert_eq!(changed.code(), "adoption-changed");
        let told = changed.to_string();
        assert!(told.ends_with("is not what was shown: i-0002 came; i-0009 went"), "{told}");
        nobody_is_known(&it.world);
        assert_eq!(it.adoptions().await, []);

        let did = it.adopt().await.expect("they can be taken in");
        let taken = did.servers.values().next().expect("three were taken in");
        assert_eq!((taken.version.as_str(), taken.known_by), (FIRST, KnownBy::Image));
        let again = it.adopt_as(&shown).await.expect("the same again");
        assert_eq!((again.end, again.servers), (AdoptionEnd::FoundDone, did.servers));
        assert_eq!(it.adoptions().await.len(), 1, "what is found done is not recorded again");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_adoption_of_which_a_server_lost_its_tags_is_not_found_done() {
    let world = world();
    play(&world, world.service(), |it| async move {
        let shown = it.shown().await.expect("there is a plan");
        it.adopt_as(&shown).await.expect("they can be taken in");
        it.world.set_tag(&InstanceId::new("i-0002"), SERVICE_TAG, "");
        let changed = it.adopt_as(&shown).await.expect_err("one of them is a stranger again");
        assert_eq!(changed.code(), "adoption-changed");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lacks_only_the_tag_of_its_keeper_is_released_as_it_is_and_can_be_taken_in() {
    let world = FakeWorld::with_fleet(SERVERS, 9);
    let half = InstanceId::new("i-0002");
    world.set_tag(&half, MANAGED_BY_TAG, "");
    play(&world, world.service(), |it| async move {
        let canary = it.start(Kind::Canary, Some(SECOND)).await;
        assert_eq!(it.verdict(&canary).await, "passed");
        let adopted = it.adopt().await.expect("it can be taken in");
        assert_eq!(
            (adopted.end, adopted.servers.into_keys().collect()),
            (AdoptionEnd::Did, vec![half.clone()])
        );
        assert_eq!(it.world.tags(&half).get(MANAGED_BY_TAG).map(String::as_str), Some("segue"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_taken_in_while_a_release_is_on() {
    let world = FakeWorld::with_fleet(SERVERS, 9);
    play(&world, world.service(), |it| async move {
        it.start(Kind::Canary, Some(SECOND)).await;
        assert_eq!(it.adopt().await.expect_err("a release is on").code(), "release-active");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_application_says_the_version_where_no_image_does() {
    let world = world();
    world.forget_images();
    play(&world, world.service(), |it| async move {
        let adopted = it.adopt().await.expect("the application says it");
        assert!(adopted.servers.values().all(|taken| taken.known_by == KnownBy::Application), "{adopted:?}");
    })
    .await;
    let silent = self::world();
    silent.forget_images();
    silent.silence(&InstanceId::new("i-0002"));
    play(&silent, silent.service(), |it| async move {
        assert_eq!(it.adopt().await.expect_err("nobody says it").code(), "version-unreadable");
        nobody_is_known(&it.world);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_an_auto_scaling_group_owns_is_left_to_it() {
    let world = world();
    world.set_tag(&InstanceId::new("i-0002"), SCALING_GROUP_TAG, "board-servers");
    play(&world, world.service(), |it| async move {
        let refused = it.adopt().await.expect_err("it is owned");
        assert_eq!(refused.code(), "owned-by-scaling-group");
        assert!(refused.to_string().contains("board-servers"), "{refused}");
        nobody_is_known(&it.world);
        endings::lawful(&it.world);
    })
    .await;
}
