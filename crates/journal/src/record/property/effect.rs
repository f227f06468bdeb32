//! Any effect, and any way in which one can end.

use std::sync::Arc;

use proptest::prelude::*;
use segue_domain::effect::{Done, Effect, Intent, Lack, LaunchBatch, MoveWave, Outcome};
use segue_domain::moves::{Direction, Move, MoveException, Wave, WaveResult};

use super::plan::warm;
use super::{list, map, name, names, release, span, text};

pub(super) fn intent() -> impl Strategy<Value = Intent> {
    (name(), any::<u32>(), effect()).prop_map(|(id, attempt, effect)| Intent { id, attempt, effect })
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        launch().prop_map(Effect::Launch),
        names().prop_map(|instances| Effect::Start { instances }),
        names().prop_map(|instances| Effect::Stop { instances }),
        names().prop_map(|instances| Effect::Terminate { instances }),
        (name(), names()).prop_map(|(group, instances)| Effect::Register { group, instances }),
        (name(), names()).prop_map(|(group, instances)| Effect::Deregister { group, instances }),
        (name(), map(any::<u16>())).prop_map(|(forward, weights)| Effect::SetWeights { forward, weights }),
        (name(), prop::option::of(name())).prop_map(|(instance, route)| Effect::Open { instance, route }),
        name().prop_map(|instance| Effect::CloseToNew { instance }),
        (name(), list(text())).prop_map(|(instance, command)| Effect::Configure { instance, command }),
        (name(), warm()).prop_map(|(instance, spec)| Effect::WarmUp { instance, spec }),
        wave().prop_map(|wave| Effect::Move(Arc::new(wave))),
        (name(), any::<u32>()).prop_map(|(instance, rate_per_s)| Effect::Drain { instance, rate_per_s }),
        text().prop_map(|line| Effect::Announce { line }),
    ]
}

fn launch() -> impl Strategy<Value = LaunchBatch> {
    let names = (release(), name(), name(), name(), name(), name());
    let instance_type = prop::option::of(name());
    (names, instance_type, any::<(u32, u32, u32)>()).prop_map(|(names, instance_type, numbers)| {
        let (release, service, version, image, template, subnet) = names;
        let (count, batch, attempt) = numbers;
        LaunchBatch {
            release,
            service,
            version,
            image,
            template,
            subnet,
            instance_type,
            count,
            batch,
            attempt,
        }
    })
}

fn wave() -> impl Strategy<Value = MoveWave> {
    let one = (name(), name(), any::<u64>(), name(), name()).prop_map(|(id, board, epoch, from, to)| Move {
        id,
        board,
        epoch,
        from,
        to,
    });
    let direction = prop::sample::select(vec![Direction::Out, Direction::Back]);
    let wave = (any::<u32>(), direction, list(one)).prop_map(|(number, direction, moves)| Wave {
        number,
        direction,
        moves,
    });
    (release(), wave, span(), span(), any::<(u8, u32, u32)>()).prop_map(
        |(release, wave, seal_ttl, attach_deadline, (level, attach_rate_per_s, switching_at_once))| {
            MoveWave { release, wave, level, seal_ttl, attach_deadline, attach_rate_per_s, switching_at_once }
        },
    )
}

pub(super) fn outcome() -> impl Strategy<Value = Outcome> {
    let exception = (name(), text()).prop_map(|(board, why)| MoveException { board, why });
    let moved = (any::<(u32, u32, u32)>(), list(exception)).prop_map(
        |((boards_moved, clients_moved, boards_gone), exceptions)| WaveResult {
            boards_moved,
            clients_moved,
            boards_gone,
            exceptions,
        },
    );
    let lack = prop::sample::select(vec![None, Some(Lack::Room)]);
    prop_oneof![
        Just(Outcome::Done(Done::Nothing)),
        names().prop_map(|ids| Outcome::Done(Done::Launched(ids))),
        moved.prop_map(|result| Outcome::Done(Done::Moved(result))),
        (text(), lack).prop_map(|(why, lack)| Outcome::Refused { why, lack }),
        text().prop_map(Outcome::Unknown),
    ]
}
