//! segue-daemon.
