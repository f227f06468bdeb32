//! End to end: the real program, its own processes, real sockets, on the embedded sandbox.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod adopt;
mod aws;
mod bench;
mod by_hand;
mod chaos;
mod clients;
mod clock;
mod demo;
mod first_day;
mod frozen_tab;
mod killed;
mod level0;
mod on_postgres;
mod planned;
mod program;
mod refusals;
mod sabotage;
mod sandbox_page;
mod two_daemons;
mod two_load_balancers;
mod under_fire;
mod worst;
