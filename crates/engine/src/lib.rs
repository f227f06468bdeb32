//! segue-engine.
