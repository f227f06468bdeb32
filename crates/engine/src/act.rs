//! Acting: one executor for each kind of effect. It makes the calls and says how they ended, as far as anybody
//! can know; it decides nothing and appends nothing.
//!
//! If killed here, the effect's outcome is unknown: the next daemon says so in the journal, looks, and decides
//! again. Every call can be repeated under the same id.

use segue_domain::effect::{Done, Effect, Intent, Outcome};

use crate::book::AddressBook;
use crate::outside::{Call, Outside};
use crate::ports::{CallError, Class};
use crate::retry::Repeat::{KnownById, NothingHappened};
use crate::wave;

const LAUNCH: Call = Call::new("cloud", "launch");
const START: Call = Call::new("cloud", "start");
const STOP: Call = Call::new("cloud", "stop");
const TERMINATE: Call = Call::new("cloud", "terminate");
const REGISTER: Call = Call::new("balancer", "register");
const DEREGISTER: Call = Call::new("balancer", "deregister");
const SET_WEIGHTS: Call = Call::new("balancer", "set_weights");
const OPEN: Call = Call::new("boards", "open");
const CLOSE: Call = Call::new("boards", "close");
const DRAIN: Call = Call::new("boards", "drain");
const CONFIGURE: Call = Call::new("hooks", "configure");
const WARM_UP: Call = Call::new("hooks", "warm_up");
const ANNOUNCE: Call = Call::new("notifier", "announce");

/// How an effect ended, and whether somebody's promise was broken on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acted {
    pub(crate) outcome: Outcome,
    /// The release is held with these words: a contract was broken, theirs or ours.
    pub(crate) bug: Option<String>,
}

/// Carries one effect out.
pub(crate) async fn act(outside: &Outside, book: &AddressBook, intent: &Intent) -> Acted {
    match carry_out(outside, book, intent).await {
        Ok(done) => Acted { outcome: Outcome::Done(done), bug: None },
        Err(error) => Acted::failed(error).for_effect(&intent.effect),
    }
}

async fn carry_out(outside: &Outside, book: &AddressBook, intent: &Intent) -> Result<Done, CallError> {
    let ports = &outside.ports;
    outside.pacer.balancer_turns(calls_of_the_balancer(&intent.effect)).await?;
    let (cloud, balancer, boards, hooks) = (&ports.cloud, &ports.balancer, &ports.boards, &ports.hooks);
    match &intent.effect {
        Effect::Move(effect) => return wave::carry(outside, book, effect).await.map(Done::Moved),
        // The id is the token: however often it is asked, the same instances come of it.
        Effect::Launch(batch) => {
            let launch = || cloud.launch(&intent.id, batch);
            return outside.write(LAUNCH, KnownById, launch).await.map(Done::Launched);
        }
        Effect::Start { instances } => {
            outside.write(START, NothingHappened, || cloud.start(instances)).await?;
        }
        Effect::Stop { instances } => {
            outside.write(STOP, NothingHappened, || cloud.stop(instances)).await?;
        }
        Effect::Terminate { instances } => {
            outside.write(TERMINATE, NothingHappened, || cloud.terminate(instances)).await?;
        }
        Effect::Register { group, instances } => {
            outside.write(REGISTER, NothingHappened, || balancer.register(group, instances)).await?;
        }
        Effect::Deregister { group, instances } => {
            outside.write(DEREGISTER, NothingHappened, || balancer.deregister(group, instances)).await?;
        }
        Effect::SetWeights { forward, weights } => {
            outside.write(SET_WEIGHTS, NothingHappened, || balancer.set_weights(forward, weights)).await?;
        }
        Effect::Open { instance, route } => {
            let at = book.reach(instance)?;
            outside.write(OPEN, KnownById, || boards.open(&at, route.as_ref())).await?;
        }
        Effect::CloseToNew { instance } => {
            let at = book.reach(instance)?;
            // It takes capacity, which may be gone by the time that a try ended without an answer; so does a drain.
            outside.write(CLOSE, NothingHappened, || boards.close(&at)).await?;
        }
        Effect::Drain { instance, rate_per_s } => {
            let at = book.reach(instance)?;
            outside.write(DRAIN, NothingHappened, || boards.drain(&at, &intent.id, *rate_per_s)).await?;
        }
        Effect::Configure { instance, command } => {
            let at = book.reach(instance)?;
            let run = || hooks.configure(&at, command);
            outside.hook(CONFIGURE, run).await?;
        }
        Effect::WarmUp { instance, spec } => {
            let at = book.reach(instance)?;
            let run = || hooks.warm_up(&at, spec);
            outside.hook(WARM_UP, run).await?;
        }
        Effect::Announce { line } => {
            outside.write(ANNOUNCE, NothingHappened, || ports.notifier.announce(line)).await?;
        }
    }
    Ok(Done::Nothing)
}

/// Calls at Elastic Load Balancing that one try of an effect makes: what is there is read before some of it is taken out
/// or replaced.
fn calls_of_the_balancer(effect: &Effect) -> u32 {
    match effect {
        Effect::Register { .. } => 1,
        Effect::Deregister { .. } | Effect::SetWeights { .. } => 2,
        Effect::Launch(_)
        | Effect::Start { .. }
        | Effect::Stop { .. }
        | Effect::Terminate { .. }
        | Effect::Open { .. }
        | Effect::CloseToNew { .. }
        | Effect::Configure { .. }
        | Effect::WarmUp { .. }
        | Effect::Move(_)
        | Effect::Drain { .. }
        | Effect::Announce { .. } => 0,
    }
}

impl Acted {
    /// An effect that broke down: what it did is unknown, and somebody's mistake.
    pub(crate) fn broken(what: String) -> Self {
        Self { outcome: Outcome::Unknown(what.clone()), bug: Some(what) }
    }

    /// What is only told never holds a release, whatever becomes of it.
    pub(crate) fn for_effect(self, effect: &Effect) -> Self {
        let Some(bug) = self.bug.as_ref().filter(|_| matches!(effect, Effect::Announce { .. })) else {
            return self;
        };
        tracing::warn!(bug, "an announcement went wrong");
        Self { bug: None, ..self }
    }

    /// A refusal fails the step. What could not be got through by all its tries is no refusal: the world is
    /// looked at, and the effect is tried again after a rest, for as long as the step has patience.
    pub(crate) fn failed(error: CallError) -> Self {
        match error.class {
            Class::Refused => {
                let CallError { what: why, lack, .. } = error;
                Self { outcome: Outcome::Refused { why, lack }, bug: None }
            }
            Class::Retry | Class::Unknown => Self { outcome: Outcome::Unknown(error.what), bug: None },
            Class::Bug => Self::broken(error.what),
        }
    }
}

#[cfg(test)]
mod tests;
