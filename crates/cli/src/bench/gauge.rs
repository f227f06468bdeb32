//! What the kernel says of a process: memory and processor time.
//! <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>, `proc_pid_stat.5`

use anyhow::{Context as _, Result};

/// Ticks of a second in `/proc`; on Linux it has been this on every architecture for long.
const USER_HZ: f64 = 100.0;
/// The kernel's kB are 1,024 bytes; a megabyte here is a million.
const MB_PER_KIB: f64 = 1_024.0 / 1_000_000.0;

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gauge {
    pub(super) rss_mb: f64,
    /// The most that was resident at any time.
    pub(super) peak_mb: f64,
    /// In user space and in the kernel.
    pub(super) cpu_s: f64,
}

impl Gauge {
    pub(super) fn read(pid: u32) -> Result<Self> {
        let file = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
        };
        Self::of(&file("status")?, &file("stat")?).with_context(|| format!("/proc/{pid} is not what it was"))
    }

    fn of(status: &str, stat: &str) -> Option<Self> {
        let mb = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * MB_PER_KIB)
        };
        // The program's name may have spaces and brackets; the fields after it have none. The first is the third.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        let cpu_s = (ticks(14)? + ticks(15)?) / USER_HZ;
        Some(Self { rss_mb: mb("VmRSS:")?, peak_mb: mb("VmHWM:")?, cpu_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_from_the_kernels_words() {
        let status = "Name:\tsegue\nVmHWM:\t  31250 kB\nVmRSS:\t  15625 kB\n";
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 1 2";
        assert_eq!(Gauge::of(status, stat), Some(Gauge { rss_mb: 16.0, peak_mb: 32.0, cpu_s: 3.0 }));
        assert_eq!(Gauge::of("Name:\tsegue\n", stat), None);
    }

    #[test]
    fn this_process_is_one() {
        let own = Gauge::read(std::process::id()).expect("this is Linux");
        assert!(own.peak_mb >= own.rss_mb && own.rss_mb > 0.1, "{own:?}");
    }
}
