//! End to end tests and tidy live here.
