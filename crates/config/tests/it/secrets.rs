//! S24: no record holds a secret. All that a configuration gives to a journal is the service in a release's plan (every
//! effect follows from it), so a plan of a configuration with a secret in every place that takes one is recorded and
//! searched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use segue_config::{Config, Environment};
use segue_domain::event::Event;
use segue_domain::ids::{Actor, ReleaseId};
use segue_domain::instance::Image;
use segue_domain::plan::{Front, Kind, Plan};
use segue_domain::service::Service;
use segue_domain::time::Timestamp;
use segue_journal::{
    Append, MemoryStore, NewRecord, Owner, Reader, Record, Scope, Store, Stream, StreamAppend, Via,
};

/// Nothing else in a configuration is called so.
const HANDOVER: &str = "canary-of-the-handover-key-4711";
const PASSWORD: &str = "canary-of-the-password-of-the-journal-4712";

fn config(folder: &std::path::Path) -> Config {
    let key = folder.join("handover.key");
    std::fs::write(&key, HANDOVER).expect("the folder can be written to");
    let example = include_str!("../../../../deploy/segue.example.toml");
    let set = |text: &str, key: &str, line: &str| {
        let is_it = |it: &&str| it.trim_start().trim_start_matches("# ").starts_with(&format!("{key} ="));
        let old = text.lines().find(is_it).unwrap_or_else(|| panic!("the example has no {key}")).to_owned();
        text.replacen(&old, line, 1)
    };
    let text = set(
        example,
        "journal",
        "journal = \"postgres://segue@db.internal/segue\"\nname = \"segue-1\"\njournal_password_env = \"CANARY\"",
    );
    let text = set(&text, "key_env", &format!("key_file = {:?}", key.display().to_string()));
    let environment = Environment::given([("CANARY".to_owned(), PASSWORD.to_owned())]);
    Config::parse("segue.toml", &text, &environment).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn plan(service: Service) -> Plan {
    let version = segue_domain::ids::Version::new("2");
    Plan {
        release: ReleaseId { service: service.name.clone(), number: 1 },
        kind: Kind::Full,
        parent: None,
        image: Image { id: "ami-2".into(), version, commit: None, created_at: Timestamp::from_ms(0) },
        from_version: segue_domain::ids::Version::new("1"),
        blue: BTreeSet::new(),
        spares: BTreeSet::new(),
        takeover: BTreeSet::new(),
        batches: Vec::new(),
        homes: BTreeMap::new(),
        fronts: vec![Front {
            forward: service.routing.first.forward.clone(),
            green_group: None,
            weights_before: BTreeMap::new(),
            weights_shared: BTreeMap::new(),
            weights_after: BTreeMap::new(),
            floor: 0,
        }],
        blue_groups: BTreeMap::new(),
        routes: BTreeMap::new(),
        floor: 0,
        passed_canary: None,
        overrides: BTreeMap::new(),
        service,
    }
}

/// The record of a plan, as a journal keeps it.
async fn recorded(plan: Plan) -> Vec<Record> {
    let store = MemoryStore::new(Arc::new(|| Timestamp::from_ms(0)));
    let lease = store.acquire(&Scope::new("segue"), &Owner::new("segue-1"), Duration::from_secs(30)).await;
    let stream = Stream::release(&plan.release);
    let record = NewRecord {
        at: Timestamp::from_ms(0),
        actor: Actor::new("ann"),
        via: Via::Cli,
        reason: None,
        fact: Event::Planned(Box::new(plan)).into(),
    };
    let part = StreamAppend { stream: stream.clone(), expected_seq: 0, records: vec![record] };
    let append = Append { streams: vec![part], outbox: Vec::new() };
    store.append(&lease.expect("the journal is new"), &append).await.expect("a plan is a record");
    store.read(&stream, 0).await.expect("it was just written")
}

#[tokio::test(flavor = "current_thread")]
async fn no_record_of_a_configured_service_holds_a_secret() {
    use secrecy::ExposeSecret as _;

    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    assert_eq!(config.handover.key.expose_secret(), HANDOVER, "the canaries are where secrets are");
    for configured in &config.services {
        let service = &configured.service;
        let lines: Vec<String> = recorded(plan(service.clone())).await.iter().map(Record::line).collect();
        assert!(lines.iter().any(|line| line.contains(service.launch.template.as_str())), "{lines:?}");
        for line in &lines {
            assert!(!line.contains(HANDOVER) && !line.contains(PASSWORD), "a record holds a secret: {line}");
        }
    }
    let printed = format!("{config:?}");
    assert!(!printed.contains(HANDOVER) && !printed.contains(PASSWORD), "a log can hold a secret: {printed}");
}
