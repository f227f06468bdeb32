//! Every effect, and every way in which one can end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::effect::{Done, Effect, Intent, LaunchBatch, MoveWave, Outcome};
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::moves::{Direction, Move, MoveException, Wave, WaveResult};
use segue_domain::service::WarmSpec;

use super::release_id;

pub(super) fn events() -> Vec<Event> {
    let intended = effects().into_iter().map(|effect| {
        let id = format!("boards-12/{}", effect.verb()).as_str().into();
        Event::Intended(Intent { id, attempt: 1, effect })
    });
    let ended = outcomes().into_iter().map(|outcome| Event::Ended {
        id: "boards-12/launch".into(),
        attempt: 1,
        outcome,
    });
    intended.chain(ended).collect()
}

fn outcomes() -> [Outcome; 5] {
    let moved = WaveResult {
        boards_moved: 199,
        clients_moved: 4_210,
        boards_gone: 2,
        exceptions: vec![MoveException { board: "b-7".into(), why: "the new server is full".to_owned() }],
    };
    [
        Outcome::Done(Done::Nothing),
        Outcome::Done(Done::Launched(ids())),
        Outcome::Done(Done::Moved(moved)),
        Outcome::refused("InsufficientInstanceCapacity"),
        Outcome::Unknown("no answer within 10 s".to_owned()),
    ]
}

fn ids() -> Vec<InstanceId> {
    vec!["i-5".into(), "i-6".into()]
}

fn effects() -> Vec<Effect> {
    vec![
        Effect::Launch(launch()),
        Effect::Start { instances: ids() },
        Effect::Stop { instances: ids() },
        Effect::Terminate { instances: ids() },
        Effect::Register { group: "arn:green".into(), instances: ids() },
        Effect::Deregister { group: "arn:blue".into(), instances: ids() },
        Effect::SetWeights {
            forward: "arn:listener".into(),
            weights: BTreeMap::from([("arn:blue".into(), 50), ("arn:green".into(), 50)]),
        },
        Effect::Open { instance: "i-5".into(), route: Some("s05".into()) },
        Effect::Open { instance: "i-6".into(), route: None },
        Effect::CloseToNew { instance: "i-1".into() },
        Effect::Configure { instance: "i-5".into(), command: vec!["configure".to_owned()] },
        Effect::WarmUp {
            instance: "i-5".into(),
            spec: WarmSpec { path: "/warm".to_owned(), requests: 200, median_ms: 50 },
        },
        wave(Direction::Out),
        wave(Direction::Back),
        Effect::Drain { instance: "i-1".into(), rate_per_s: 50 },
        Effect::Announce { line: "boards 2026.11.21-3 is out".to_owned() },
    ]
}

pub(super) fn launch() -> LaunchBatch {
    LaunchBatch {
        release: release_id(),
        service: "boards".into(),
        version: "2026.11.21-3".into(),
        image: "ami-2".into(),
        template: "lt-1".into(),
        subnet: "subnet-a".into(),
        instance_type: None,
        count: 2,
        batch: 0,
        attempt: 1,
    }
}

fn wave(direction: Direction) -> Effect {
    let one = Move { id: "m-1".into(), board: "b-1".into(), epoch: 7, from: "i-1".into(), to: "i-5".into() };
    Effect::Move(Arc::new(MoveWave {
        release: release_id(),
        wave: Wave { number: 1, direction, moves: vec![one] },
        level: 2,
        seal_ttl: Duration::from_secs(5),
        attach_deadline: Duration::from_secs(20),
        attach_rate_per_s: 400,
        switching_at_once: 8,
    }))
}
