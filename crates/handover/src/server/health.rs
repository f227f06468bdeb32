//! What a server measures of itself: processor, memory, latencies, errors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use super::latency::Latency;
use crate::board::Moment;
use crate::wire::Load;

#[derive(Debug, Default)]
pub(super) struct Health {
    errors_total: AtomicU64,
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    cpu: Option<f64>,
    rss_bytes: Option<u64>,
    edits: Latency,
    loads: Latency,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_error(&self) {
        self.errors_total.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn errors_total(&self) -> u64 {
        self.errors_total.load(Ordering::Relaxed)
    }

    pub(super) fn edits_durable(&self, took: &[Duration], now: Moment) {
        let mut figures = self.lock();
        for took in took {
            figures.edits.record(*took, now);
        }
    }

    pub(super) fn board_loaded(&self, took: Duration, now: Moment) {
        self.lock().loads.record(took, now);
    }

    pub(super) fn load(&self, attach_queue: u32, now: Moment) -> Load {
        let mut figures = self.lock();
        Load {
            cpu: figures.cpu,
            rss: figures.rss_bytes,
            edit_p99_ms: figures.edits.p99_ms(now),
            load_p99_ms: figures.loads.p99_ms(now),
            attach_queue,
        }
    }
}

/// Measures this process once a second. Where there is no `/proc`, the figures stay unknown.
pub(super) async fn sample(server: Weak<Inner>) {
    let cores = std::thread::available_parallelism()
        .map_or(1.0, |cores| f64::from(u32::try_from(cores.get()).unwrap_or(u32::MAX)));
    let mut before: Option<(Instant, Duration)> = None;
    loop {
        let (now, used) = (Instant::now(), cpu_used());
        let share = before.zip(used).map(|((then, had_used), used)| {
            let wall = now.duration_since(then).as_secs_f64();
            used.saturating_sub(had_used).as_secs_f64() / (wall * cores).max(f64::MIN_POSITIVE)
        });
        before = used.map(|used| (now, used));
        let rss_bytes = resident_bytes();
        {
            let Some(server) = server.upgrade() else { return };
            let mut figures = server.health.lock();
            (figures.cpu, figures.rss_bytes) = (share, rss_bytes);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// User and system time of this process (proc_pid_stat(5), fields 14 and 15, in hundredths of a second).
fn cpu_used() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in field 2 may contain anything; what follows its closing bracket is field 3.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// Resident memory (proc_pid_status(5), `VmRSS` in kB).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_its_processor_time_never_shrinks() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        let before = cpu_used().expect("there is /proc");
        assert!(cpu_used().is_some_and(|after| after >= before));
    }
}
