//! End to end: the real program, its own processes, real sockets, on the embedded sandbox.

mod contracts;
mod demo;
mod killed;
mod program;
mod refusals;
