//! The package of the tests that look at the project as a whole: tidy, and end to end.
//!
//! The library itself is empty; each test target says what it covers.
