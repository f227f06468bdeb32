//! Every story again, with one answer that goes wrong, once for each: it is lost after the call had its effect,
//! it is lost and the call had none, it is a refusal. And with each method refused for good.

use segue_domain::decision::Reason;
use segue_domain::event::Word;
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::state::{ReleaseState, Stance};
use segue_engine::AskError;
use segue_engine::fakes::{FIRST, Method, Nth, SECOND, What};
use segue_engine::ports::Class;

use crate::endings::{lawful, serves};
use crate::play::{Operator, play};
use crate::pool;
use crate::repertoire::{Scene, Story, small};

/// One call that goes wrong.
struct Wrong {
    method: Method,
    nth: Nth,
    what: What,
}

impl Wrong {
    fn name(&self) -> String {
        format!("{} {:?}: {:?}", self.method, self.nth, self.what)
    }

    fn scene(&self, scene: Scene) -> Scene {
        scene.world.choke().add(self.method, self.nth, self.what.clone());
        scene
    }
}

/// Each call that changes something, in a story that nobody disturbs.
fn deeds(calls: impl Fn(Method) -> u64) -> impl Iterator<Item = (Method, Nth)> {
    let deeds = Method::ALL.iter().copied().filter(|method| !method.reads());
    deeds.flat_map(move |method| (1..=calls(method)).map(move |nth| (method, Nth::Only(nth))))
}

fn lose_each_answer(story: &Story) {
    let calls = pool::alone(async {
        let scene = story.scene();
        story.tell(&scene).await;
        let calls = |method| scene.world.choke().calls(method);
        deeds(calls).collect::<Vec<_>>()
    });
    let lost = [What::FailAfter, What::FailBefore(Class::Unknown)];
    let wrongs: Vec<Wrong> = calls
        .into_iter()
        .flat_map(|(method, nth)| lost.clone().map(|what| Wrong { method, nth, what }))
        .collect();
    println!("{:>5} answers lost: {}", wrongs.len(), story.name);
    pool::each(&wrongs, Wrong::name, |wrong| {
        pool::alone(async { drop(story.tell(&wrong.scene(story.scene())).await) });
    });
}

#[test]
fn a_full_release_survives_the_loss_of_each_answer() {
    lose_each_answer(Story::named("a small full release"));
}

#[test]
fn an_abort_survives_the_loss_of_each_answer() {
    lose_each_answer(Story::named("an abort in handover"));
}

/// How a release ended that somebody helped whenever it asked for help.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    verdict: &'static str,
    /// On what it held.
    held: Vec<Reason>,
}

/// Helps that a person gives before losing faith.
const HELPS_MAX: usize = 3;

/// Follows a release to its end. When it holds, what was wrong is mended, and a person says retry.
async fn helped(it: &Operator, wrong: &Wrong) -> Ended {
    let release = loop {
        match it.try_start(Kind::Full, Some(SECOND)).await {
            Ok(release) => break release,
            // Nothing was changed: it is asked again.
            Err(AskError::Refused(Refusal::CannotSee { .. })) => it.world.choke().heal(wrong.method),
            Err(refusal) => panic!("it was not taken: {refusal}"),
        }
    };
    let mut held = Vec::new();
    loop {
        let stops =
            |state: &ReleaseState| state.verdict().is_some() || matches!(state.stance, Stance::Held { .. });
        let state = it.until(&release, stops).await;
        if let Stance::Held { reason, .. } = state.stance {
            held.push(reason);
            assert!(held.len() <= HELPS_MAX, "nothing helps: {held:#?}");
            it.world.choke().heal(wrong.method);
            it.say(&release, Word::Retry).await;
        } else {
            return Ended { verdict: it.verdict(&release).await, held };
        }
    }
}

/// Whatever was refused, the release is through, or everything is as it was before; where it held, it said on
/// what, and it was no defect.
async fn refused(it: Operator, wrong: &Wrong) {
    let ended = helped(&it, wrong).await;
    lawful(&it.world);
    match ended.verdict {
        "released" => serves(&it.world, SECOND, "b", 3),
        "rolled_back" | "refused" => serves(&it.world, FIRST, "a", 3),
        other => panic!("it ended {other}"),
    }
    let defect = ended.held.iter().find(|reason| matches!(reason, Reason::Bug { .. }));
    assert_eq!(defect, None);
}

fn refuse(wrongs: &[Wrong]) {
    pool::each(wrongs, Wrong::name, |wrong| {
        pool::alone(async {
            let Scene { world, service } = wrong.scene(small());
            play(&world, service, |it| refused(it, wrong)).await;
        });
    });
}

fn no() -> What {
    What::Refuse("no".to_owned())
}

#[test]
fn each_call_that_is_refused_leads_on_or_back_or_to_a_hold_that_says_why() {
    let calls = pool::alone(async {
        let Scene { world, service } = small();
        play(&world, service, crate::stories::full_release).await;
        deeds(|method| world.choke().calls(method)).collect::<Vec<_>>()
    });
    let wrongs: Vec<Wrong> =
        calls.into_iter().map(|(method, nth)| Wrong { method, nth, what: no() }).collect();
    println!("{:>5} refusals", wrongs.len());
    refuse(&wrongs);
}

#[test]
fn a_method_that_is_refused_for_good_leads_on_or_back_or_to_a_hold_that_says_why() {
    // Without the journal nobody does anything: `daemons.rs` has that.
    let ports = Method::ALL.iter().copied().filter(|method| !method.is_journal());
    let wrongs: Vec<Wrong> = ports.map(|method| Wrong { method, nth: Nth::Each, what: no() }).collect();
    refuse(&wrongs);
}
