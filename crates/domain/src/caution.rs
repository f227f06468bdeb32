//! What somebody should know before a plan is carried out: where its way back ends.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::Formats;
use crate::ids::InstanceId;
use crate::plan::{Kind, Plan};
use crate::world::World;

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caution {
    /// The new version cannot read what the old one writes: admit will fail, and go back.
    CannotRead { writes: String },
    /// The old version cannot read what the new one writes: admit will ask, and from the first board on there is
    /// no way back.
    NoWayBack { blue_reads: Vec<String>, green_writes: String },
    /// No server of the new version runs that could say what it reads and writes; admit looks again, and asks if
    /// there is no way back.
    FormatsUnknown,
    /// The old servers are terminated so long after the release; from then on a rollback has to launch.
    Terminates { after: Duration },
}

impl Caution {
    /// The stable name of what is to be known.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CannotRead { .. } => "cannot-read-boards",
            Self::NoWayBack { .. } => "no-way-back-after-the-first-board",
            Self::FormatsUnknown => "way-back-unknown",
            Self::Terminates { .. } => "way-back-ends",
        }
    }
}

/// What is known of the way back, by what running servers say of themselves.
pub fn cautions(plan: &Plan, world: &World) -> Vec<Caution> {
    let mut cautions = formats(plan, world);
    match plan.kind {
        Kind::Canary => {}
        Kind::Full | Kind::Rollback => {
            cautions.push(Caution::Terminates { after: plan.service.full.keep_old });
        }
    }
    cautions
}

fn formats(plan: &Plan, world: &World) -> Vec<Caution> {
    let (old, new) = (spoken(world, &plan.blue), spoken(world, &plan.takeover));
    if new.is_empty() || old.is_empty() {
        return vec![Caution::FormatsUnknown];
    }
    let pairs = || old.iter().flat_map(|blue| new.iter().map(move |green| (*blue, *green)));
    let unreadable = pairs().find(|(blue, green)| !green.can_read(blue));
    let one_way = pairs().find(|(blue, green)| !blue.can_read(green));
    let cannot = unreadable.map(|(blue, _)| Caution::CannotRead { writes: blue.writes.clone() });
    let no_way_back = one_way.map(|(blue, green)| Caution::NoWayBack {
        blue_reads: blue.reads.clone(),
        green_writes: green.writes.clone(),
    });
    cannot.into_iter().chain(no_way_back).collect()
}

fn spoken<'a>(world: &'a World, ids: &BTreeSet<InstanceId>) -> Vec<&'a Formats> {
    ids.iter().filter_map(|id| world.app(id).ok()).map(|app| &app.formats).collect()
}
