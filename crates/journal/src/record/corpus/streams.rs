//! Whole journals as this version wrote them, kept for ever: each is read as a store reads it, folded, and comes to
//! what it came to when it was written.
//!
//! They are from simulated runs (docs/simulation.md, "Frozen journals"). When a test here fails because the fold was
//! changed on purpose, the journals stay as they are, and the changed summary is judged: a release that is on while
//! the daemon is replaced is continued from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use segue_domain::plan::Kind;
use segue_domain::service_state::ServiceState;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;

use super::summary;
use crate::memory::MemoryStore;
use crate::record::{Hash, Record};
use crate::store::Reader as _;
use crate::stream::{About, Stream};

/// Every journal that is kept: none may be taken away.
const JOURNALS: [&str; 12] = [
    "abort",
    "adoption",
    "canary-then-full",
    "deaths",
    "full",
    "joined",
    "level-zero",
    "no-way-back",
    "rolled-back",
    "rollback",
    "three-load-balancers",
    "two-daemons",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/streams")
}

/// The streams of one journal.
fn streams(journal: &str) -> BTreeMap<Stream, Vec<Record>> {
    let mut streams = BTreeMap::new();
    for kind in ["release", "service"] {
        let Ok(files) = std::fs::read_dir(folder().join(journal).join(kind)) else { continue };
        for file in files {
            let path = file.expect("it can be listed").path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("the names are ours");
            let stream = Stream::parse(&format!("{kind}/{name}")).expect("a file is called as its stream");
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let record = |line: &str| {
                let record = Record::from_line(line);
                let record = record.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(record.line(), line, "a line is kept as it was written");
                record
            };
            streams.insert(stream, text.lines().map(record).collect());
        }
    }
    streams
}

/// Reads them back as every store does, page by page: each record must follow from the one before it.
async fn read(journal: &str) -> BTreeMap<Stream, Vec<Record>> {
    let store = MemoryStore::new(Arc::new(|| Timestamp::from_ms(0)));
    let kept = streams(journal);
    for records in kept.values() {
        store.put(records);
    }
    let mut streams = BTreeMap::new();
    for (stream, kept) in kept {
        let records = store.read(&stream, 0).await.expect("a frozen stream is read for ever");
        assert_eq!(records, kept, "{journal}: {stream}");
        streams.insert(stream, records);
    }
    assert!(!streams.is_empty(), "{journal} is empty");
    streams
}

fn folded(records: &[Record]) -> ReleaseState {
    let events = records.iter().filter_map(|record| Some((record.at, record.fact.release()?)));
    segue_domain::fold::fold(events).expect("a frozen stream folds for ever").expect("it is not empty")
}

fn service(stream: &Stream, records: &[Record]) -> Option<ServiceState> {
    let About::Service(name) = stream.about() else { return None };
    let events = records.iter().filter_map(|record| Some((record.at, record.fact.service()?)));
    Some(ServiceState::fold(name.clone(), events))
}

/// What a journal comes to, for people.
fn told(streams: &BTreeMap<Stream, Vec<Record>>) -> String {
    let tell = |(stream, records): (&Stream, &Vec<Record>)| {
        let schemas: BTreeSet<u32> = records.iter().map(|record| record.schema).collect();
        let epochs: BTreeSet<u64> = records.iter().map(|record| record.epoch).collect();
        let hash = records.last().map_or(Hash::GENESIS, |record| record.hash);
        let count = records.len();
        let head =
            format!("{stream}: {count} records, schemas {schemas:?}, epochs {epochs:?}\nends with {hash}");
        let rest = match service(stream, records) {
            Some(state) => summary::of_service(&state),
            None => summary::of_release(&folded(records)),
        };
        format!("{head}\n{rest}")
    };
    streams.iter().map(tell).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_frozen_journal_folds_to_what_it_came_to() {
    let there: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, JOURNALS.map(str::to_owned).into(), "a journal is listed here, and none is taken away");
    for journal in JOURNALS {
        let told = told(&read(journal).await);
        insta::with_settings!({ snapshot_path => folder().join(journal), prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("folded", told);
        });
    }
}

/// A summary that is the same whatever it reads would prove nothing: what the journals were chosen for is in them.
#[tokio::test]
async fn the_frozen_journals_have_every_way_that_a_release_can_go() {
    let mut ends = BTreeSet::new();
    let mut schemas = BTreeSet::new();
    let mut adoptions = 0;
    for journal in JOURNALS {
        let streams = read(journal).await;
        schemas.extend(streams.values().flatten().map(|record| record.schema));
        for (stream, records) in &streams {
            if let Some(state) = service(stream, records) {
                adoptions += state.adoptions.len();
                continue;
            }
            let state = folded(records);
            ends.insert((state.plan.kind.name(), state.verdict().map_or("none", |verdict| verdict.name())));
            assert_eq!(state.plan.fronts.len() > 1, journal == "three-load-balancers", "{journal}");
            assert_eq!(state.plan.service.handover.level_max == 0, journal == "level-zero", "{journal}");
            assert!(journal != "deaths" || !state.lost().is_empty(), "nobody was replaced in {journal}");
            let is_other = state.plan.kind != Kind::Full;
            assert!(
                journal != "canary-then-full" || is_other || !state.plan.takeover.is_empty(),
                "{journal}"
            );
            let epochs: BTreeSet<u64> = records.iter().map(|record| record.epoch).collect();
            assert!(journal != "two-daemons" || epochs.len() > 1, "nobody took over in {journal}");
        }
    }
    let wanted = [
        ("canary", "passed"),
        ("full", "aborted"),
        ("full", "released"),
        ("full", "rolled_back"),
        ("rollback", "released"),
    ];
    let missing: Vec<_> = wanted.iter().filter(|end| !ends.contains(*end)).collect();
    assert!(missing.is_empty(), "{missing:?} is in no journal: {ends:?}");
    assert_eq!(schemas, (1..=crate::RECORD_SCHEMA).collect(), "each format is in some journal");
    assert!(adoptions > 0, "nobody is adopted");
}

/// The chain is looked at here, and not only the lines.
#[tokio::test]
async fn a_frozen_stream_with_a_record_left_out_is_refused() {
    let (stream, mut records) = streams("full").pop_first().expect("it has streams");
    records.remove(records.len() / 2);
    let store = MemoryStore::new(Arc::new(|| Timestamp::from_ms(0)));
    store.put(&records);
    assert!(store.read(&stream, 0).await.is_err(), "a gap was not seen");
}
