//! segue-aws.
