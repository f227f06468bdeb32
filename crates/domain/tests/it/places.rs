//! A launch that is repeated goes where it went.

use std::time::Duration;

use segue_domain::decision::Decision;
use segue_domain::effect::{Effect, Intent, Lack, LaunchBatch, Outcome};
use segue_domain::event::Event;
use segue_domain::plan::Kind;
use segue_domain::state::ReleaseState;
use segue_domain::step::{How, Step};
use segue_domain::{decide, needs};

use crate::foresight::planned;
use crate::stage::Stage;

/// A stage on which two batches of one instance are about to be launched.
fn begun() -> (Stage, ReleaseState) {
    let mut stage = Stage::new();
    stage.seed(2, 0);
    stage.service.launch.types = vec!["m7i.large".into(), "m6i.large".into()];
    let mut state = ReleaseState::planned(planned(&stage, Kind::Full, "2"), stage.now);
    for step in [Step::Resolve, Step::Preflight] {
        tell(&stage, &mut state, &Event::StepEntered { step });
        tell(&stage, &mut state, &Event::StepDone { step, how: How::Did });
    }
    tell(&stage, &mut state, &Event::StepEntered { step: Step::Launch });
    (stage, state)
}

fn tell(stage: &Stage, state: &mut ReleaseState, event: &Event) {
    state.apply(stage.now, event).unwrap();
}

fn ended(stage: &Stage, state: &mut ReleaseState, intent: &Intent, outcome: Outcome) {
    let (id, attempt) = (intent.id.clone(), intent.attempt);
    tell(stage, state, &Event::Intended(intent.clone()));
    tell(stage, state, &Event::Ended { id, attempt, outcome });
}

fn raised(stage: &Stage, state: &mut ReleaseState, attempt: u32) {
    tell(stage, state, &Event::BatchRaised { batch: 0, attempt, count: 1, lost: Vec::new() });
}

fn launches(stage: &Stage, state: &ReleaseState) -> Vec<Intent> {
    match decide(state, &stage.seen(&needs(state))) {
        Decision::Do(intents) => intents,
        other => panic!("nothing is launched: {other:?}"),
    }
}

fn places(intents: &[Intent]) -> Vec<String> {
    let place = |intent: &Intent| match &intent.effect {
        Effect::Launch(LaunchBatch { subnet, instance_type: Some(kind), .. }) => {
            format!("{kind} in {subnet}")
        }
        other => panic!("no launch of a type: {other:?}"),
    };
    intents.iter().map(place).collect()
}

fn no_room() -> Outcome {
    Outcome::Refused { why: "no room".to_owned(), lack: Some(Lack::Room) }
}

/// Its token is for the subnet and the type that it was asked with first, whatever is learnt meanwhile.
#[test]
fn a_launch_that_nobody_heard_of_is_asked_again_where_it_was_asked() {
    let (mut stage, mut state) = begun();
    let first = launches(&stage, &state);
    assert_eq!(places(&first), ["m7i.large in subnet-a", "m7i.large in subnet-b"]);
    ended(&stage, &mut state, &first[0], no_room());
    ended(&stage, &mut state, &first[1], Outcome::Unknown("the answer was lost".to_owned()));
    raised(&stage, &mut state, 2);
    let moved = launches(&stage, &state);
    assert_eq!(places(&moved), ["m7i.large in subnet-b"], "the other one rests");
    ended(&stage, &mut state, &moved[0], no_room());
    raised(&stage, &mut state, 3);
    stage.now = stage.now.after(Duration::from_secs(1));
    let again = launches(&stage, &state);
    assert_eq!(places(&again), ["m6i.large in subnet-a", "m7i.large in subnet-b"]);
    assert_eq!((&again[1].id, again[1].attempt), (&first[1].id, 2));
}
