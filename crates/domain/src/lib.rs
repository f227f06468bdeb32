//! segue-domain.
