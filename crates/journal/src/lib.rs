//! segue-journal.
