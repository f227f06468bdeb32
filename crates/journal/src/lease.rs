//! The lease: who may append, by the database's word.
//!
//! It is a row with an epoch and an expiry by the database's clock, never a lock that a connection holds: a
//! connection can die while its process goes on. The rules are here, once, as functions from rows to rows;
//! the stores only keep the row.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::moment::Moment;
use crate::store::Trouble;

/// What a lease is for: one scope has one holder at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// Who holds it. The same after a restart of the same daemon on the same machine, and of nobody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(String);

macro_rules! names {
    ($($name:ident),*) => {$(
        impl $name {
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names!(Scope, Owner);

/// The part of the time to live that the holder does not use: for clocks that run at different speeds, and
/// for the call that was begun just before the end.
const MARGIN_DIVISOR: u32 = 10;

/// The right to append, and the proof that a store gave it: nothing else can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    scope: Scope,
    owner: Owner,
    epoch: u64,
    ttl: Duration,
    asked_at: Moment,
}

impl Lease {
    /// `asked_at` is the holder's own clock before the request was sent: the database's answer cannot have
    /// begun to count earlier than that.
    pub(crate) fn granted(scope: &Scope, owner: &Owner, epoch: u64, ttl: Duration, asked_at: Moment) -> Self {
        Self { scope: scope.clone(), owner: owner.clone(), epoch, ttl, asked_at }
    }

    /// The same lease after a renewal that was asked for at `asked_at`.
    pub(crate) fn renewed(&self, asked_at: Moment) -> Self {
        Self::granted(&self.scope, &self.owner, self.epoch, self.ttl, asked_at)
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Grows with every change of holder; an append under a lower one is refused.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long the holder may still act: asked right before each call that changes the world. Zero when it may
    /// not.
    pub fn left(&self, now: Moment) -> Duration {
        let usable = self.ttl.saturating_sub(self.ttl / MARGIN_DIVISOR);
        usable.saturating_sub(now.since(self.asked_at))
    }
}

/// Why a lease was not given.
#[derive(Debug, Error)]
pub enum AcquireError {
    #[error("{scope} is held by {owner} for another {left_ms} ms")]
    Held { scope: Scope, owner: Owner, left_ms: u64 },
    #[error("the database gave no lease")]
    Unavailable(#[source] Trouble),
}

/// Why a lease was not renewed or given back.
#[derive(Debug, Error)]
pub enum RenewError {
    /// Another holder, or a newer self, has it: drop everything in memory and acquire again.
    #[error("the lease on {scope} with epoch {epoch} was lost")]
    Lost { scope: Scope, epoch: u64 },
    #[error("the database did not say whether the lease is kept")]
    Unavailable(#[source] Trouble),
}

/// Who holds a lease that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub owner: Owner,
    /// Until it expires, unless it is renewed.
    pub left: Duration,
}

/// The lease as a database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    /// None after it was given back: nobody may append until it is acquired again.
    pub(crate) owner: Option<Owner>,
    pub(crate) epoch: u64,
    pub(crate) until_ms: i64,
}

impl LeaseRow {
    /// Who may append now; nobody when it was given back or has expired.
    pub(crate) fn holder(&self, now_ms: i64) -> Option<Holder> {
        let left_ms = u64::try_from(self.until_ms.saturating_sub(now_ms)).ok().filter(|left| *left > 0)?;
        Some(Holder { owner: self.owner.clone()?, left: Duration::from_millis(left_ms) })
    }
}

/// What its holder does with the row: what it is afterwards, or that it was lost.
pub(crate) type Rule = fn(Option<&LeaseRow>, &Lease, i64) -> Result<LeaseRow, RenewError>;

/// The row after `owner` asked for it. The owner of before gets it at once, as after a restart, with an
/// epoch that fences what it was before; another one waits until it has expired. The epoch is above `floor`.
pub(crate) fn grant(
    row: Option<&LeaseRow>,
    scope: &Scope,
    owner: &Owner,
    now_ms: i64,
    ttl: Duration,
    floor: u64,
) -> Result<LeaseRow, AcquireError> {
    let next = match row {
        None => 1,
        Some(LeaseRow { owner: Some(holder), until_ms, .. }) if holder != owner && *until_ms > now_ms => {
            let left_ms = until_ms.saturating_sub(now_ms).unsigned_abs();
            return Err(AcquireError::Held { scope: scope.clone(), owner: holder.clone(), left_ms });
        }
        Some(row) => row.epoch.saturating_add(1),
    };
    let epoch = next.max(floor.saturating_add(1));
    Ok(LeaseRow { owner: Some(owner.clone()), epoch, until_ms: after(now_ms, ttl) })
}

/// The row after its holder renewed it. One that has expired and that nobody took is still the holder's.
pub(crate) fn extend(row: Option<&LeaseRow>, lease: &Lease, now_ms: i64) -> Result<LeaseRow, RenewError> {
    held(row, lease).map_err(|Stale { .. }| lost(lease))?;
    Ok(LeaseRow { owner: Some(lease.owner.clone()), epoch: lease.epoch, until_ms: after(now_ms, lease.ttl) })
}

/// The row after its holder gave it back.
pub(crate) fn give_back(row: Option<&LeaseRow>, lease: &Lease, now_ms: i64) -> Result<LeaseRow, RenewError> {
    held(row, lease).map_err(|Stale { .. }| lost(lease))?;
    Ok(LeaseRow { owner: None, epoch: lease.epoch, until_ms: now_ms })
}

/// The lease is not the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale {
    /// The current epoch; none when the database has no such lease at all.
    pub(crate) current: Option<u64>,
}

/// Whether `lease` is the current one. The expiry does not matter here: as long as nobody took it over,
/// nobody else can have appended.
pub(crate) fn held(row: Option<&LeaseRow>, lease: &Lease) -> Result<(), Stale> {
    match row {
        Some(row) if row.owner.as_ref() == Some(&lease.owner) && row.epoch == lease.epoch => Ok(()),
        Some(row) => Err(Stale { current: Some(row.epoch) }),
        None => Err(Stale { current: None }),
    }
}

fn lost(lease: &Lease) -> RenewError {
    RenewError::Lost { scope: lease.scope.clone(), epoch: lease.epoch }
}

/// `span` after `now_ms`, both in the database's milliseconds.
pub(crate) fn after(now_ms: i64, span: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn row(owner: &str, epoch: u64, until_ms: i64) -> LeaseRow {
        LeaseRow { owner: Some(Owner::new(owner)), epoch, until_ms }
    }

    fn ask(row: Option<&LeaseRow>, owner: &str, now_ms: i64) -> Result<LeaseRow, AcquireError> {
        grant(row, &Scope::new("boards"), &Owner::new(owner), now_ms, TTL, 0)
    }

    #[test]
    fn another_owner_waits_until_the_very_millisecond_of_the_expiry() {
        let held = row("a", 3, 1_000);
        assert!(matches!(ask(Some(&held), "b", 999), Err(AcquireError::Held { left_ms: 1, .. })));
        assert_eq!(ask(Some(&held), "b", 1_000).ok(), Some(row("b", 4, 31_000)));
    }

    #[test]
    fn the_same_owner_takes_over_from_its_former_self_at_once() {
        assert_eq!(ask(Some(&row("a", 3, 1_000)), "a", 10).ok(), Some(row("a", 4, 30_010)));
    }

    #[test]
    fn the_holder_stops_a_tenth_before_the_database_does_counted_from_when_it_asked() {
        let asked_at = Moment::now();
        let lease = Lease::granted(&Scope::new("boards"), &Owner::new("a"), 1, TTL, asked_at);
        let left_after = |awake_ms, asleep_s| {
            let passed = asked_at.later(Duration::from_millis(awake_ms), Duration::from_secs(asleep_s));
            lease.left(passed)
        };
        assert_eq!(left_after(26_999, 0), Duration::from_millis(1));
        assert_eq!(left_after(27_000, 0), Duration::ZERO);
        assert_eq!(left_after(20_000, 0), Duration::from_secs(7));
        assert_eq!(left_after(40_000, 0), Duration::ZERO);
        assert_eq!(
            left_after(1_000, 20),
            Duration::from_secs(6),
            "the database counts while a machine sleeps"
        );
        assert_eq!(left_after(1_000, 600), Duration::ZERO);
    }
}
