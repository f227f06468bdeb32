//! The journal: what happened, in order, for ever; and who may add to it.
//!
//! Streams of records ([`record`]), appended under a lease ([`lease`]) in one transaction with the messages
//! that follow from them ([`outbox`]), kept by a [`Store`]. Records are formats of this crate's own, so that
//! the domain can change without changing what is on disk.
//!
//! Deliberately absent: state. Who wants to know where a release stands folds its stream.

mod address;
pub mod append;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod fact;
mod fate;
pub mod lease;
mod memory;
mod moment;
#[cfg(feature = "databases")]
mod open;
pub mod outbox;
#[cfg(feature = "databases")]
pub mod postgres;
pub mod read;
pub mod record;
#[cfg(feature = "databases")]
pub mod sqlite;
mod store;
mod stream;
pub mod view;

#[cfg(all(test, feature = "databases"))]
mod latency;
#[cfg(any(test, feature = "contract"))]
mod samples;

pub use address::{Address, AddressError, Database};
pub use append::{Append, AppendError, Appended, StreamAppend, Unwritable};
pub use fact::Fact;
pub use fate::{Fate, fate};
pub use lease::{AcquireError, Holder, Lease, Owner, RenewError, Scope};
pub use memory::{MemoryClock, MemoryStore};
pub use moment::Moment;
#[cfg(feature = "databases")]
pub use open::{Looked, OpenError};
pub use outbox::{Claim, OutboxError, OutboxId, OutboxItem, Settled};
#[cfg(feature = "databases")]
pub use postgres::{PostgresReader, PostgresStore};
pub use read::{Broken, Newest, Page, ReadError, StreamEnd};
pub use record::{Hash, NewRecord, RECORD_SCHEMA, Record, RecordError, Via};
#[cfg(feature = "databases")]
pub use sqlite::{SqliteReader, SqliteStore};
pub use store::{JournalId, Reader, Records, Store, Trouble};
pub use stream::{About, Stream};
