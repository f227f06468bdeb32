//! Instances that are no processes: what their application would do is simulated in here, for all of them at once.
//!
//! For releases of thousands of servers and a million boards on one machine. Such an instance has a loopback
//! address of its own like any other. The sandbox listens once for all of them, on every address; which one is
//! meant is told by the address that was called.
//!
//! Kept as the contract has it: signatures and generations, `close` and `open`, every call about moves, its ttls,
//! paging, and ownership, which changes by compare-and-set alone, apart from what each server lists. Deliberately left out: what is on a board, edits,
//! and sockets (a board's clients are a number); level 0, whose `drain` is refused; and a board that nobody uses
//! stays open.

mod board;
mod fleet;
mod moves;
mod routes;
mod runner;
mod server;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use segue_handover::auth::{Guard, Key};
use segue_handover::wire::{Route, ServerId};

use crate::clock::Clock;
use crate::world::At;
use fleet::{Fleet, ServerNo};
use server::Server;

pub(crate) use board::BOARDS_MAX;
pub(crate) use routes::{control, traffic};
pub(crate) use runner::Simulation;
pub use tally::BoardTally;

/// All simulated instances and their boards.
#[derive(Debug)]
pub(crate) struct Simulated {
    fleet: Mutex<Fleet>,
    key: Key,
    clock: Clock,
}

impl Simulated {
    /// `front_door` is the load balancer's URL, as clients are led there.
    pub(crate) fn new(key: Key, clock: Clock, front_door: &str, clients_per_board: u32) -> Arc<Self> {
        let front_door = front_door.replacen("http", "ws", 1);
        let fleet = Mutex::new(Fleet::new(front_door, clients_per_board));
        Arc::new(Self { fleet, key, clock })
    }

    /// Puts new boards on the servers, as many on each as on any other.
    pub(crate) fn seed(&self, boards: u32) {
        self.with(|fleet, _| fleet.seed(boards));
    }

    /// Where every board is.
    pub(crate) fn tally(&self) -> BoardTally {
        self.with(Fleet::tally)
    }

    /// Whether somebody listens at an address.
    pub(crate) fn runs(&self, address: Ipv4Addr) -> bool {
        self.with(|fleet, _| fleet.at_address(address).is_some())
    }

    /// The metrics page of whoever runs at an address.
    pub(crate) fn metrics(&self, address: Ipv4Addr) -> Option<String> {
        self.with(|fleet, _| fleet.metrics(fleet.at_address(address)?))
    }

    /// Who runs at an address, and who looks after the door there.
    fn door(&self, address: Ipv4Addr) -> Option<(ServerNo, Arc<Guard>)> {
        self.with(|fleet, _| {
            let server = fleet.at_address(address)?;
            Some((server, fleet.guard(server)?))
        })
    }

    fn begin(&self, id: ServerId, version: String, route: Option<Route>, address: Ipv4Addr) -> ServerNo {
        let guard = Arc::new(Guard::new(self.key.clone(), id.clone()));
        self.with(|fleet, now| fleet.begin(Server::new(id, version, route, address, guard, now)))
    }

    fn end(&self, server: ServerNo) {
        self.with(|fleet, _| fleet.end_server(server));
    }

    fn with<R>(&self, look: impl FnOnce(&mut Fleet, At) -> R) -> R {
        look(&mut self.fleet.lock().unwrap_or_else(PoisonError::into_inner), self.clock.now())
    }
}
