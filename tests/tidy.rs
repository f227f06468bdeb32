//! The project's rules about itself, as tests.
//!
//! Each module is one rule, checked against the project, and against planted input that breaks the rule,
//! so that no rule can rot into one that always passes. What rustc, clippy and rustfmt can say is left to
//! them.

mod tidy {
    mod appends;
    mod codes;
    mod commands;
    mod decisions;
    mod edges;
    mod header;
    mod links;
    mod markdown;
    mod modules;
    mod named_tests;
    mod one_build;
    mod pure;
    mod runbook;
    mod rust;
    mod size;
    mod top_level;
    mod tree;
    mod words;
}
