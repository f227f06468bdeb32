//! One user: a session on one board, an edit now and then, a record of everything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use segue_handover::client::{Address, Session, Timing, Told};
use segue_handover::wire::{ClientId, Payload};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::live::{Pulse, micros};
use super::record::UserRecord;

/// Whether anybody edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Editing,
    Quiet,
}

/// A user is asked for the record: as soon as everything is durable, at the latest at `by`. When
/// nobody can ask any more, the user leaves.
#[derive(Debug)]
pub(super) struct Show {
    pub(super) by: Instant,
    pub(super) to: oneshot::Sender<UserRecord>,
}

/// Everything about a user that does not change.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) client: ClientId,
    pub(super) address: Address,
    /// The mean time between two edits.
    pub(super) edit_every: Duration,
    pub(super) seed: u64,
    /// How long a user who leaves waits for what is not durable.
    pub(super) patience: Duration,
    /// How long a server may say nothing.
    pub(super) silence: Duration,
}

struct User {
    session: Session,
    record: UserRecord,
    pulse: Arc<Pulse>,
    rng: fastrand::Rng,
    edit_every: Duration,
    next_edit: Instant,
    show: Option<Show>,
}

/// Lives until it is told to leave; returns its record.
pub(super) async fn live(
    plan: Plan,
    pulse: Arc<Pulse>,
    mut mode: watch::Receiver<Mode>,
    mut orders: mpsc::Receiver<Show>,
) -> UserRecord {
    let patience = plan.patience;
    let mut user = User::new(plan, pulse);
    loop {
        user.show_when_durable();
        let editing = *mode.borrow_and_update() == Mode::Editing && user.record.joined_us.is_some();
        let show_by = user.show.as_ref().map(|show| show.by);
        tokio::select! {
            told = user.session.next() => user.heard(&told),
            () = tokio::time::sleep_until(user.next_edit), if editing => user.edit(),
            () = at(show_by) => user.show_now(),
            changed = mode.changed() => if changed.is_err() { break },
            show = orders.recv() => match show {
                Some(show) => user.show = Some(show),
                None => break,
            },
        }
    }
    user.leave(patience).await
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl User {
    fn new(plan: Plan, pulse: Arc<Pulse>) -> Self {
        let Plan { client, address, edit_every, seed, patience: _, silence } = plan;
        let record = UserRecord::new(client.clone(), address.board.clone(), pulse.now_us());
        let mut rng = fastrand::Rng::with_seed(seed);
        let next_edit = Instant::now() + edit_every.mul_f64(rng.f64());
        let session = Session::connect(address, client, Timing { silence, ..Timing::default() });
        Self { session, record, pulse, rng, edit_every, next_edit, show: None }
    }

    fn heard(&mut self, told: &Told) {
        let now_us = self.pulse.now_us();
        if let Told::Joined { again, .. } = told {
            let counter = if *again == 0 { &self.pulse.clients } else { &self.pulse.reconnects };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let pulse = &self.pulse;
        self.record.heard(told, now_us, |latency_us| pulse.applied(now_us, latency_us));
    }

    /// Somebody moves a note on the board.
    fn edit(&mut self) {
        let (x, y) = (self.rng.u16(..), self.rng.u16(..));
        let payload = Payload::from_json(format!("{{\"note\":{},\"x\":{x},\"y\":{y}}}", self.rng.u8(..)))
            .expect("three numbers are JSON");
        let now_us = self.pulse.now_us();
        // A session that takes no more is full of edits that wait; the user waits too.
        if self.session.edit(payload).is_ok() {
            self.record.made(now_us);
        }
        self.next_edit = Instant::now() + self.edit_every.mul_f64(0.5 + self.rng.f64());
    }

    fn show_when_durable(&mut self) {
        if self.show.is_some() && self.session.unacknowledged() == 0 {
            self.show_now();
        }
    }

    fn show_now(&mut self) {
        if let Some(Show { to, .. }) = self.show.take() {
            // Whoever asked may have stopped waiting.
            drop(to.send(self.shown()));
        }
    }

    fn shown(&self) -> UserRecord {
        let without = self.session.presence().longest_without(Instant::now());
        let mut record = self.record.clone();
        record.without_socket_us_max = micros(without);
        record
    }

    async fn leave(mut self, patience: Duration) -> UserRecord {
        let Self { session, record, pulse, .. } = &mut self;
        let was_joined = record.joined_us.is_some();
        session
            .leave_within(patience, |told| {
                let now_us = pulse.now_us();
                record.heard(&told, now_us, |latency_us| pulse.applied(now_us, latency_us));
            })
            .await;
        if was_joined {
            pulse.clients.fetch_sub(1, Ordering::Relaxed);
        }
        record.left_us = Some(pulse.now_us());
        self.show_now();
        self.shown()
    }
}
