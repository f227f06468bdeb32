//! The package of the tests that look at the project as a whole: tidy, and end to end.
//!
//! The library has what tests of several packages start and no crate of ours is: a PostgreSQL server. Each test
//! target says what it covers.

pub mod postgres;
