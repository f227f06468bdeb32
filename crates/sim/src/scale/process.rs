//! What this process has used, by the kernel's word. Source: proc(5).

const TICKS_PER_S: f64 = 100.0;

/// Seconds of the processor so far, in user and in kernel mode; 0 where the kernel does not say.
pub(super) fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program may hold blanks: fields are counted from its end. The 14th and 15th are wanted.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_S
}

/// The most memory that it ever had, in MiB; 0 where the kernel does not say.
pub(super) fn memory_peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
