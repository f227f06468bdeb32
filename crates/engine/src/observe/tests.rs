//! What an observation says when something does not answer.

use super::*;
use crate::fakes::{FakeWorld, Method, Nth, What};
use crate::outside::Limits;

async fn look(world: &FakeWorld, needs: &Needs) -> World {
    let outside = world.outside(Limits::default(), Duration::from_mins(1)).await;
    observe(&outside, &world.service(), needs, Timestamp::from_ms(0)).await
}

fn everything(world: &FakeWorld) -> Needs {
    let ids: BTreeSet<InstanceId> = world.instances().into_keys().collect();
    Needs {
        slots: BTreeSet::from([GroupArn::new("slot-01")]),
        subnets: world.service().launch.subnets,
        instances: ids.clone(),
        board_lists: ids.clone(),
        vitals: ids.clone(),
        ownership: ids.iter().take(1).cloned().collect(),
    }
}

fn forward(world: &FakeWorld) -> ForwardArn {
    world.service().routing.first.forward
}

#[tokio::test(start_paused = true)]
async fn a_world_that_answers_is_known_all_over() {
    let world = FakeWorld::with_fleet(3, 6);
    let seen = look(&world, &everything(&world)).await;
    let id = InstanceId::new("i-0001");
    assert_eq!(seen.instances.known().map(BTreeMap::len), Some(3));
    assert_eq!(seen.targets.len(), 6);
    assert_eq!(seen.boards(&id), Ok(2));
    assert_eq!(seen.app(&id).map(|app| app.boards), Ok(2));
    assert_eq!(seen.board_list(&id).map(segue_domain::board_list::BoardList::len), Ok(2));
    assert_eq!(seen.ownership[&id], vec![Reading::fresh(2), Reading::fresh(2)]);
    assert!(
        seen.vital(&id).is_ok() && seen.weights(&forward(&world)).is_ok() && seen.subnets.known().is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_unknown_in_its_own_place_and_nowhere_else() {
    let world = FakeWorld::with_fleet(2, 4);
    world.choke().add(Method::Weights, Nth::Each, What::FailBefore(Class::Retry));
    world.choke().add(Method::Status, Nth::Only(1), What::FailAfter);
    world.choke().add(Method::Vitals, Nth::Each, What::Refuse("forbidden".to_owned()));
    let seen = look(&world, &everything(&world)).await;
    assert!(matches!(seen.weights(&forward(&world)), Err(Why::Unreachable(_))));
    let unread = seen.apps.values().filter(|app| app.known().is_none()).count();
    assert_eq!((unread, seen.apps.len()), (1, 2));
    assert!(seen.vitals.values().all(|vital| vital.known().is_none()));
    assert!(seen.boards.values().all(|boards| boards.known().is_some()));
}

#[tokio::test(start_paused = true)]
async fn without_the_list_of_instances_nobody_is_asked_and_nobody_is_zero() {
    let world = FakeWorld::with_fleet(2, 4);
    world.choke().add(Method::Instances, Nth::Each, What::FailBefore(Class::Unknown));
    let seen = look(&world, &everything(&world)).await;
    assert_eq!(world.choke().calls(Method::Status), 0);
    assert!(seen.apps.values().all(|app| matches!(app, Reading::Unknown(Why::Unreachable(_)))));
}

#[tokio::test(start_paused = true)]
async fn the_work_is_the_same_whatever_is_found() {
    let (well, ill) = (FakeWorld::with_fleet(2, 4), FakeWorld::with_fleet(2, 4));
    ill.choke().add(Method::Status, Nth::Each, What::FailBefore(Class::Retry));
    ill.choke().add(Method::Targets, Nth::Each, What::FailAfter);
    look(&well, &everything(&well)).await;
    look(&ill, &everything(&ill)).await;
    // But for the lists of those who did not even say how they are.
    let is_asked = |method: &Method| method.reads() && *method != Method::BoardList;
    for method in Method::ALL.iter().copied().filter(is_asked) {
        assert_eq!(well.choke().calls(method), ill.choke().calls(method), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_do_not_say_how_they_are_keep_nobody_waiting_for_a_list() {
    let world = FakeWorld::with_fleet(60, 60);
    for method in [Method::Status, Method::BoardList] {
        world.choke().add(method, Nth::Each, What::Late(Duration::from_secs(20)));
    }
    let began = tokio::time::Instant::now();
    let seen = look(&world, &everything(&world)).await;
    let limit = Limits::default().read_timeout;
    assert!(began.elapsed() < limit + Duration::from_secs(1), "it took {:?}", began.elapsed());
    assert_eq!(world.choke().calls(Method::BoardList), 0);
    assert!(seen.board_lists.values().all(|it| matches!(it, Reading::Unknown(Why::Unreachable(_)))));
    assert_eq!(seen.board_lists.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn whoever_runs_is_asked_about_a_dead_server_before_one_that_comes_up_or_goes_down() {
    use segue_domain::instance::InstanceState;
    let world = FakeWorld::with_fleet(5, 4);
    let mut instances = world.instances();
    let ids: Vec<InstanceId> = instances.keys().cloned().collect();
    for (id, state) in
        ids.iter().zip([InstanceState::Stopped, InstanceState::Pending, InstanceState::Stopping])
    {
        instances.get_mut(id).unwrap().state = state;
    }
    let book = AddressBook::new(Some(&instances), 1);
    let needs = Needs { ownership: BTreeSet::from([ids[0].clone(), ids[3].clone()]), ..Needs::default() };
    let listed = Reading::fresh(instances);
    let asked = |statuses| {
        let asked = apps::Witnesses::new(&needs, &listed, &statuses, &book).of(0, &ids[0]);
        asked.into_iter().map(|target| target.instance).collect::<Vec<InstanceId>>()
    };
    let answered = look(&world, &everything(&world)).await.apps;
    assert_eq!(asked(answered.clone()), [ids[4].clone(), ids[3].clone()]);
    let silent = Reading::Unknown(Why::Unreachable("it refuses".to_owned()));
    let mut one_is_silent = answered.clone();
    one_is_silent.insert(ids[4].clone(), silent);
    assert_eq!(asked(one_is_silent), [ids[3].clone(), ids[4].clone()]);
    // Nor has one said anything that nobody asked.
    let mut one_was_not_asked = answered;
    one_was_not_asked.remove(&ids[4]);
    assert_eq!(asked(one_was_not_asked), [ids[3].clone(), ids[4].clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_scrape_makes_boards_unknown_and_so_does_an_empty_answer() {
    let world = FakeWorld::with_fleet(1, 2);
    world.stop_scraping();
    tokio::time::advance(Duration::from_secs(11)).await;
    let seen = look(&world, &everything(&world)).await;
    assert!(matches!(seen.boards.values().next(), Some(Reading::Unknown(Why::Stale { .. }))));
    world.forget_series();
    let seen = look(&world, &everything(&world)).await;
    assert_eq!(seen.boards.values().next(), Some(&Reading::Unknown(Why::Missing)));
}
