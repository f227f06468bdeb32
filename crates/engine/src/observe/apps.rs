//! What the application's servers say of themselves, and of a dead one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use segue_domain::app::{AppStatus, BoardRow};
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
    pub(super) board_lists: BTreeMap<InstanceId, Reading<Vec<BoardRow>>>,
    pub(super) ownership: BTreeMap<InstanceId, Vec<Reading<u64>>>,
}

pub(super) async fn read(
    outside: &Outside,
    needs: &Needs,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
) -> Apps {
    let (statuses, board_lists, ownership) = tokio::join!(
        each(&needs.instances, |id| status(outside, instances, book, id)),
        each(&needs.board_lists, |id| board_list(outside, instances, book, id)),
        each(&needs.ownership, |dead| ownership(outside, needs, instances, book, dead)),
    );
    Apps { statuses, board_lists, ownership }
}

async fn each<T, F: Future<Output = T>>(
    asked: &BTreeSet<InstanceId>,
    read: impl Fn(InstanceId) -> F,
) -> BTreeMap<InstanceId, T> {
    // Collected before anything waits: no borrowed closure lives across an await.
    let readings: Vec<_> = asked.iter().map(|id| named(id.clone(), read(id.clone()))).collect();
    stream::iter(readings).buffer_unordered(AT_ONCE).collect().await
}

async fn named<T>(id: InstanceId, one: impl Future<Output = T>) -> (InstanceId, T) {
    (id, one.await)
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
    id: InstanceId,
) -> Reading<Vec<BoardRow>> {
    match address(instances, book, &id) {
        Ok(at) => {
            reading(outside.read(Call::new("boards", "boards"), outside.ports.boards.boards(&at)).await)
        }
        Err(why) => Reading::Unknown(why),
    }
}

/// The ownership table's word on a dead server, through servers that this release looks at and that live.
async fn ownership(
    outside: &Outside,
    needs: &Needs,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
    dead: InstanceId,
) -> Vec<Reading<u64>> {
    let witnesses = witnesses(needs, instances, book, &dead);
    let readings = witnesses.iter().map(|at| async {
        let answer = outside.ports.boards.owned_by(at, &dead);
        reading(outside.read(Call::new("boards", "owned_by"), answer).await)
    });
    futures_util::future::join_all(readings).await
}

/// Who is asked about a dead server: those that run first, and of them those that are not being left themselves.
pub(super) fn witnesses(
    needs: &Needs,
    instances: &Reading<BTreeMap<InstanceId, Instance>>,
    book: &AddressBook,
    dead: &InstanceId,
) -> Vec<Target> {
    let runs = |id: &InstanceId| {
        let instance = instances.known().and_then(|all| all.get(id));
        instance.is_some_and(|it| it.state == InstanceState::Running)
    };
    let mut others: Vec<&InstanceId> = book.everyone().filter(|id| *id != dead).collect();
    others.sort_by_key(|id| (!runs(id), needs.ownership.contains(*id)));
    others.into_iter().filter_map(|id| book.target(id)).take(WITNESSES).collect()
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
