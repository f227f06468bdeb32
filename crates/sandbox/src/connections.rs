//! The load balancer's live connections, counted by target, and the means to cut them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::names::{GroupArn, InstanceId};
use crate::world::TargetKey;

/// Every target that has, or had, a connection.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    targets: Mutex<HashMap<Arc<Place>, Entry>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    group: GroupArn,
    target: TargetKey,
}

#[derive(Debug, Default)]
struct Entry {
    live: usize,
    cut: CancellationToken,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Live {
    connections: Arc<Connections>,
    place: Arc<Place>,
    /// Cancelled when the connection must be closed.
    pub(crate) cut: CancellationToken,
}

/// A target and its connections, as `GET /admin/connections` shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetConnections {
    /// The target group through which they came.
    pub target_group: GroupArn,
    /// The instance they go to.
    pub instance_id: InstanceId,
    /// Its port.
    pub port: u16,
    /// Requests under way and upgraded sockets.
    pub live: usize,
}

impl Connections {
    /// Counts one more connection.
    pub(crate) fn open(self: &Arc<Self>, group: GroupArn, target: TargetKey) -> Live {
        let place = Arc::new(Place { group, target });
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let place = targets.get_key_value(&place).map_or(place, |(known, _)| Arc::clone(known));
        let entry = targets.entry(Arc::clone(&place)).or_default();
        entry.live = entry.live.saturating_add(1);
        Live { connections: Arc::clone(self), place, cut: entry.cut.clone() }
    }

    /// Closes every connection to a target; later ones are not touched.
    pub(crate) fn cut(&self, group: &GroupArn, target: &TargetKey) {
        let place = Place { group: group.clone(), target: target.clone() };
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = targets.get_mut(&place) {
            std::mem::take(&mut entry.cut).cancel();
        }
    }

    /// The targets that have connections, in order.
    pub(crate) fn list(&self) -> Vec<TargetConnections> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = targets.iter().map(|(place, entry)| view(place, entry)).collect();
        list.sort_by(|a, b| (&a.target_group, &a.instance_id).cmp(&(&b.target_group, &b.instance_id)));
        list
    }
}

fn view(place: &Place, entry: &Entry) -> TargetConnections {
    let TargetKey { instance, port } = place.target.clone();
    TargetConnections { target_group: place.group.clone(), instance_id: instance, port, live: entry.live }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut targets = self.connections.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = targets.get_mut(&self.place) {
            entry.live = entry.live.saturating_sub(1);
            if entry.live == 0 {
                targets.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> TargetKey {
        TargetKey { instance: "i-1".into(), port: 8080 }
    }

    #[test]
    fn a_cut_reaches_the_connections_of_before_and_not_those_of_after() {
        let connections = Arc::new(Connections::default());
        let before = connections.open("a".into(), target());
        connections.cut(&"a".into(), &target());
        let after = connections.open("a".into(), target());
        assert!(before.cut.is_cancelled());
        assert!(!after.cut.is_cancelled());
    }

    #[test]
    fn a_dropped_connection_is_not_counted_any_more() {
        let connections = Arc::new(Connections::default());
        let first = connections.open("a".into(), target());
        let second = connections.open("a".into(), target());
        assert_eq!(connections.list()[0].live, 2);
        drop(first);
        assert_eq!(connections.list()[0].live, 1);
        drop(second);
        assert_eq!(connections.list(), []);
    }
}
