//! The first format of record bodies: types of our own that mirror the domain's, so that what is on disk
//! changes on purpose only.
//!
//! How it may change without a new schema number: a field that is new reads as absent from an older record
//! (`Option`, or `#[serde(default)]`), and a field that this version does not know is passed over. What may
//! not: a kind that this version does not know refuses to be read, and no word already written is reused. A record
//! with a new kind is written under a number of its own (`schema_of`): 2 has the adoptions, 3 the plans for
//! several load balancers, 4 the servers that joined.
//! Names on disk are the literals in these files; renaming a type or a variant of the domain changes nothing.

mod decision;
mod effect;
mod event;
mod mirror;
mod plan;
mod scalars;
mod service;
mod service_event;

use serde::{Deserialize, Serialize};

use crate::fact::Fact;
pub(crate) use event::Event;
use mirror::Mirrors as _;
pub(crate) use mirror::Unreadable;
pub(crate) use service_event::ServiceEvent;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    Release(Event),
    Service(ServiceEvent),
}

impl From<&Fact> for Body {
    fn from(fact: &Fact) -> Self {
        match fact {
            Fact::Release(event) => Self::Release(event.into()),
            Fact::Service(event) => Self::Service(event.into()),
        }
    }
}

impl TryFrom<Body> for Fact {
    type Error = Unreadable;

    fn try_from(body: Body) -> Result<Self, Unreadable> {
        Ok(match body {
            Body::Release(event) => Self::Release(event.try_into()?),
            Body::Service(event) => Self::Service(event.try_into()?),
        })
    }
}

impl From<&segue_domain::event::Event> for Event {
    fn from(event: &segue_domain::event::Event) -> Self {
        Self::write(event)
    }
}

impl TryFrom<Event> for segue_domain::event::Event {
    type Error = Unreadable;

    fn try_from(event: Event) -> Result<Self, Unreadable> {
        event.read()
    }
}

impl From<&segue_domain::event::ServiceEvent> for ServiceEvent {
    fn from(event: &segue_domain::event::ServiceEvent) -> Self {
        Self::write(event)
    }
}

impl TryFrom<ServiceEvent> for segue_domain::event::ServiceEvent {
    type Error = Unreadable;

    fn try_from(event: ServiceEvent) -> Result<Self, Unreadable> {
        event.read()
    }
}

/// Every word that this format writes for a kind: (key on disk, words). The corpus must hold each of them.
#[cfg(test)]
pub(crate) fn vocabulary() -> Vec<(&'static str, &'static [&'static str])> {
    let mut words = vec![
        (Event::KEY, Event::WORDS),
        (ServiceEvent::KEY, ServiceEvent::WORDS),
        ("word", event::Word::WORDS),
        (event::CheckResult::KEY, event::CheckResult::WORDS),
    ];
    words.extend(plan::VOCABULARY);
    words.extend(service::VOCABULARY);
    words.extend(effect::VOCABULARY);
    words.extend(decision::VOCABULARY);
    words.extend(service_event::VOCABULARY);
    words
}
