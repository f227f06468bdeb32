//! A daemon in this process, in front of a small world, under a clock that tests move.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use segue_api::{ReleaseState, ReleaseView};
use segue_daemon::{Parts, Server};
use segue_engine::fakes::{FakeWorld, Life, SeededEntropy};
use segue_engine::{ByTheDomain, Limits, Rhythm, ServiceSetup, Settings};
use segue_journal::{MemoryStore, Owner, Scope};
use tower::ServiceExt;

use crate::answer::Answer;

pub(crate) const LEASE_TTL: Duration = Duration::from_secs(15);

pub(crate) struct Rig {
    pub(crate) world: FakeWorld,
    pub(crate) journal: Arc<MemoryStore>,
    pub(crate) server: Server,
}

pub(crate) fn scope() -> Scope {
    Scope::new("segue")
}

impl Rig {
    /// Three servers of version 1 with thirty boards, and a daemon that is ready.
    pub(crate) async fn ready() -> Self {
        let rig = Self::begun();
        rig.server.ready().await;
        rig
    }

    /// The same, and nobody has adopted the servers yet.
    pub(crate) async fn of_strangers() -> Self {
        let world = FakeWorld::with_strangers(3, 30);
        let journal = Arc::new(world.store());
        let rig = Self::on(world, journal);
        rig.server.ready().await;
        rig
    }

    pub(crate) fn begun() -> Self {
        let world = FakeWorld::with_fleet(3, 30);
        let journal = Arc::new(world.store());
        Self::on(world, journal)
    }

    /// Another daemon of the same group in the same world.
    pub(crate) fn on(world: FakeWorld, journal: Arc<MemoryStore>) -> Self {
        let setup = ServiceSetup {
            service: world.service(),
            images: world.images(),
            ports: world.ports(),
            decider: Arc::new(ByTheDomain),
        };
        let server = Server::begin(Parts {
            settings: Settings {
                scope: scope(),
                owner: Owner::new("test"),
                lease_ttl: LEASE_TTL,
                limits: Limits::default(),
                rhythm: Rhythm::default(),
            },
            services: vec![setup],
            journal: Arc::new(world.store_of(Arc::<MemoryStore>::clone(&journal), &Life::new())),
            clock: Arc::new(world.clock()),
            entropy: Arc::new(SeededEntropy::new(1)),
            aws_calls: Arc::default(),
            hosts: vec!["segue.internal".to_owned()],
            config_digest: None,
        });
        Self { world, journal, server }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.server.router().oneshot(request).await.expect("a router never fails")
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::read(self.send(request).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(request(Method::GET, path, &[], "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(request(Method::POST, path, &[JSON], body)).await
    }

    /// A canary of version 2, begun.
    pub(crate) async fn canary(&self) -> ReleaseView {
        self.post("/v1/releases", CANARY).await.json()
    }

    pub(crate) async fn release(&self, id: &str) -> ReleaseView {
        self.get(&format!("/v1/releases/{id}")).await.json()
    }

    /// Lets the world go on until the release is over.
    pub(crate) async fn until_closed(&self, id: &str) -> ReleaseView {
        for _ in 0..600 {
            let view = self.release(id).await;
            if view.state == ReleaseState::Closed {
                return view;
            }
            go_on(1).await;
        }
        panic!("{id} is not over after ten minutes: {}", self.get(&format!("/v1/releases/{id}")).await.body);
    }
}

/// Lets the world go on: the clock is paused and runs from one event to the next, as fast as they are dealt with.
pub(crate) async fn go_on(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const CANARY: &str = r#"{"service":"boards","kind":"canary","version":"2"}"#;
pub(crate) const FULL: &str = r#"{"service":"boards","kind":"full","version":"2"}"#;

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}
