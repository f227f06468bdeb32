//! What the kernel says of this process.

/// Resident memory in bytes, from `VmRSS` of `/proc/self/status`; none where there is no such file.
pub(super) fn resident_bytes() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_word_is_read_in_bytes_and_nothing_else_is_guessed() {
        assert_eq!(resident("Name:\tsegue\nVmRSS:\t   2048 kB\n"), Some(2_097_152));
        assert_eq!(resident("Name:\tsegue\n"), None);
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000), "a process of some size");
    }
}
