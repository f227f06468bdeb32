//! How effects end when they do not simply work.

use std::collections::BTreeMap;

use segue_domain::effect::{Done, Effect, Intent, Outcome};
use segue_domain::ids::{EffectId, InstanceId};
use segue_domain::instance::InstanceState;

use crate::stage::Stage;

/// What becomes of every effect of one verb, until the script says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing is done, and it is said.
    Refuse,
    /// It is done, and nobody hears of it.
    Unsure,
    /// It is not done, and nobody hears of it.
    Lost,
    /// It is said to be done, and is not.
    Ignore,
    /// It is never heard of again.
    Hang,
}

/// Fates by verb, and the tokens that launches used.
#[derive(Default)]
pub(crate) struct Fates {
    verbs: BTreeMap<String, Fate>,
    tokens: BTreeMap<EffectId, Vec<InstanceId>>,
}

impl Fates {
    pub(crate) fn set(&mut self, what: &str, verb: &str) {
        let fate = match what {
            "refuse" => Some(Fate::Refuse),
            "unsure" => Some(Fate::Unsure),
            "lost" => Some(Fate::Lost),
            "ignore" => Some(Fate::Ignore),
            "hang" => Some(Fate::Hang),
            "none" => None,
            _ => panic!("no such fate: {what}"),
        };
        self.verbs.remove(verb);
        self.verbs.extend(fate.map(|fate| (verb.to_owned(), fate)));
    }
}

impl Stage {
    /// Carries an intent out, as its fate wants it; no outcome while it is in flight.
    pub(crate) fn fulfil(&mut self, intent: &Intent) -> Option<Outcome> {
        match self.fates.verbs.get(intent.effect.verb()) {
            Some(Fate::Refuse) => Some(Outcome::refused("not permitted")),
            Some(Fate::Ignore) => Some(Outcome::Done(Done::Nothing)),
            Some(Fate::Lost) => Some(Outcome::Unknown("it gave no answer".to_owned())),
            Some(Fate::Unsure) => {
                self.by_token(intent);
                Some(Outcome::Unknown("the answer was lost".to_owned()))
            }
            Some(Fate::Hang) => None,
            None => Some(self.by_token(intent)),
        }
    }

    /// The same token brings the same instances, and is refused for ever once one of them was terminated.
    fn by_token(&mut self, intent: &Intent) -> Outcome {
        let Effect::Launch(_) = intent.effect else { return self.apply(intent) };
        if let Some(ids) = self.fates.tokens.get(&intent.id) {
            let spent = ids.iter().any(|id| self.servers[id].instance.state == InstanceState::Terminated);
            return match spent {
                true => Outcome::refused("the token is spent"),
                false => Outcome::Done(Done::Launched(ids.clone())),
            };
        }
        let outcome = self.apply(intent);
        if let Outcome::Done(Done::Launched(ids)) = &outcome {
            self.fates.tokens.insert(intent.id.clone(), ids.clone());
        }
        outcome
    }
}
