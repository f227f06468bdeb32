//! The lease's keeper: waits for the lease, works under it, renews it, and drops everything when it is lost.

use std::sync::Arc;
use std::time::Duration;

use segue_journal::{AcquireError, Lease, RenewError};
use tokio::sync::watch;

use super::tenure::{Tasks, Tenure};
use super::{Shared, Waits};
use crate::outside::{Limits, Term};
use crate::ports::chain;
use crate::service::told_to;

/// From one try to get the lease to the next.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A daemon that gave the lease up leaves it to others for so long: who waits asks every second, and a database may
/// take four to answer.
const STAND_BACK: Duration = Duration::from_secs(6);
/// The lease is renewed so many times in its time to live.
const RENEWALS: u32 = 3;
/// What a renewal's answer may take, as a part of the time to live.
const PATIENCE: u32 = 6;

/// What an engine that is told to stop may take altogether: what is under way ends within [`ends_within`], and the
/// lease is given back in what is left.
pub(super) fn grace(limits: &Limits) -> Duration {
    limits.write_timeout.saturating_mul(2)
}

/// One call, and the journal's word on it. Whatever takes longer is cut off, as if the daemon had died.
fn ends_within(limits: &Limits) -> Duration {
    limits.write_timeout.saturating_mul(3) / 2
}

/// A renewal that got no answer, and its second try, come so late; of what the holder may use then, a call's
/// time must be left.
pub(super) fn shortest_ttl(call: Duration) -> Duration {
    // 9/10 are usable; 1/3 to the renewal, 1/6 for its answer, 1/12 to the second try: 19/60 are left.
    call * 60 / 19 + Duration::from_secs(1)
}

/// However the keeper ends, in good order or by a defect: nobody goes on as if the lease was renewed.
struct Kept(Arc<Shared>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.tenure.send_replace(None);
        self.0.is_unkept.send_replace(true);
    }
}

/// Keeps going from term to term, until it is told to stop.
pub(super) async fn keep(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let _kept = Kept(Arc::clone(&shared));
    let mut floor = 0;
    while let Some(lease) = acquire(&shared, floor, &mut stop).await {
        tracing::info!(epoch = lease.epoch(), "the lease is held");
        let term = Arc::new(Term::new(lease));
        // Whatever is done under the lease is done beside its renewal, and dropped with it.
        let has_worked = tokio::select! {
            biased;
            () = renew_until_over(&shared, &term) => {
                tracing::error!("the lease was lost; everything is dropped");
                true
            }
            has_worked = serve(&shared, &term, &mut stop) => has_worked,
        };
        shared.tenure.send_replace(None);
        term.lose();
        floor = term.highest_seen();
        let given_up = term.given_up();
        if let Some(why) = given_up {
            shared.gave_up.send_replace(Some(why));
            if has_worked {
                // A call that was dropped may land yet: nobody else acts before it has.
                tokio::time::sleep(shared.settings.limits.write_timeout).await;
            }
            let is_free = give_back(&shared, &term).await;
            stand_back(&shared, is_free, &mut stop).await;
        } else if *stop.borrow() {
            give_back(&shared, &term).await;
        }
    }
}

/// Leaves the lease to whoever can work under it. The same owner would get it again at once, for ever, and another
/// one never. Where it could not be given back, it runs out first.
async fn stand_back(shared: &Shared, is_free: bool, stop: &mut watch::Receiver<bool>) {
    let ends = if is_free { Duration::ZERO } else { shared.settings.lease_ttl };
    tokio::select! {
        biased;
        () = told_to(stop) => {}
        () = tokio::time::sleep(ends + STAND_BACK) => {}
    }
}

/// The lease with an epoch above `floor`, or none when it is told to stop before.
async fn acquire(shared: &Shared, floor: u64, stop: &mut watch::Receiver<bool>) -> Option<Lease> {
    let settings = &shared.settings;
    let mut told = false;
    loop {
        if *stop.borrow_and_update() {
            return None;
        }
        let (scope, owner, ttl) = (&settings.scope, &settings.owner, settings.lease_ttl);
        match shared.means.store.acquire_above(scope, owner, ttl, floor).await {
            Ok(lease) => {
                shared.waits.send_replace(Waits::Nobody);
                return Some(lease);
            }
            Err(AcquireError::Held { owner, left_ms, .. }) => {
                if told {
                    tracing::debug!(%owner, left_ms, "waiting for the lease");
                } else {
                    // Once: it may wait for as long as the other one lives.
                    tracing::warn!(%owner, "another daemon works on this journal; this one waits for the lease");
                    told = true;
                }
                shared.wait_for(Waits::For(owner));
            }
            Err(error @ AcquireError::Unavailable(_)) => {
                tracing::warn!(error = chain(&error), "the journal gives no lease");
                shared.wait_for(Waits::Troubled("the journal gives no lease".to_owned()));
            }
        }
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

/// Takes the services up and carries them, until it is told to stop or the journal cannot be read. Whether it came to
/// work at all.
async fn serve(shared: &Shared, term: &Arc<Term>, stop: &mut watch::Receiver<bool>) -> bool {
    let opened = tokio::select! {
        biased;
        () = told_to(stop) => return false,
        opened = Tenure::open(shared, term) => opened,
    };
    let tenure = match opened {
        Ok(tenure) => Arc::new(tenure),
        Err(error) => {
            tracing::error!(error = chain(&error), "the service cannot be taken up; the lease is given up");
            term.give_up(error.why());
            return false;
        }
    };
    shared.gave_up.send_replace(None);
    shared.tenure.send_replace(Some(Arc::clone(&tenure)));
    let mut late = stop.clone();
    let mut tasks = Tasks::begin(&tenure, stop);
    let ended = async {
        // Desks end by themselves when they are told to stop; with none of them, there is still the lease to keep.
        tasks.watch_over().await;
        told_to(stop).await;
        // Nobody asks for anything more, and what was asked for may end.
        shared.tenure.send_replace(None);
        tenure.requests.all_ended().await;
    };
    let is_late = async {
        told_to(&mut late).await;
        tokio::time::sleep(ends_within(&shared.settings.limits)).await;
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = is_late => tracing::warn!("not everything that was under way ended in time; it is cut off"),
    }
    // Somebody may still hold the tenure.
    shared.tenure.send_replace(None);
    tenure.requests.cut_off();
    true
}

/// Returns when the term is over, or may be: at its deadline even while the journal owes an answer.
async fn renew_until_over(shared: &Shared, term: &Term) {
    tokio::select! {
        biased;
        () = term.end() => {}
        () = renew_until_refused(shared, term) => {}
    }
}

async fn renew_until_refused(shared: &Shared, term: &Term) {
    let ttl = shared.settings.lease_ttl;
    let mut pause = ttl / RENEWALS;
    loop {
        tokio::time::sleep(pause).await;
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
    }
}

/// Gives the lease back, so that the next daemon need not wait for its end. Whether nobody has it now by this term.
async fn give_back(shared: &Shared, term: &Term) -> bool {
    let lease = term.lease();
    let limits = &shared.settings.limits;
    let limit = grace(limits).saturating_sub(ends_within(limits));
    match tokio::time::timeout(limit, shared.means.store.release(&lease)).await {
        Ok(Ok(())) => {
            tracing::info!("the lease was given back");
            return true;
        }
        Ok(Err(error @ RenewError::Lost { .. })) => {
            tracing::warn!(error = chain(&error), "another one has the lease already");
            return true;
        }
        Ok(Err(error @ RenewError::Unavailable(_))) => {
            tracing::warn!(error = chain(&error), "the lease was not given back");
        }
        Err(_elapsed) => tracing::warn!("the journal does not answer; the lease ends by itself"),
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_renewal_leaves_the_time_of_one_call() {
        let call = Limits::default().write_timeout;
        let ttl = shortest_ttl(call);
        assert!(ttl < Duration::from_secs(30), "what daemons hold is enough: {ttl:?}");
        let late = ttl / RENEWALS + ttl / PATIENCE + ttl / RENEWALS / 4;
        let left = (ttl * 9 / 10).saturating_sub(late);
        assert!(left > call, "{left:?} are left");
    }
}
