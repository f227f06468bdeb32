//! Many runs on all cores, each on a thread of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` for each job, on all cores; the answers in the order of the jobs.
pub(crate) fn each<J: Sync, A: Send>(jobs: &[J], work: impl Fn(&J) -> A + Sync) -> Vec<A> {
    let places: Vec<(usize, &J)> = jobs.iter().enumerate().collect();
    let mut answers = Vec::new();
    each_to(&places, |(_, job)| work(job), |(place, _), answer| answers.push((*place, answer)));
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Does `work` for each job, on all cores, and hands each answer on as it comes: nothing is kept.
pub(crate) fn each_to<J: Sync, A: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> A + Sync,
    take: impl FnMut(&J, A) + Send,
) {
    let next = AtomicUsize::new(0);
    let take = Mutex::new(take);
    let worker = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = work(job);
            take.lock().unwrap_or_else(PoisonError::into_inner)(job, answer);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(worker);
        }
    });
}
