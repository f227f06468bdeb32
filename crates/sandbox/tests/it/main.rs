//! The sandbox from outside: the query protocols by hand, sockets through the load balancer, real processes.

#![expect(clippy::format_push_string, reason = "test configurations are short")]

mod data_plane;
mod documents;
mod ec2;
mod echo;
mod elb;
mod faults;
mod manners;
mod monitoring;
mod processes;
mod signatures;
mod signer;
mod support;
mod users;
