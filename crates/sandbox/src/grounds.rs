//! Where instances stand: their blocks of addresses and their ports.
//!
//! Processes listen for themselves, on fixed ports in blocks that no other sandbox of this machine has. For
//! simulated instances the sandbox listens, on every address and on ports of its own; so their blocks are large and
//! nobody's alone.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::SandboxConfig;
use crate::network::{Block, take_blocks};
use crate::ports;
use crate::ready::InstancePorts;
use crate::seed::ZONES;
use crate::world::Cidr;

/// The blocks of simulated instances, one for each zone.
const LARGE: [u8; ZONES.len()] = [64, 65, 66];

/// Connections that wait to be heard, for all instances together; each of them would have a queue of its own.
const BACKLOG: u32 = 16_384;

#[derive(Debug)]
pub(crate) struct Grounds {
    pub(crate) blocks: Vec<Cidr>,
    pub(crate) ports: InstancePorts,
    /// Held as long as the sandbox runs.
    pub(crate) leases: Vec<Block>,
    /// What is heard for simulated instances.
    pub(crate) ears: Option<Ears>,
}

#[derive(Debug)]
pub(crate) struct Ears {
    pub(crate) traffic: TcpListener,
    pub(crate) control: TcpListener,
}

impl Grounds {
    pub(crate) fn take(config: &SandboxConfig) -> anyhow::Result<Self> {
        if config.simulated.is_none() {
            let leases = take_blocks(ZONES.len())?;
            let blocks = leases.iter().map(|lease| Cidr::Small(lease.number)).collect();
            let ports = InstancePorts { traffic: ports::TRAFFIC, control: ports::PRIVATE };
            return Ok(Self { blocks, ports, leases, ears: None });
        }
        let (traffic, control) = (everywhere()?, everywhere()?);
        let ports =
            InstancePorts { traffic: traffic.local_addr()?.port(), control: control.local_addr()?.port() };
        let ears = Some(Ears { traffic, control });
        Ok(Self { blocks: LARGE.map(Cidr::Large).into(), ports, leases: Vec::new(), ears })
    }
}

/// A free port on every address of this machine; nobody is found at those that are no instance's.
fn everywhere() -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        socket.listen(BACKLOG)
    };
    listen().context("no free port for virtual instances")
}
