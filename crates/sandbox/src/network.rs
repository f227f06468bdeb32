//! Blocks of loopback addresses for the subnets, one sandbox at a time.
//!
//! Several sandboxes may run on one machine, and an instance's ports are fixed. So each subnet takes a block
//! `127.0.X.0/24` that nobody has, and keeps it by listening on `127.0.X.1`, an address that no instance gets.
//! The kernel gives the block back when the sandbox ends, however it ends.

use std::net::{Ipv4Addr, TcpListener};

use crate::ports;

/// The ports that no instance shares.
const PORTS: [u16; 2] = [ports::TRAFFIC, ports::PRIVATE];

/// A block that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Block {
    /// `X` of `127.0.X.0/24`
    pub(crate) number: u8,
    _lease: Vec<TcpListener>,
}

/// No block is left, or somebody listens on an instance's port on every address.
#[derive(Debug, thiserror::Error)]
#[error("no free block of loopback addresses: ports {PORTS:?} must be free on 127.0.X.1 for some X")]
pub(crate) struct NoBlock;

/// Takes as many blocks as asked for, the lowest that are free.
pub(crate) fn take_blocks(count: usize) -> Result<Vec<Block>, NoBlock> {
    let blocks: Vec<_> = (1..=u8::MAX).filter_map(take).take(count).collect();
    if blocks.len() == count { Ok(blocks) } else { Err(NoBlock) }
}

fn take(number: u8) -> Option<Block> {
    let lease = PORTS.map(|port| TcpListener::bind((Ipv4Addr::new(127, 0, number, 1), port)));
    let lease: Result<Vec<_>, _> = lease.into_iter().collect();
    Some(Block { number, _lease: lease.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_given_once() {
        let first = take_blocks(2).expect("some blocks are free");
        let second = take_blocks(2).expect("some more are free");
        let mut numbers: Vec<_> = first.iter().chain(&second).map(|block| block.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 4);
    }
}
