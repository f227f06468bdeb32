//! The package of the tests that look at the project as a whole: tidy, and end to end.
//!
//! The library has what tests of several packages start and no crate of ours is: a PostgreSQL server, moto. Each
//! test target says what it covers.

pub mod clients;
pub mod postgres;
