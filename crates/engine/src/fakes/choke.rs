//! The choke point: counts every call, and is where calls fail and daemons die.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::ports::{CallError, Class};

/// Calls that change nothing.
const READINGS: [&str; 12] = [
    "images",
    "instances",
    "free_addresses",
    "template_exists",
    "targets",
    "weights",
    "boards_metric",
    "vitals",
    "status",
    "boards",
    "owned_by",
    "page",
];

/// One life of a daemon, from its start to its death.
#[derive(Debug, Clone)]
pub struct Life {
    dead: Arc<watch::Sender<bool>>,
}

impl Default for Life {
    fn default() -> Self {
        Self { dead: Arc::new(watch::Sender::new(false)) }
    }
}

impl Life {
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on not one of its calls goes through, and none returns.
    pub fn kill(&self) {
        self.dead.send_replace(true);
    }

    pub fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Returns when it is dead.
    pub async fn death(&self) {
        // The sender is this very life's.
        drop(self.dead.subscribe().wait_for(|is_dead| *is_dead).await);
    }

    async fn unless_dead(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

/// Something that goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub method: &'static str,
    pub nth: Nth,
    pub what: What,
}

/// Which calls of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    /// Counts from 1, over all lives.
    Only(u64),
    Each,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The call fails and has no effect.
    FailBefore(Class),
    /// The call has its effect, and its answer is lost.
    FailAfter,
    Refuse(String),
    /// The call waits this long before it has its effect.
    Late(Duration),
    /// The call has no effect and breaks down: a bug of its adapter.
    Panic,
    /// The daemon dies and the call has no effect.
    CrashBefore,
    /// The call has its effect, and the daemon dies before it hears of it.
    CrashAfter,
}

/// Counts calls and lets them go wrong.
#[derive(Debug, Default)]
pub struct Choke {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: BTreeMap<&'static str, u64>,
    /// Places at which a daemon can die and leave something else behind than at the place before.
    points: u64,
    /// All places: two for each call.
    places: u64,
    /// The time of the last place, if nothing was changed since: another one now is the same place.
    quiet_since_ms: Option<u64>,
    crash_at_point: Option<u64>,
    faults: Vec<Fault>,
}

impl Choke {
    /// Calls of a method so far.
    pub fn calls(&self, method: &str) -> u64 {
        self.lock().calls.get(method).copied().unwrap_or(0)
    }

    /// Places at which a daemon can die that were passed so far. Readings that follow one another in the same
    /// instant are one: whichever of them is the last, the same world and the same journal are left.
    pub fn points(&self) -> u64 {
        self.lock().points
    }

    /// All places that were passed so far, before and after each call.
    pub fn places(&self) -> u64 {
        self.lock().places
    }

    /// The daemon that passes this place next dies there. Counts from 1.
    pub fn crash_at_point(&self, point: u64) {
        self.lock().crash_at_point = Some(point);
    }

    pub fn add(&self, method: &'static str, nth: Nth, what: What) {
        self.lock().faults.push(Fault { method, nth, what });
    }

    /// Takes every fault of a method away.
    pub fn heal(&self, method: &str) {
        self.lock().faults.retain(|fault| fault.method != method);
    }

    /// Counts the call; its number, from 1.
    pub(crate) fn enter(&self, method: &'static str) -> u64 {
        let mut inner = self.lock();
        let calls = inner.calls.entry(method).or_default();
        *calls += 1;
        *calls
    }

    pub(crate) async fn before(
        &self,
        life: &Life,
        method: &str,
        nth: u64,
        now_ms: u64,
    ) -> Result<(), CallError> {
        let late = self.lateness(method, nth);
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        assert!(!self.breaks_down(method, nth), "{method} was made to break down");
        Self::at(life, self.pass(method, nth, When::Before, now_ms)).await
    }

    pub(crate) async fn after(
        &self,
        life: &Life,
        method: &str,
        nth: u64,
        now_ms: u64,
    ) -> Result<(), CallError> {
        Self::at(life, self.pass(method, nth, When::After, now_ms)).await
    }

    async fn at(life: &Life, (crash, fault): (bool, Option<CallError>)) -> Result<(), CallError> {
        if crash {
            life.kill();
        }
        life.unless_dead().await;
        fault.map_or(Ok(()), Err)
    }

    fn breaks_down(&self, method: &str, nth: u64) -> bool {
        let inner = self.lock();
        inner.faults.iter().any(|fault| fault.hits(method, nth) && fault.what == What::Panic)
    }

    fn lateness(&self, method: &str, nth: u64) -> Duration {
        let inner = self.lock();
        let late = inner.faults.iter().filter(|fault| fault.hits(method, nth));
        let late = late.filter_map(|fault| if let What::Late(late) = fault.what { Some(late) } else { None });
        late.max().unwrap_or_default()
    }

    fn pass(&self, method: &str, nth: u64, when: When, now_ms: u64) -> (bool, Option<CallError>) {
        let mut inner = self.lock();
        let mut crash = inner.dies_here(method, now_ms);
        let mut failure = None;
        for fault in inner.faults.iter().filter(|fault| fault.hits(method, nth)) {
            match (&fault.what, when) {
                (What::FailBefore(class), When::Before) => {
                    failure = Some(CallError { class: *class, what: format!("{method} was made to fail") });
                }
                (What::Refuse(why), When::Before) => failure = Some(CallError::refused(why.clone())),
                (What::FailAfter, When::After) => {
                    failure = Some(CallError::unknown(format!("the answer of {method} was lost")));
                }
                (What::CrashBefore, When::Before) | (What::CrashAfter, When::After) => crash = true,
                (What::FailBefore(_) | What::Refuse(_) | What::CrashBefore, When::After)
                | (What::FailAfter | What::CrashAfter, When::Before)
                | (What::Late(_) | What::Panic, When::Before | When::After) => {}
            }
        }
        (crash, failure)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

impl Inner {
    /// Whether this is the place at which the daemon is to die.
    fn dies_here(&mut self, method: &str, now_ms: u64) -> bool {
        self.places += 1;
        let is_quiet = READINGS.contains(&method);
        let is_same = is_quiet && self.quiet_since_ms == Some(now_ms);
        self.quiet_since_ms = is_quiet.then_some(now_ms);
        if is_same {
            return false;
        }
        self.points += 1;
        self.crash_at_point.take_if(|at| *at == self.points).is_some()
    }
}

impl Fault {
    fn hits(&self, method: &str, nth: u64) -> bool {
        self.method == method
            && match self.nth {
                Nth::Only(only) => only == nth,
                Nth::Each => true,
            }
    }
}
