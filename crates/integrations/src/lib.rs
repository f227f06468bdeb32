//! segue-integrations.
