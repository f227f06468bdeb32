//! segue-handover.
