//! The choke point: counts every call, and is where calls fail and daemons die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::method::Method;
use crate::ports::{CallError, Class};

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
    pub method: Method,
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
    calls: BTreeMap<Method, u64>,
    /// Places at which a daemon can die and leave something else behind than at the place before.
    points: Vec<Place>,
    /// All places: two for each call.
    places: u64,
    /// The time of the last place, if nothing was changed since: another one now is the same place.
    quiet_since_ms: Option<u64>,
    /// Places that were passed, whatever was left behind: the first of each is visited all the same.
    known: BTreeSet<Place>,
    crash_at_points: BTreeSet<u64>,
    deaths: Vec<Place>,
    faults: Vec<Fault>,
}

impl Choke {
    /// Calls of a method so far.
    pub fn calls(&self, method: Method) -> u64 {
        self.lock().calls.get(&method).copied().unwrap_or(0)
    }

    /// Places at which a daemon can die that were passed so far. Readings that follow one another in the same
    /// instant are one: whichever of them is the last, the same world and the same journal are left. Only the
    /// first reading of each kind is always one of its own.
    pub fn points(&self) -> Vec<Place> {
        self.lock().points.clone()
    }

    /// All places that were passed so far, before and after each call.
    pub fn places(&self) -> u64 {
        self.lock().places
    }

    /// The daemon that passes this point dies there. Counts from 1, over all lives.
    pub fn crash_at_point(&self, point: u64) {
        self.lock().crash_at_points.insert(point);
    }

    /// Where daemons died because they were made to, in order.
    pub fn deaths(&self) -> Vec<Place> {
        self.lock().deaths.clone()
    }

    pub fn add(&self, method: Method, nth: Nth, what: What) {
        self.lock().faults.push(Fault { method, nth, what });
    }

    /// Takes every fault of a method away.
    pub fn heal(&self, method: Method) {
        self.lock().faults.retain(|fault| fault.method != method);
    }

    /// Counts the call; its number, from 1.
    pub(crate) fn enter(&self, method: Method) -> u64 {
        let mut inner = self.lock();
        let calls = inner.calls.entry(method).or_default();
        *calls += 1;
        *calls
    }

    pub(crate) async fn before(
        &self,
        life: &Life,
        method: Method,
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
        method: Method,
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

    fn breaks_down(&self, method: Method, nth: u64) -> bool {
        let inner = self.lock();
        inner.faults.iter().any(|fault| fault.hits(method, nth) && fault.what == What::Panic)
    }

    fn lateness(&self, method: Method, nth: u64) -> Duration {
        let inner = self.lock();
        let late = inner.faults.iter().filter(|fault| fault.hits(method, nth));
        let late = late.filter_map(|fault| if let What::Late(late) = fault.what { Some(late) } else { None });
        late.max().unwrap_or_default()
    }

    fn pass(&self, method: Method, nth: u64, when: When, now_ms: u64) -> (bool, Option<CallError>) {
        let mut inner = self.lock();
        let mut crash = inner.dies_here(Place { when, method }, now_ms);
        let mut failure = None;
        for fault in inner.faults.iter().filter(|fault| fault.hits(method, nth)) {
            match (&fault.what, when) {
                (What::FailBefore(class), When::Before) => {
                    let what = format!("{method} was made to fail");
                    failure = Some(CallError { class: *class, what, lack: None });
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

/// On which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    Before,
    After,
}

/// Where a daemon can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub when: When,
    pub method: Method,
}

impl Inner {
    /// Whether this is the place at which the daemon is to die.
    fn dies_here(&mut self, place: Place, now_ms: u64) -> bool {
        self.places += 1;
        let is_first = self.known.insert(place);
        let is_quiet = place.method.reads();
        let is_same = is_quiet && self.quiet_since_ms == Some(now_ms);
        self.quiet_since_ms = is_quiet.then_some(now_ms);
        if is_same && !is_first {
            return false;
        }
        self.points.push(place);
        let point = u64::try_from(self.points.len()).unwrap_or(u64::MAX);
        let dies = self.crash_at_points.remove(&point);
        if dies {
            self.deaths.push(place);
        }
        dies
    }
}

impl Fault {
    fn hits(&self, method: Method, nth: u64) -> bool {
        self.method == method
            && match self.nth {
                Nth::Only(only) => only == nth,
                Nth::Each => true,
            }
    }
}
