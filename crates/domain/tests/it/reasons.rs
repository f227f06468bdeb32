//! Every reason to hold, each once. A new one does not compile until it has its place here.

use segue_domain::decision::{Reason, Source};
use segue_domain::ids::{BoardId, InstanceId};
use segue_domain::reading::Why;
use segue_domain::step::Step;

/// One of each, in the order in which [`after`] goes from one to the next.
pub(crate) fn every_reason() -> Vec<Reason> {
    let first = Reason::Blind { what: Source::Weights, why: Why::Missing };
    std::iter::successors(Some(first), after).collect()
}

fn after(reason: &Reason) -> Option<Reason> {
    let text = String::new;
    Some(match reason {
        Reason::Blind { .. } => Reason::Undecided { missing: Vec::new() },
        Reason::Undecided { .. } => Reason::NoCapacity { able: 0, floor: 1, at: None },
        Reason::NoCapacity { .. } => Reason::BoardFitsNowhere { board: BoardId::new("b") },
        Reason::BoardFitsNowhere { .. } => Reason::BoardsStay { left: 1, last: text() },
        Reason::BoardsStay { .. } => Reason::MayHoldBoards { instance: InstanceId::new("i-1"), why: text() },
        Reason::MayHoldBoards { .. } => Reason::CannotGoBack { step: Step::Return, why: text() },
        Reason::CannotGoBack { .. } => Reason::CannotGoOn { step: Step::Retire, why: text() },
        Reason::CannotGoOn { .. } => Reason::Bug { what: text() },
        Reason::Bug { .. } => return None,
    })
}

/// As a story tells it.
pub(crate) fn name(reason: &Reason) -> String {
    let told = format!("{reason:?}");
    told.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// A promise of Segue's own that is broken is in no story.
pub(crate) fn is_reachable(reason: &Reason) -> bool {
    !matches!(reason, Reason::Bug { .. })
}
