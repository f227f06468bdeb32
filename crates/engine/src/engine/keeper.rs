//! The lease's keeper: waits for the lease, works under it, renews it, and drops everything when it is lost.

use std::sync::Arc;
use std::time::Duration;

use segue_journal::{AcquireError, Lease, RenewError};
use tokio::sync::watch;

use super::Shared;
use super::tenure::{Tasks, Tenure};
use crate::outside::Term;
use crate::pen::chain;

/// From one try to get the lease to the next.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The lease is renewed so many times in its time to live.
const RENEWALS: u32 = 3;
/// What a renewal's answer may take, as a part of the time to live.
const PATIENCE: u32 = 6;

/// Keeps going from term to term, until it is told to stop.
pub(super) async fn keep(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while let Some(lease) = acquire(&shared, &mut stop).await {
        tracing::info!(epoch = lease.epoch(), "the lease is held");
        let term = Arc::new(Term::new(lease));
        let tenure = Arc::new(Tenure::open(&shared, Arc::clone(&term)).await);
        shared.tenure.send_replace(Some(Arc::clone(&tenure)));
        if term.is_lost() {
            tracing::error!("the journal cannot be read; the lease is asked for again");
            shared.tenure.send_replace(None);
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        let mut tasks = Tasks::begin(&tenure, &stop);
        tokio::select! {
            biased;
            () = renew_until_lost(&shared, &term) => tracing::error!("the lease was lost; everything is dropped"),
            () = watch_and_wait(&mut tasks, &mut stop) => {}
        }
        drop(tasks);
        shared.tenure.send_replace(None);
        term.lose();
        if *stop.borrow() {
            give_back(&shared, &tenure).await;
            return;
        }
    }
}

/// The lease, or none when it is told to stop before.
async fn acquire(shared: &Shared, stop: &mut watch::Receiver<bool>) -> Option<Lease> {
    let settings = &shared.settings;
    loop {
        if *stop.borrow_and_update() {
            return None;
        }
        let asked = shared.means.store.acquire(&settings.scope, &settings.owner, settings.lease_ttl).await;
        match asked {
            Ok(lease) => return Some(lease),
            Err(error @ AcquireError::Held { .. }) => tracing::debug!(%error, "waiting for the lease"),
            Err(error @ AcquireError::Unavailable(_)) => {
                tracing::warn!(error = chain(&error), "the journal gives no lease");
            }
        }
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

/// Desks end by themselves when they are told to stop; with none of them, there is still the lease to keep.
async fn watch_and_wait(tasks: &mut Tasks, stop: &mut watch::Receiver<bool>) {
    tasks.watch_over().await;
    while !*stop.borrow_and_update() {
        if stop.changed().await.is_err() {
            return;
        }
    }
}

/// Renews the lease; returns when it is lost, or may be.
async fn renew_until_lost(shared: &Shared, term: &Term) {
    let ttl = shared.settings.lease_ttl;
    let mut pause = ttl / RENEWALS;
    loop {
        tokio::select! {
            biased;
            () = term.loss() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let lease = term.lease();
        let renewed = tokio::time::timeout(ttl / PATIENCE, shared.means.store.renew(&lease)).await;
        pause = match renewed {
            Ok(Ok(renewed)) => {
                term.renew(renewed);
                ttl / RENEWALS
            }
            Ok(Err(RenewError::Lost { .. })) => return,
            Ok(Err(error @ RenewError::Unavailable(_))) => {
                tracing::warn!(error = chain(&error), "the lease was not renewed");
                ttl / RENEWALS / 4
            }
            Err(_elapsed) => {
                tracing::warn!("the journal does not answer for the lease");
                ttl / RENEWALS / 4
            }
        };
        if term.left().is_zero() {
            return;
        }
    }
}

/// Gives the lease back, so that the next daemon need not wait for its end.
async fn give_back(shared: &Shared, tenure: &Tenure) {
    let lease = tenure.term.lease();
    let limit = shared.settings.limits.write_timeout;
    match tokio::time::timeout(limit, shared.means.store.release(&lease)).await {
        Ok(Ok(())) => tracing::info!("the lease was given back"),
        Ok(Err(error)) => tracing::warn!(error = chain(&error), "the lease was not given back"),
        Err(_elapsed) => tracing::warn!("the journal does not answer; the lease ends by itself"),
    }
}
