//! What the application's servers say of themselves, and of a dead one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use segue_domain::app::AppStatus;
use segue_domain::board_list::BoardList;
use segue_domain::ids::InstanceId;
use segue_domain::instance::{Instance, InstanceState};
use segue_domain::reading::{Reading, Why};
use segue_domain::world::{Needs, WITNESSES};

use super::{AT_ONCE, reading};
use crate::book::AddressBook;
use crate::outside::{Call, Outside};
use crate::ports::Target;

/// Readings that come over the control contract.
pub(super) struct Apps {
    pub(super) statuses: BTreeMap<InstanceId, Reading<AppStatus>>,
    pub(super) board_lists: BTreeMap<InstanceId, Reading<BoardList>>,
    pub(super) ownership: BTreeMap<InstanceId, Vec<Reading<u64>>>,
}

/// Statuses are small, and who does not answer takes a reading's whole time: a zone of a large fleet that is silent
/// must not make the look older than a deed allows.
const STATUSES_AT_ONCE: usize = 128;

pub(super) async fn read(
    outside: &Outside,
    needs: &Needs,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
) -> Apps {
    let statuses = each(STATUSES_AT_ONCE, &needs.instances, |id| status(outside, instances, book, id)).await;
    // A list is the dearest reading. Whoever did not say how it is would only keep others waiting for theirs.
    let list = |id| board_list(outside, instances, book, statuses.get(&id).and_then(Reading::why), id);
    let witnesses = Witnesses::new(needs, instances, &statuses, book);
    let asked = needs.ownership.iter().enumerate().map(|(nth, dead)| (dead.clone(), witnesses.of(nth, dead)));
    let asked: BTreeMap<InstanceId, Vec<Target>> = asked.collect();
    let word = |dead| ownership(outside, asked.get(&dead).cloned().unwrap_or_default(), dead);
    let (board_lists, ownership) =
        tokio::join!(each(AT_ONCE, &needs.board_lists, list), each(AT_ONCE, &needs.ownership, word));
    Apps { statuses, board_lists, ownership }
}

async fn each<T, F: Future<Output = T>>(
    at_once: usize,
    asked: &BTreeSet<InstanceId>,
    read: impl Fn(InstanceId) -> F,
) -> BTreeMap<InstanceId, T> {
    // A reading is made when its turn comes: those of ten thousand servers would fill the memory.
    let left = Mutex::new(asked.iter());
    let readers: Vec<_> = (0..at_once.min(asked.len())).map(|_| in_turn(&left, &read)).collect();
    join_all(readers).await.into_iter().flatten().collect()
}

async fn in_turn<'a, T, F: Future<Output = T>>(
    left: &Mutex<impl Iterator<Item = &'a InstanceId>>,
    read: &impl Fn(InstanceId) -> F,
) -> Vec<(InstanceId, T)> {
    let mut readings = Vec::new();
    loop {
        let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(id) = next else { return readings };
        readings.push((id.clone(), read(id.clone()).await));
    }
}

async fn status(
    outside: &Outside,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
    id: InstanceId,
) -> Reading<AppStatus> {
    match address(instances, book, &id) {
        Ok(at) => status_at(outside, &at).await,
        Err(why) => Reading::Unknown(why),
    }
}

/// What a server says of itself at this address.
pub(crate) async fn status_at(outside: &Outside, at: &Target) -> Reading<AppStatus> {
    reading(outside.read(Call::new("boards", "status"), outside.ports.boards.status(at)).await)
}

async fn board_list(
    outside: &Outside,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
    is_silent: Option<&Why>,
    id: InstanceId,
) -> Reading<BoardList> {
    if let Some(why) = is_silent {
        return Reading::Unknown(why.clone());
    }
    match address(instances, book, &id) {
        Ok(at) => {
            let answer =
                outside.read_in_turn(Call::new("boards", "boards"), || outside.ports.boards.boards(&at));
            reading(answer.await.map(|rows| BoardList::new(id, &rows)))
        }
        Err(why) => Reading::Unknown(why),
    }
}

/// The ownership table's word on a dead server, through servers that this release looks at and that live.
async fn ownership(outside: &Outside, witnesses: Vec<Target>, dead: InstanceId) -> Vec<Reading<u64>> {
    let readings = witnesses.iter().map(|at| async {
        let answer = outside.ports.boards.owned_by(at, &dead);
        reading(outside.read(Call::new("boards", "owned_by"), answer).await)
    });
    join_all(readings).await
}

/// Who is asked about dead servers: those that run first, of them those that have just said how they are, and of these
/// those that are not being left themselves. They are put in order once, and each dead server has others to ask about
/// it: nobody is asked about all. Who was not asked how it is has said nothing either.
pub(super) struct Witnesses<'a> {
    book: &'a AddressBook,
    ranked: Vec<&'a InstanceId>,
    /// So many at the beginning are as good as the first.
    best: usize,
}

impl<'a> Witnesses<'a> {
    pub(super) fn new(
        needs: &Needs,
        instances: &Reading<BTreeMap<InstanceId, Instance>>,
        statuses: &BTreeMap<InstanceId, Reading<AppStatus>>,
        book: &'a AddressBook,
    ) -> Self {
        let is_silent = |id: &InstanceId| statuses.get(id).is_none_or(|it| it.known().is_none());
        let runs = |id: &InstanceId| {
            let instance = instances.known().and_then(|all| all.get(id));
            instance.is_some_and(|it| it.state == InstanceState::Running)
        };
        let rank = |id: &InstanceId| (!runs(id), is_silent(id), needs.ownership.contains(id));
        let mut ranked: Vec<&InstanceId> = book.everyone().collect();
        ranked.sort_by_key(|id| rank(id));
        let first = ranked.first().map(|id| rank(id));
        let best = ranked.iter().take_while(|id| Some(rank(id)) == first).count();
        Self { book, ranked, best }
    }

    /// Those to ask about the nth of the dead.
    pub(super) fn of(&self, nth: usize, dead: &InstanceId) -> Vec<Target> {
        let (best, others) = self.ranked.split_at(self.best);
        let skipped = nth.saturating_mul(WITNESSES).checked_rem(best.len()).unwrap_or(0);
        let in_turn = best.iter().cycle().skip(skipped).take(best.len()).chain(others);
        let others = in_turn.filter(|id| **id != dead);
        others.filter_map(|id| self.book.target(id)).take(WITNESSES).collect()
    }
}

fn address(
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
    id: &InstanceId,
) -> Result<Target, Why> {
    if let Some(target) = book.target(id) {
        return Ok(target);
    }
    match instances {
        Reading::Unknown(why) => Err(why.clone()),
        Reading::Known { value, .. } => match value.get(id) {
            None => Err(Why::Missing),
            Some(instance) => Err(Why::Unreachable(format!("the instance is {}", instance.state))),
        },
    }
}
