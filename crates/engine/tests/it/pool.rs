//! Many plays, each alone in a runtime of its own with a clock of its own, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Failures after which nothing more is begun: the first ones say enough.
const FAILURES_MAX: usize = 5;

/// Runs `play` for each job; fails with the names of those that did.
pub(crate) fn each<J: Sync>(jobs: &[J], name: impl Fn(&J) -> String + Sync, play: impl Fn(&J) + Sync) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if catch_unwind(AssertUnwindSafe(|| play(job))).is_err() {
                let mut failed = failed.lock().expect("no holder panics");
                failed.push(name(job));
                if failed.len() >= FAILURES_MAX {
                    next.store(jobs.len(), Ordering::Relaxed);
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no holder panics");
    assert!(failed.is_empty(), "failed, each said why above:\n{}", failed.join("\n"));
}

/// Runs to its end under a paused clock.
pub(crate) fn alone<T>(play: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O starts").block_on(play)
}
