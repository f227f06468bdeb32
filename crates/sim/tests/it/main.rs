//! What is simulated at every change: the corpus, fixed seeds and fresh ones, every planted mistake, every place of
//! every scenario, and three large fleets. The long runs are commands (`docs/simulation.md`).

mod corpus;
mod documents;
mod json;
mod scale;
mod seeds;
