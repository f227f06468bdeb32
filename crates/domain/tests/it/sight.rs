//! What can be seen of the stage.

use std::collections::BTreeSet;

use segue_domain::app::{AppStatus, BoardRow, BoardState, Caps, Formats};
use segue_domain::board_list::BoardList;
use segue_domain::event::Vital;
use segue_domain::ids::{BoardId, ForwardArn, GroupArn, InstanceId};
use segue_domain::instance::{InstanceState, Origin};
use segue_domain::reading::{Reading, Why};
use segue_domain::service::Balancer;
use segue_domain::target::{TargetHealth, Targets, Weights};
use segue_domain::world::{Needs, WITNESSES, World};

use crate::stage::{BOARD_BYTES, Server, Stage};

impl Stage {
    /// What the engine sees: instances, groups and shares always, the rest only when it is asked for.
    pub(crate) fn seen(&self, needs: &Needs) -> World {
        let mut world = self.world();
        let groups: BTreeSet<&GroupArn> = self.service.routing.forwarded().chain(&needs.slots).collect();
        world.targets.retain(|group, _| groups.contains(group));
        if needs.subnets.is_empty() {
            world.subnets = Reading::Unknown(Why::NotAsked);
        }
        world.boards.retain(|id, _| needs.instances.contains(id));
        world.apps.retain(|id, _| needs.instances.contains(id));
        world.board_lists.retain(|id, _| needs.board_lists.contains(id));
        world.vitals.retain(|id, _| needs.vitals.contains(id));
        world.ownership.retain(|id, _| needs.ownership.contains(id));
        world
    }

    /// Nothing of what there is.
    pub(crate) fn unseen(&self) -> World {
        World { watched_since: self.watched_since, ..World::unseen(self.now) }
    }

    /// Everything that there is to see.
    pub(crate) fn world(&self) -> World {
        let mut world = self.unseen();
        let listed = self.servers.iter().filter(|(id, it)| {
            !self.forgotten.contains(*id) && (!self.hides_new || it.instance.origin == Origin::Adopted)
        });
        world.instances = Reading::fresh(listed.map(|(id, it)| (id.clone(), it.instance.clone())).collect());
        world.weights = self.service.routing.balancers().map(|it| self.weights_of(it)).collect();
        let subnets = self.service.launch.subnets.iter();
        world.subnets = Reading::fresh(subnets.map(|subnet| (subnet.clone(), 100)).collect());
        world.targets = self.groups.keys().map(|name| (name.clone(), self.targets_as_read(name))).collect();
        for (id, server) in &self.servers {
            let up = server.instance.state == InstanceState::Running;
            let seen = up && self.prometheus_up;
            let boards = u64::try_from(server.boards.len()).unwrap();
            let vital = Vital { errors: server.errors, started_at_ms: server.started_at_ms };
            world.boards.insert(id.clone(), reading(seen, boards));
            world.vitals.insert(id.clone(), reading(seen, vital));
            // Nobody knows the address of one that is not listed.
            let answers = up && !server.silent && !self.forgotten.contains(id);
            world.apps.insert(id.clone(), reading(answers, self.status(server)));
            world.board_lists.insert(id.clone(), reading(answers && self.level > 0, list(id, server)));
            world.ownership.insert(id.clone(), self.witnesses(id).map(|it| reading(it, boards)).collect());
        }
        world
    }

    fn weights_of(&self, balancer: &Balancer) -> (ForwardArn, Reading<Weights>) {
        let own = |group: &GroupArn| Some((group.clone(), *self.weights.get(group)?));
        (balancer.forward.clone(), Reading::fresh(balancer.forwarded().filter_map(own).collect()))
    }

    /// The others that are asked what a server owns, each with whether it answers.
    fn witnesses(&self, dead: &InstanceId) -> impl Iterator<Item = bool> {
        let living = self
            .servers
            .iter()
            .filter(move |(id, it)| *id != dead && it.instance.state == InstanceState::Running);
        living.map(|(_, it)| !it.silent).take(WITNESSES)
    }

    fn targets_as_read(&self, name: &GroupArn) -> Reading<Targets> {
        if self.abandoned.contains(name) {
            return Reading::Unknown(Why::Refused("there is no such group".to_owned()));
        }
        match self.unread.contains(name) {
            true => Reading::Unknown(Why::Unreachable("throttled".to_owned())),
            false => Reading::fresh(self.targets(name)),
        }
    }

    pub(crate) fn targets(&self, name: &GroupArn) -> Targets {
        let health = |id: &InstanceId| match self.servers.get(id) {
            Some(server) if server.instance.state == InstanceState::Running => {
                if self.checking.contains(name) { TargetHealth::Initial } else { server.health }
            }
            Some(_) => TargetHealth::Unused,
            // Whoever launched it, it serves.
            None => TargetHealth::Healthy,
        };
        self.groups[name].iter().map(|id| (id.clone(), health(id))).collect()
    }

    fn status(&self, server: &Server) -> AppStatus {
        let version = server.claims.clone().unwrap_or_else(|| server.instance.version.clone());
        let newer = self.new_format && version.as_str() != "1";
        let formats = match newer {
            true => Formats { reads: vec!["f1".to_owned(), "f2".to_owned()], writes: "f2".to_owned() },
            false => Formats { reads: vec!["f1".to_owned()], writes: "f1".to_owned() },
        };
        AppStatus {
            version,
            state: server.open,
            level: self.level,
            formats,
            boards: server.counts.unwrap_or(u64::try_from(server.boards.len()).unwrap()),
            clients: server.boards.values().sum(),
            caps: Caps { boards: 1_000, clients: 10_000, bytes: self.bytes },
            route: server.route.clone(),
            generation: 1,
        }
    }
}

fn reading<T>(known: bool, value: T) -> Reading<T> {
    if known { Reading::fresh(value) } else { Reading::Unknown(Why::Missing) }
}

fn list(id: &InstanceId, server: &Server) -> BoardList {
    let row = |(board, clients): (&BoardId, &u64)| BoardRow {
        board: board.clone(),
        epoch: 1,
        state: BoardState::Active,
        clients: *clients,
        unsupported: 0,
        attached: 0,
        bytes: BOARD_BYTES,
        moving: None,
    };
    let rows: Vec<BoardRow> = server.boards.iter().map(row).collect();
    BoardList::new(id.clone(), &rows)
}
