//! The one binary, `segue`.
fn main() {}
