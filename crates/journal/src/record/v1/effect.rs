//! Intents and outcomes.

use std::collections::BTreeMap;

use segue_domain::{effect, moves};

use super::mirror::{mirror_enum, mirror_struct, mirror_words};
use super::scalars::SpanMs;
use super::service::WarmSpec;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 5] = [
    (Effect::KEY, Effect::WORDS),
    (Outcome::KEY, Outcome::WORDS),
    ("lack", Lack::WORDS),
    (Done::KEY, Done::WORDS),
    ("direction", Direction::WORDS),
];

mirror_struct! {
    Intent mirrors effect::Intent {
        id: String,
        attempt: u32,
        effect: Effect,
    }
}

mirror_enum! {
    Effect ("do") mirrors effect::Effect {
        "launch" Launch { batch: LaunchBatch } = (effect::Effect::Launch(batch)),
        "start" Start { instances: Vec<String> } = (effect::Effect::Start { instances }),
        "stop" Stop { instances: Vec<String> } = (effect::Effect::Stop { instances }),
        "terminate" Terminate { instances: Vec<String> } = (effect::Effect::Terminate { instances }),
        "register" Register { group: String, instances: Vec<String> }
            = (effect::Effect::Register { group, instances }),
        "deregister" Deregister { group: String, instances: Vec<String> }
            = (effect::Effect::Deregister { group, instances }),
        "set_weights" SetWeights { forward: String, weights: BTreeMap<String, u16> }
            = (effect::Effect::SetWeights { forward, weights }),
        "open" Open { instance: String, route: Option<String> } = (effect::Effect::Open { instance, route }),
        "close_to_new" CloseToNew { instance: String } = (effect::Effect::CloseToNew { instance }),
        "configure" Configure { instance: String, command: Vec<String> }
            = (effect::Effect::Configure { instance, command }),
        "warm_up" WarmUp { instance: String, spec: WarmSpec } = (effect::Effect::WarmUp { instance, spec }),
        "move" Move { plan: Box<MoveWave> } = (effect::Effect::Move(plan)),
        "drain" Drain { instance: String, rate_per_s: u32 } = (effect::Effect::Drain { instance, rate_per_s }),
        "announce" Announce { line: String } = (effect::Effect::Announce { line }),
    }
}

mirror_struct! {
    LaunchBatch mirrors effect::LaunchBatch {
        release: String,
        service: String,
        version: String,
        image: String,
        template: String,
        subnet: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance_type: Option<String>,
        count: u32,
        batch: u32,
        attempt: u32,
    }
}

mirror_struct! {
    MoveWave mirrors effect::MoveWave {
        release: String,
        wave: Wave,
        level: u8,
        #[serde(rename = "seal_ttl_ms")]
        seal_ttl: SpanMs,
        #[serde(rename = "attach_deadline_ms")]
        attach_deadline: SpanMs,
        attach_rate_per_s: u32,
        switching_at_once: u32,
    }
}

mirror_struct! {
    Wave mirrors moves::Wave {
        number: u32,
        direction: Direction,
        moves: Vec<Move>,
    }
}

mirror_struct! {
    Move mirrors moves::Move {
        id: String,
        board: String,
        epoch: u64,
        from: String,
        to: String,
    }
}

mirror_words! {
    Direction mirrors moves::Direction {
        "out" Out,
        "back" Back,
    }
}

mirror_enum! {
    Outcome ("outcome") mirrors effect::Outcome {
        "done" Done { result: Done } = (effect::Outcome::Done(result)),
        "refused" Refused {
            why: String,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            lack: Option<Lack>,
        } = (effect::Outcome::Refused { why, lack }),
        "unknown" Unknown { why: String } = (effect::Outcome::Unknown(why)),
    }
}

mirror_words! {
    Lack mirrors effect::Lack {
        "room" Room,
    }
}

mirror_enum! {
    Done ("brought") mirrors effect::Done {
        "nothing" Nothing {} = (effect::Done::Nothing),
        "instances" Launched { instances: Vec<String> } = (effect::Done::Launched(instances)),
        "boards" Moved { wave: WaveResult } = (effect::Done::Moved(wave)),
    }
}

mirror_struct! {
    WaveResult mirrors moves::WaveResult {
        boards_moved: u32,
        clients_moved: u32,
        boards_gone: u32,
        exceptions: Vec<MoveException>,
    }
}

mirror_struct! {
    MoveException mirrors moves::MoveException {
        board: String,
        why: String,
    }
}
