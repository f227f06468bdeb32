//! How a daemon ends.

use segue_engine::fakes::{FakeWorld, Life, Method, Nth, SeededEntropy, What};
use segue_engine::{ByTheDomain, Limits, Rhythm, ServiceSetup, Settings};
use segue_journal::{MemoryStore, Owner, Reader, Scope};

use super::*;
use crate::server::Parts;

const HOUR: Duration = Duration::from_hours(1);

/// A daemon in a small world, with the lease.
struct Scene {
    world: FakeWorld,
    journal: Arc<MemoryStore>,
    begun: Begun,
}

impl Scene {
    async fn new() -> Self {
        let world = FakeWorld::with_fleet(1, 1);
        let journal = Arc::new(world.store());
        let store: Arc<dyn Store> =
            Arc::new(world.store_of(Arc::<MemoryStore>::clone(&journal), &Life::new()));
        let setup = ServiceSetup {
            service: world.service(),
            images: world.images(),
            ports: world.ports(),
            decider: Arc::new(ByTheDomain),
        };
        let server = Server::begin(Parts {
            settings: Settings {
                scope: Scope::new("segue"),
                owner: Owner::new("test"),
                lease_ttl: Duration::from_secs(30),
                limits: Limits::default(),
                rhythm: Rhythm::default(),
            },
            services: vec![setup],
            journal: Arc::clone(&store),
            clock: Arc::new(world.clock()),
            entropy: Arc::new(SeededEntropy::new(1)),
            aws_calls: Arc::default(),
            hosts: Vec::new(),
            config_digest: None,
        });
        server.ready().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bound = listener.local_addr().expect("bound");
        Self { world, journal, begun: Begun { server, journal: store, listener, bound } }
    }
}

fn nothing() -> impl Future<Output = ()> {
    std::future::ready(())
}

async fn never() -> &'static str {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_daemon_whose_keeper_breaks_down_ends_and_says_so() {
    let Scene { world, begun, .. } = Scene::new().await;
    world.choke().add(Method::Renew, Nth::Each, What::Panic);
    let ended = timeout(Duration::from_secs(30), begun.run(nothing(), async || never().await)).await;
    let error =
        ended.expect("it lives on, and nothing renews its lease").expect_err("it was not told to stop");
    assert_eq!((error.code(), error.is_refusal()), ("daemon-ended", false));
    assert!(error.told().contains("nothing renews the lease"), "{}", error.told());
}

#[tokio::test(start_paused = true)]
async fn the_engine_does_not_go_on_until_the_last_answer_has_ended() {
    let Scene { journal, begun, .. } = Scene::new().await;
    let answering = tokio::spawn(std::future::pending());
    let watched = Arc::clone(&journal);
    let given_back = async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        watched.holder(&Scope::new("segue")).await.expect("it answers")
    };
    let winding = wind_down(begun.server, answering, begun.journal.as_ref());
    let ((), holder) = tokio::join!(winding, given_back);
    assert!(holder.is_none(), "the lease was kept while somebody read: {holder:?}");
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_less_than_an_init_system_allows_and_a_second_signal_ends_it_at_once() {
    for (signals, within_s) in [(1, 20), (2, 2)] {
        let Scene { world, begun, .. } = Scene::new().await;
        world.choke().add(Method::GiveBack, Nth::Each, What::Late(HOUR));
        let began = Instant::now();
        let mut left = signals;
        let told = async || {
            if left == 0 {
                never().await;
            }
            left -= 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
            "SIGTERM"
        };
        begun.run(nothing(), told).await.expect("it was told to stop");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(within_s), "{took:?} after {signals} signals");
    }
}
