//! Subnets: a zone and a block of private addresses.
//!
//! A block is a part of the loopback network. As in a VPC the first four addresses and the last are not given out. An
//! address that was freed is taken again only when the block has been gone through, so that a new instance rarely
//! sits where an old one was a moment ago.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::Ipv4Addr;

use crate::names::SubnetId;

const FIRST_HOST: u16 = 4;

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cidr {
    /// `127.0.X.0/24`
    Small(u8),
    /// `127.X.0.0/16`
    Large(u8),
}

impl Cidr {
    const fn hosts(self) -> u16 {
        match self {
            Self::Small(_) => 0xff,
            Self::Large(_) => 0xffff,
        }
    }

    const fn address(self, host: u16) -> Ipv4Addr {
        let [high, low] = host.to_be_bytes();
        match self {
            Self::Small(block) => Ipv4Addr::new(127, 0, block, low),
            Self::Large(block) => Ipv4Addr::new(127, block, high, low),
        }
    }

    /// The host that an address is in this block.
    fn host(self, address: Ipv4Addr) -> Option<u16> {
        let [_, _, high, low] = address.octets();
        let host = match self {
            Self::Small(_) => u16::from(low),
            Self::Large(_) => u16::from_be_bytes([high, low]),
        };
        (self.address(host) == address).then_some(host)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = match self {
            Self::Small(_) => 24,
            Self::Large(_) => 16,
        };
        write!(f, "{}/{bits}", self.address(0))
    }
}

/// One subnet.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    /// `eu-west-1a`
    pub(crate) zone: String,
    block: Cidr,
    free: VecDeque<u16>,
    used: BTreeSet<u16>,
}

impl Subnet {
    pub(crate) fn new(id: SubnetId, zone: String, block: Cidr) -> Self {
        Self { id, zone, block, free: (FIRST_HOST..block.hosts()).collect(), used: BTreeSet::new() }
    }

    pub(crate) fn cidr(&self) -> String {
        self.block.to_string()
    }

    pub(crate) fn free_addresses(&self) -> usize {
        self.free.len()
    }

    /// The next address, or none when the block is full.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        let host = self.free.pop_front()?;
        self.used.insert(host);
        Some(self.block.address(host))
    }

    /// Gives an address back. Addresses of other blocks are ignored.
    pub(crate) fn give_back(&mut self, address: Ipv4Addr) {
        if let Some(host) = self.block.host(address)
            && self.used.remove(&host)
        {
            self.free.push_back(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_address_comes_back_last() {
        let mut subnet = Subnet::new("subnet-1".into(), "eu-west-1a".into(), Cidr::Small(7));
        let first = subnet.take().expect("a fresh block has addresses");
        assert_eq!(first, Ipv4Addr::new(127, 0, 7, 4));
        subnet.give_back(first);
        assert_eq!(subnet.take(), Some(Ipv4Addr::new(127, 0, 7, 5)));
        assert_eq!(subnet.free_addresses(), 250);
    }

    #[test]
    fn a_full_block_gives_nothing() {
        let mut subnet = Subnet::new("subnet-1".into(), "eu-west-1a".into(), Cidr::Small(7));
        while subnet.take().is_some() {}
        assert_eq!(subnet.free_addresses(), 0);
    }

    #[test]
    fn a_large_block_has_room_for_a_large_fleet() {
        let mut subnet = Subnet::new("subnet-1".into(), "eu-west-1a".into(), Cidr::Large(64));
        assert_eq!((subnet.free_addresses(), subnet.cidr().as_str()), (65_531, "127.64.0.0/16"));
        let last = std::iter::from_fn(|| subnet.take()).last().expect("it has some");
        assert_eq!(last, Ipv4Addr::new(127, 64, 255, 254));
        subnet.give_back(Ipv4Addr::new(127, 65, 255, 254));
        assert_eq!(subnet.free_addresses(), 0, "another block's is not taken");
        subnet.give_back(last);
        assert_eq!(subnet.take(), Some(last));
    }
}
