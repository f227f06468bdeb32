//! The daemon's own numbers, as `/metrics` shows them.
//!
//! What happens is counted when it happens ([`Metrics::appended`], [`Metrics::answered`]); what is a state is
//! read when somebody asks ([`Metrics::text`]), so that a number on the page is never older than the page.

mod gauges;
mod labels;
mod process;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use segue_domain::effect::Outcome;
use segue_domain::event::Event;
use segue_domain::ids::EffectId;
use segue_journal::Record;

use crate::front::Front;
use crate::problem::Fault;
use crate::words;

use labels::{Answer, Append, Effect};

/// Effects that are remembered between their intent and their end; far more than can be in flight.
const IN_FLIGHT_MAX: usize = 10_000;

/// Counters since the process started.
#[derive(Debug)]
pub(crate) struct Metrics {
    appends: Family<Append, Counter>,
    effects: Family<Effect, Counter>,
    answers: Family<Answer, Counter>,
    /// What each effect in flight does, because its end only names it.
    verbs: Mutex<BTreeMap<EffectId, &'static str>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            appends: Family::default(),
            effects: Family::default(),
            answers: Family::default(),
            verbs: Mutex::new(BTreeMap::new()),
        }
    }

    /// A record was appended.
    pub(crate) fn appended(&self, record: &Record) {
        let kind = words::kind(&record.fact);
        self.appends.get_or_create(&Append { kind }).inc();
        match record.fact.release() {
            Some(Event::Intended(intent)) => self.begun(&intent.id, intent.effect.verb()),
            Some(Event::Ended { id, outcome, .. }) => self.ended(id, outcome),
            Some(_) | None => {}
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: String, method: &Method, status: StatusCode) {
        // A method of the caller's own invention would be a row of its own.
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            _ => "other",
        };
        self.answers.get_or_create(&Answer { route, method, status: status.as_u16() }).inc();
    }

    /// The page.
    pub(crate) fn text(&self, front: &Front) -> Result<String, Fault> {
        let mut registry = Registry::with_prefix("segue");
        registry.register("journal_appends", "Records appended to the journal", Family::clone(&self.appends));
        registry.register(
            "effects",
            "Effects by what they do and how they ended",
            Family::clone(&self.effects),
        );
        registry.register("http_answers", "Answers of the API", Family::clone(&self.answers));
        gauges::register(&mut registry, front);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| {
            tracing::error!(%error, "the metrics cannot be written");
            Fault::Internal
        })?;
        Ok(text)
    }

    fn begun(&self, id: &EffectId, verb: &'static str) {
        let mut verbs = self.verbs.lock().unwrap_or_else(PoisonError::into_inner);
        if verbs.len() >= IN_FLIGHT_MAX {
            verbs.pop_first();
        }
        verbs.insert(id.clone(), verb);
    }

    fn ended(&self, id: &EffectId, outcome: &Outcome) {
        let verb = self.verbs.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        // Begun by an earlier life of the daemon.
        let verb = verb.unwrap_or("taken-over");
        self.effects.get_or_create(&Effect { verb, outcome: words::ended(outcome) }).inc();
    }
}
