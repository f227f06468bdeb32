//! Subnets: a zone and a block of private addresses.
//!
//! A block is a /24 of the loopback network, `127.0.X.0`. As in a VPC the first four addresses and the last
//! are not given out. An address that was freed is taken again only when the block has been gone through, so
//! that a new instance rarely sits where an old one was a moment ago.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use crate::names::SubnetId;

const FIRST_HOST: u8 = 4;
const LAST_HOST: u8 = 254;

/// One subnet.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    /// `eu-west-1a`
    pub(crate) zone: String,
    /// `X` of `127.0.X.0/24`
    block: u8,
    free: VecDeque<u8>,
    used: BTreeSet<u8>,
}

impl Subnet {
    pub(crate) fn new(id: SubnetId, zone: String, block: u8) -> Self {
        Self { id, zone, block, free: (FIRST_HOST..=LAST_HOST).collect(), used: BTreeSet::new() }
    }

    pub(crate) fn cidr(&self) -> String {
        format!("127.0.{}.0/24", self.block)
    }

    pub(crate) fn free_addresses(&self) -> usize {
        self.free.len()
    }

    /// The next address, or none when the block is full.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        let host = self.free.pop_front()?;
        self.used.insert(host);
        Some(Ipv4Addr::new(127, 0, self.block, host))
    }

    /// Gives an address back. Addresses of other blocks are ignored.
    pub(crate) fn give_back(&mut self, address: Ipv4Addr) {
        let [_, _, block, host] = address.octets();
        if block == self.block && self.used.remove(&host) {
            self.free.push_back(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_address_comes_back_last() {
        let mut subnet = Subnet::new("subnet-1".into(), "eu-west-1a".into(), 7);
        let first = subnet.take().expect("a fresh block has addresses");
        assert_eq!(first, Ipv4Addr::new(127, 0, 7, 4));
        subnet.give_back(first);
        assert_eq!(subnet.take(), Some(Ipv4Addr::new(127, 0, 7, 5)));
        assert_eq!(subnet.free_addresses(), 250);
    }

    #[test]
    fn a_full_block_gives_nothing() {
        let mut subnet = Subnet::new("subnet-1".into(), "eu-west-1a".into(), 7);
        while subnet.take().is_some() {}
        assert_eq!(subnet.free_addresses(), 0);
    }
}
