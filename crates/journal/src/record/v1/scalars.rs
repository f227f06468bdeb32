//! Names, numbers, spans and instants on disk.

use std::time::Duration;

use segue_domain::ids::{
    Actor, BoardId, CheckName, Commit, EffectId, Environment, ForwardArn, GroupArn, ImageId, InstanceId,
    InstanceType, MoveId, PoolName, Region, ReleaseId, Route, ServiceName, SubnetId, TemplateId, Version,
};
use segue_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::mirror::{Mirrors, Unreadable};

macro_rules! as_itself {
    ($($type:ty),*) => {$(
        impl Mirrors<$type> for $type {
            fn write(value: &$type) -> Self {
                value.clone()
            }

            fn read(self) -> Result<$type, Unreadable> {
                Ok(self)
            }
        }
    )*};
}

as_itself!(String, u8, u16, u32, u64);

macro_rules! as_text {
    ($($name:ident),* $(,)?) => {$(
        impl Mirrors<$name> for String {
            fn write(value: &$name) -> Self {
                value.as_str().to_owned()
            }

            fn read(self) -> Result<$name, Unreadable> {
                Ok($name::new(self))
            }
        }
    )*};
}

as_text!(
    Actor,
    BoardId,
    CheckName,
    Commit,
    EffectId,
    Environment,
    ForwardArn,
    GroupArn,
    ImageId,
    InstanceId,
    InstanceType,
    MoveId,
    PoolName,
    Region,
    Route,
    ServiceName,
    SubnetId,
    TemplateId,
    Version,
);

/// As it is said aloud: `boards-12`.
impl Mirrors<ReleaseId> for String {
    fn write(value: &ReleaseId) -> Self {
        value.to_string()
    }

    fn read(self) -> Result<ReleaseId, Unreadable> {
        ReleaseId::parse(&self).ok_or(Unreadable { what: "a release", value: self })
    }
}

/// A span in whole milliseconds: what is finer is cut off, and what is longer than 584 million years too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SpanMs(u64);

impl Mirrors<Duration> for SpanMs {
    fn write(value: &Duration) -> Self {
        Self(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    fn read(self) -> Result<Duration, Unreadable> {
        Ok(Duration::from_millis(self.0))
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct InstantMs(i64);

impl Mirrors<Timestamp> for InstantMs {
    fn write(value: &Timestamp) -> Self {
        Self(value.as_ms())
    }

    fn read(self) -> Result<Timestamp, Unreadable> {
        Ok(Timestamp::from_ms(self.0))
    }
}
