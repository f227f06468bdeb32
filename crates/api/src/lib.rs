//! segue-api.
