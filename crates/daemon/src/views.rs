//! From the engine's values to what the API shows.
//!
//! Each function here is pure: it is given a state, an observation and the time, and gives a whole view. It
//! words things with [`crate::words`] and leaves nothing out; it decides nothing.

mod adoption;
mod event;
mod fleet;
mod plan;
mod release;
mod service;
mod still;

use segue_api::{Count, Time};
use segue_domain::app::BoardCount;
use segue_domain::time::Timestamp;

pub(crate) use adoption::{adopted, plan_of_adoption};
pub(crate) use event::{Cursor, event};
pub(crate) use plan::plan;
pub(crate) use release::{Asked, Seen, release};
pub(crate) use service::{Present, service};
pub(crate) use still::etag;

/// The wire's time; 1970 for one that no calendar has, because a view must not fail over it.
fn time(at: Timestamp) -> Time {
    Time::from_unix_ms(at.as_ms()).unwrap_or_else(|| Time::new(jiff::Timestamp::UNIX_EPOCH))
}

fn id(release: &segue_domain::ids::ReleaseId) -> Option<segue_api::ReleaseId> {
    release.to_string().parse().ok()
}

fn ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The sum of some counts, as old as the oldest; unknown as soon as one is.
fn sum<'a>(counts: impl IntoIterator<Item = Option<&'a BoardCount>>, of_none: &str) -> Count {
    let mut total = 0_u64;
    let mut oldest_ms = 0;
    for count in counts {
        match count {
            Some(BoardCount::Known { value, age }) => {
                total = total.saturating_add(*value);
                oldest_ms = oldest_ms.max(ms(*age));
            }
            Some(BoardCount::Unknown(why)) => return Count::Unknown { why: why.to_string() },
            None => return Count::Unknown { why: of_none.to_owned() },
        }
    }
    Count::Known { count: total, age_ms: oldest_ms }
}
