//! The fold of a service's stream, and the place at which the stream ends.

use segue_domain::event::ServiceEvent;
use segue_domain::ids::ServiceName;
use segue_domain::service_state::ServiceState;
use segue_domain::time::Timestamp;
use segue_journal::{ReadError, Reader, Records, Stream, StreamAppend};

use crate::pen::By;

/// What is known of a service.
pub(crate) struct ServiceBook {
    pub(super) state: ServiceState,
    stream: Stream,
    seq: u64,
}

/// Why a service's stream cannot be taken up.
#[derive(Debug, thiserror::Error)]
#[error("the stream of service {service} cannot be read")]
pub struct BookError {
    pub service: ServiceName,
    #[source]
    pub(super) source: ReadError,
}

impl BookError {
    /// The journal only did not answer.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.source, ReadError::Unavailable(_))
    }
}

/// A service's history, without a lease.
pub(crate) async fn read_history(
    reader: &dyn Reader,
    service: &ServiceName,
) -> Result<ServiceState, BookError> {
    read(reader, service).await.map(|(_, state)| state)
}

async fn read(reader: &dyn Reader, service: &ServiceName) -> Result<(u64, ServiceState), BookError> {
    let stream = Stream::service(service);
    let (mut records, mut state, mut seq) =
        (Records::new(reader, &stream, 0), ServiceState::new(service.clone()), 0);
    let unread = |source| BookError { service: service.clone(), source };
    while let Some(record) = records.next().await.map_err(unread)? {
        seq = record.seq;
        if let Some(event) = record.fact.service() {
            state.apply(record.at, event);
        }
    }
    Ok((seq, state))
}

impl ServiceBook {
    pub(super) async fn open(reader: &dyn Reader, service: &ServiceName) -> Result<Self, BookError> {
        let (seq, state) = read(reader, service).await?;
        Ok(Self { state, stream: Stream::service(service), seq })
    }

    /// The service's part of an append.
    pub(super) fn part(&self, at: Timestamp, by: &By, events: &[ServiceEvent]) -> StreamAppend {
        let records = events.iter().cloned().map(|event| by.record(at, event)).collect();
        StreamAppend { stream: self.stream.clone(), expected_seq: self.seq, records }
    }

    /// The part was written.
    pub(super) fn applied(&mut self, at: Timestamp, events: &[ServiceEvent]) {
        for event in events {
            self.state.apply(at, event);
            self.seq = self.seq.saturating_add(1);
        }
    }
}
