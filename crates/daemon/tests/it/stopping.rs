//! Stopping while somebody still waits for an answer: the lease is given back, and a successor has it at once.

use std::time::Duration;

use axum::http::Method;
use segue_engine::fakes::{Method as Call, Nth, What};
use segue_journal::Reader as _;
use tokio::time::timeout;

use crate::rig::{FULL, JSON, Rig, go_on, request, scope};

/// Stops the daemon, and looks whether anybody has its lease afterwards.
async fn gives_the_lease_back(rig: Rig) {
    let Rig { journal, server, .. } = rig;
    assert!(timeout(Duration::from_secs(2), server.stop()).await.is_ok(), "it waited for who reads");
    let holder = journal.holder(&scope()).await.expect("the journal answers");
    assert!(holder.is_none(), "the lease was kept: {holder:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_events_who_has_fallen_silent_keeps_no_lease() {
    let rig = Rig::ready().await;
    let stalled = rig.send(request(Method::GET, "/v1/events", &[], "")).await;
    gives_the_lease_back(rig).await;
    drop(stalled);
}

#[tokio::test(start_paused = true)]
async fn a_page_and_a_plan_that_wait_for_aws_keep_no_lease() {
    let rig = Rig::ready().await;
    rig.world.choke().add(Call::Instances, Nth::Each, What::Late(Duration::from_secs(20)));
    let asked =
        [request(Method::GET, "/v1/services", &[], ""), request(Method::POST, "/v1/plans", &[JSON], FULL)];
    let answers = asked.map(|asked| {
        let router = rig.server.router();
        tokio::spawn(tower::ServiceExt::oneshot(router, asked))
    });
    go_on(1).await;
    assert!(answers.iter().all(|answer| !answer.is_finished()), "somebody waits no more");
    gives_the_lease_back(rig).await;
}
