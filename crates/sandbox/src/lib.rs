//! segue-sandbox.
pub mod store;
