//! segue-sandbox.
