//! What is simulated at every change: the corpus, fixed seeds, every planted mistake, every place of every scenario.
//! The long runs are commands (`docs/simulation.md`).

mod corpus;
mod seeds;
