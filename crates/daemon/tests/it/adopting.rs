//! Taking in servers that Segue did not launch, over HTTP.

use axum::http::{Method, StatusCode};
use segue_api::{Adoption, AdoptionOutcome, AdoptionPlan, KnownBy, Problem, ServiceView};
use segue_domain::ids::InstanceId;
use segue_domain::stranger::SCALING_GROUP_TAG;
use segue_engine::fakes::{Method as Call, Nth, What};
use serde_json::json;

use crate::rig::{CANARY, JSON, Rig, request};

const PATH: &str = "/v1/services/boards/adoption";

fn yes_to(plan: &AdoptionPlan) -> String {
    json!({"plan": plan.basis, "reason": "the first day"}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_shown_and_what_was_shown_is_done_once() {
    let rig = Rig::of_strangers().await;
    let service: ServiceView = rig.get("/v1/services/boards").await.json();
    assert_eq!(service.strangers, ["i-0001", "i-0002", "i-0003"]);

    let plan: AdoptionPlan = rig.get(PATH).await.json();
    assert_eq!((plan.servers.len(), plan.tagged.len()), (3, 0));
    let first = &plan.servers[0];
    assert_eq!((first.instance.as_str(), first.version.as_str()), ("i-0001", "1"));
    assert_eq!((first.known_by, first.slot.as_deref()), (KnownBy::Image, Some("s01")));
    assert_eq!(first.tags["segue:service"], "boards");
    assert_eq!(rig.get(PATH).await.json::<AdoptionPlan>(), plan, "a plan changes nothing");

    let headers = [JSON, ("segue-actor", "ada")];
    let adopted = rig.ask(request(Method::POST, PATH, &headers, &yes_to(&plan))).await;
    assert_eq!(adopted.status, StatusCode::OK, "{}", adopted.body);
    assert_eq!(adopted.json::<Adoption>().outcome, AdoptionOutcome::Did);
    let again: Adoption = rig.post(PATH, &yes_to(&plan)).await.json();
    assert_eq!((again.outcome, again.servers.len()), (AdoptionOutcome::FoundDone, 3));

    let after: AdoptionPlan = rig.get(PATH).await.json();
    assert_eq!((after.servers.len(), after.tagged.len()), (0, 3));
    assert_eq!(rig.post("/v1/releases", CANARY).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn only_the_named_servers_are_taken_in() {
    let rig = Rig::of_strangers().await;
    let plan: AdoptionPlan = rig.get(&format!("{PATH}?instances=i-0001,i-0003")).await.json();
    let named: Vec<_> = plan.servers.iter().map(|server| server.instance.as_str()).collect();
    assert_eq!(named, ["i-0001", "i-0003"]);
    // The plan may be sent back whole, as it came.
    let body = json!({"plan": plan, "instances": ["i-0001", "i-0003"]});
    assert_eq!(rig.post(PATH, &body.to_string()).await.json::<Adoption>().servers.len(), 2);
    let refused: Problem = rig.post("/v1/releases", CANARY).await.json();
    assert_eq!(refused.code, "strangers-serve");
    assert!(refused.detail.ends_with(": i-0002"), "{}", refused.detail);
}

#[tokio::test(start_paused = true)]
async fn a_yes_to_what_is_not_there_any_more_changes_nothing() {
    let rig = Rig::of_strangers().await;
    let plan: AdoptionPlan = rig.get(PATH).await.json();
    rig.world.die(&InstanceId::new("i-0002"));
    let refused = rig.post(PATH, &yes_to(&plan)).await;
    let problem: Problem = refused.json();
    assert_eq!(
        (refused.status, problem.code.as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "instance-not-running")
    );
    let mut forged = plan.clone();
    forged.basis.facts.remove("i-0002");
    let refused = rig.post(PATH, &yes_to(&forged)).await;
    assert_eq!(refused.json::<Problem>().code, "plan-invalid", "its digest is another's");
    assert!(rig.world.tags(&InstanceId::new("i-0001")).len() == 1, "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn what_is_otherwise_than_it_was_shown_is_named() {
    let rig = Rig::of_strangers().await;
    let two: AdoptionPlan = rig.get(&format!("{PATH}?instances=i-0001,i-0003")).await.json();
    let body = json!({"plan": two, "instances": ["i-0001", "i-0002"]}).to_string();
    let refused = rig.post(PATH, &body).await;
    let problem: Problem = refused.json();
    assert_eq!((refused.status.as_u16(), problem.code.as_str()), (409, "adoption-changed"));
    assert!(
        problem.detail.ends_with("is not what was shown: i-0002 came; i-0003 went"),
        "{}",
        problem.detail
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_application_could_not_be_asked_is_shown_with_the_reason() {
    let rig = Rig::of_strangers().await;
    rig.world.silence(&InstanceId::new("i-0002"));
    let plan: AdoptionPlan = rig.get(PATH).await.json();
    let unread: Vec<bool> = plan.servers.iter().map(|server| server.unread.is_some()).collect();
    assert_eq!(unread, [false, true, false], "{plan:?}");
    assert_eq!(plan.servers[1].known_by, KnownBy::Image);
}

#[tokio::test(start_paused = true)]
async fn each_refusal_has_its_code_and_its_status() {
    let rig = Rig::of_strangers().await;
    let code = async |path: &str, body: &str| {
        let answer = rig.post(path, body).await;
        (answer.status.as_u16(), answer.json::<Problem>().code)
    };
    let plan: AdoptionPlan = rig.get(PATH).await.json();
    let yes = yes_to(&plan);
    assert_eq!(code(PATH, "{}").await, (422, "body-invalid".to_owned()));
    let in_one = json!({"plan": plan.basis, "instances": "i-0001,i-0002"}).to_string();
    assert_eq!(code(PATH, &in_one).await, (422, "body-invalid".to_owned()));
    let named = json!({"plan": plan.basis, "instances": ["boards-1"]}).to_string();
    assert_eq!(code(PATH, &named).await, (422, "request-invalid".to_owned()));
    let elsewhere = "/v1/services/chat/adoption";
    assert_eq!(code(elsewhere, &yes).await, (404, "service-unknown".to_owned()));
    rig.world.set_tag(&InstanceId::new("i-0002"), SCALING_GROUP_TAG, "board-servers");
    assert_eq!(code(PATH, &yes).await, (422, "owned-by-scaling-group".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn tags_that_may_not_be_written_and_tags_of_which_nobody_knows_are_told_apart() {
    let rig = Rig::of_strangers().await;
    let plan: AdoptionPlan = rig.get(PATH).await.json();
    rig.world.choke().add(Call::Tag, Nth::Each, What::Refuse("UnauthorizedOperation".to_owned()));
    let refused = rig.post(PATH, &yes_to(&plan)).await;
    assert_eq!((refused.status.as_u16(), refused.json::<Problem>().code), (422, "tags-refused".to_owned()));
    rig.world.choke().heal(Call::Tag);
    rig.world.choke().add(Call::Tag, Nth::Each, What::FailAfter);
    let unknown = rig.post(PATH, &yes_to(&plan)).await;
    let problem: Problem = unknown.json();
    assert_eq!((unknown.status.as_u16(), problem.code.as_str()), (503, "adoption-unfinished"));
    assert!(problem.hint.is_some_and(|hint| hint.contains("adopt again")));
}
