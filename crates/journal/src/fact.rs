//! What a record can be about.

use segue_domain::event::{Event, ServiceEvent};

/// One thing that happened, in a release or in a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Release(Event),
    Service(ServiceEvent),
}

impl Fact {
    /// The event, when the record belongs to a release's stream.
    pub fn release(&self) -> Option<&Event> {
        match self {
            Self::Release(event) => Some(event),
            Self::Service(_) => None,
        }
    }

    /// The event, when the record belongs to a service's stream.
    pub fn service(&self) -> Option<&ServiceEvent> {
        match self {
            Self::Service(event) => Some(event),
            Self::Release(_) => None,
        }
    }
}

impl From<Event> for Fact {
    fn from(event: Event) -> Self {
        Self::Release(event)
    }
}

impl From<ServiceEvent> for Fact {
    fn from(event: ServiceEvent) -> Self {
        Self::Service(event)
    }
}
