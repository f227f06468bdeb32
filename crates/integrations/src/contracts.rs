//! The contracts of the ports, kept by these adapters on a sandbox with the demo application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::{BoardId, InstanceId};
use segue_engine::ports::Target;
use segue_engine::ports::contract::{BoardsFixture, MetricsFixture, boards, metrics};
use segue_handover::auth::Key;
use segue_handover::client::{Address, Session, Timing, Told};
use segue_handover::wire::{self, ClientId, Connect};
use segue_sandbox::{InProcess, Instances};
use tempfile::TempDir;
use tokio::task::JoinSet;
use url::Url;

use crate::boards::ContractBoards;
use crate::prometheus::{MetricName, MetricNames, Prometheus, QueryLimits};
use crate::stub;
use crate::system::SystemClock;

/// For a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything is quick, so that only the order of things is tried.
const CONFIG: &str = r#"
    [instances]
    boot_ms = 50
    [health]
    interval_ms = 50
    [prometheus]
    interval_ms = 50
    [fleet]
    version = "1"
    count = 2
"#;

/// A sandbox with two servers, and people on the boards of one of them.
pub(crate) struct Rig {
    pub(crate) sandbox: InProcess,
    addresses: BTreeMap<InstanceId, String>,
    people: JoinSet<()>,
    _folder: TempDir,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let http = stub::client();
        let folder = tempfile::tempdir().expect("a folder");
        let config = toml::from_str(CONFIG).expect("a legal configuration");
        let sandbox = InProcess::start(config, folder.path()).await.expect("a sandbox");
        let url = format!("{}/admin/instances", sandbox.ready().admin);
        let answer = http.get(url).send().await.expect("an answer").bytes().await.expect("a body");
        let listed: Instances = serde_json::from_slice(&answer).expect("instances");
        let named =
            |it: segue_sandbox::InstanceView| (InstanceId::new(it.id.to_string()), it.address.to_string());
        let addresses = listed.instances.into_iter().map(named).collect();
        Self { sandbox, addresses, people: JoinSet::new(), _folder: folder }
    }

    /// The instance whose route slot has this number.
    fn instance(&self, slot: usize) -> InstanceId {
        InstanceId::new(self.sandbox.ready().blue[slot].to_string())
    }

    pub(crate) fn target(&self, slot: usize) -> Target {
        let instance = self.instance(slot);
        let address = self.addresses[&instance].clone();
        Target { instance, address, generation: 4 }
    }

    /// Opens boards on an instance, with a person on each who stays.
    pub(crate) async fn open(&mut self, at: &Target, names: &[&str]) -> Vec<BoardId> {
        let front_door = Connect::parse(&format!("ws://{}:8080/board/{{board}}", at.address)).expect("a URL");
        for name in names {
            let board = wire::BoardId::parse(name).expect("a board");
            let address = Address { front_door: front_door.clone(), board };
            let client = ClientId::parse(&format!("client-{name}")).expect("a client");
            let mut session = Session::connect(address, client, Timing::default());
            while !matches!(session.next().await, Told::Joined { .. }) {}
            self.people.spawn(async move { while !matches!(session.next().await, Told::Left { .. }) {} });
        }
        names.iter().map(|name| BoardId::new(*name)).collect()
    }

    pub(crate) async fn end(mut self) {
        self.people.shutdown().await;
        self.sandbox.shutdown().await;
    }
}

/// The adapter, with the demo application's names.
pub(crate) fn prometheus(base: &Url) -> Prometheus {
    let name = |text| MetricName::parse(text).expect("a name");
    let names = MetricNames {
        boards: name("rtb_spaces_count"),
        errors: name("app_errors_total"),
        started: name("process_start_time_seconds"),
    };
    let limits = QueryLimits { timeout: PATIENCE, max_age: PATIENCE };
    Prometheus::new(stub::client(), base, names, limits)
}

/// An instance on which three boards were opened.
pub(crate) fn three_boards(known: InstanceId) -> MetricsFixture {
    let unknown = InstanceId::new("i-0ffffffffffffffff");
    MetricsFixture { known, boards: 3, unknown, patience: PATIENCE }
}

#[tokio::test]
async fn the_demo_application_behind_the_control_client_keeps_the_contract_of_boards() {
    let mut rig = Rig::start().await;
    // The suite calls the new server's route `s01`, which is the first slot.
    let (old, new) = (rig.target(1), rig.target(0));
    let names = ["red", "green", "blue", "yellow"];
    let opened = rig.open(&old, &names).await;
    let key = Key::new(rig.sandbox.ready().handover_key.as_bytes()).expect("long enough");
    let adapter = ContractBoards::new(stub::client(), key, Arc::new(SystemClock));
    let fixture = BoardsFixture { old, new, boards: opened, run: 1, patience: PATIENCE };
    boards(Arc::new(adapter), fixture).await;
    rig.end().await;
}

#[tokio::test]
async fn prometheus_on_a_sandbox_keeps_the_contract_of_board_metrics() {
    let mut rig = Rig::start().await;
    let at = rig.target(0);
    rig.open(&at, &["red", "green", "blue"]).await;
    let base = Url::parse(&rig.sandbox.ready().prometheus).expect("a URL");
    metrics(Arc::new(prometheus(&base)), three_boards(at.instance)).await;
    rig.end().await;
}
