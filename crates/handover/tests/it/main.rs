//! The library from outside: servers on loopback over one store, raw websockets, the control client.

mod admission;
mod calls;
mod clients;
mod drain;
mod failures;
mod moves;
mod support;
