//! The choke point: counts every call, and is where calls fail and daemons die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::method::{Method, Port};
use crate::ports::{CallError, Class};

/// One life of a daemon, from its start to its death.
#[derive(Debug, Clone)]
pub struct Life {
    dead: Arc<watch::Sender<bool>>,
    frozen_until: Arc<watch::Sender<Option<Instant>>>,
    /// What fails for this daemon, and for no other.
    failing: Arc<Mutex<BTreeSet<Method>>>,
    outdated: Arc<AtomicBool>,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            dead: Arc::new(watch::Sender::new(false)),
            frozen_until: Arc::new(watch::Sender::new(None)),
            failing: Arc::default(),
            outdated: Arc::default(),
        }
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

    /// From here on this method fails for this daemon: its own way there is cut, and nobody else's.
    pub fn cut_off(&self, method: Method) {
        self.failing().insert(method);
    }

    /// From here on the journal has records of a newer version than this daemon's.
    pub fn outdate(&self) {
        self.outdated.store(true, Ordering::Release);
    }

    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Acquire)
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, BTreeSet<Method>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As if its machine were suspended for so long: its calls stop on their way, and go on then.
    pub fn freeze(&self, time: Duration) {
        self.frozen_until.send_replace(Some(Instant::now() + time));
    }

    /// How long it stays frozen, if it is.
    pub(crate) fn frozen_for(&self) -> Option<Duration> {
        let until = *self.frozen_until.borrow();
        until.map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    async fn thawed(&self) {
        if let Some(left) = self.frozen_for() {
            tokio::time::sleep(left).await;
        }
    }

    /// Whoever is frozen between its last look at the lease and the call sends it when it goes on.
    async fn sends(&self, method: Method) {
        if self.frozen_for().is_some_and(|left| never_lands(method, left)) {
            std::future::pending::<()>().await;
        }
        self.thawed().await;
    }

    async fn unless_dead(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

/// At AWS nothing knows epochs, and the engine reckons with half a minute: what would change something there lands within
/// this, or never. Whoever is frozen for longer finds its call's time over when it goes on.
const LANDS_WITHIN: Duration = Duration::from_secs(20);

/// Whether a request that is on its way for so long is never heard.
pub(super) fn never_lands(method: Method, late: Duration) -> bool {
    matches!(method.port(), Port::Cloud | Port::LoadBalancer) && !method.reads() && late > LANDS_WITHIN
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
    /// The request is on its way for so long, whether or not anybody still waits for its answer; none comes.
    LandsLate(Duration),
    /// The call has no effect and breaks down: a bug of its adapter.
    Panic,
    /// The daemon dies and the call has no effect.
    CrashBefore,
    /// The call has its effect, and the daemon dies before it hears of it.
    CrashAfter,
}

/// One call, on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    pub method: Method,
    /// Counts from 1, over all lives.
    pub nth: u64,
    /// Milliseconds since the world began.
    pub now_ms: u64,
}

/// What goes wrong with calls that nobody named beforehand.
pub trait Weather: Send {
    /// Asked once for each call; it adds what the call meets.
    fn over(&mut self, site: &Site, met: &mut Vec<What>);
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
    weather: Option<Box<dyn Weather>>,
}

impl std::fmt::Debug for dyn Weather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Weather")
    }
}

impl Choke {
    /// From here on each call is shown to the weather.
    pub fn set_weather(&self, weather: Box<dyn Weather>) {
        self.lock().weather = Some(weather);
    }

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

    /// Counts the call, and settles what it meets.
    pub(crate) fn enter(&self, method: Method, now_ms: u64) -> Passing {
        let mut inner = self.lock();
        let calls = inner.calls.entry(method).or_default();
        *calls += 1;
        let nth = *calls;
        let named = inner.faults.iter().filter(|fault| fault.hits(method, nth));
        let mut met: Vec<What> = named.map(|fault| fault.what.clone()).collect();
        if let Some(weather) = &mut inner.weather {
            weather.over(&Site { method, nth, now_ms }, &mut met);
        }
        Passing { method, met }
    }

    pub(crate) async fn before(
        &self,
        life: &Life,
        passing: &Passing,
        now_ms: impl Fn() -> u64,
    ) -> Result<(), CallError> {
        let late = passing.lateness();
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        life.sends(passing.method).await;
        assert!(!passing.met.contains(&What::Panic), "{} was made to break down", passing.method);
        self.pass(life, passing, When::Before, now_ms()).await
    }

    pub(crate) async fn after(
        &self,
        life: &Life,
        passing: &Passing,
        now_ms: impl Fn() -> u64,
    ) -> Result<(), CallError> {
        life.thawed().await;
        self.pass(life, passing, When::After, now_ms()).await
    }

    async fn pass(&self, life: &Life, passing: &Passing, when: When, now_ms: u64) -> Result<(), CallError> {
        let place = Place { when, method: passing.method };
        let dies = {
            let mut inner = self.lock();
            let dies = inner.dies_here(place, now_ms) || passing.crashes(when);
            if dies {
                inner.deaths.push(place);
            }
            dies
        };
        if dies {
            life.kill();
        }
        life.unless_dead().await;
        if when == When::Before && life.failing().contains(&passing.method) {
            return Err(CallError::retry(format!("{} is cut off", passing.method)));
        }
        passing.failure(when).map_or(Ok(()), Err)
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
        self.crash_at_points.remove(&point)
    }
}

/// One call under way, and what it meets.
#[derive(Debug)]
pub(crate) struct Passing {
    method: Method,
    met: Vec<What>,
}

impl Passing {
    /// How long the request is on its way, when nobody will hear of it any more.
    pub(crate) fn lands_late(&self) -> Option<Duration> {
        self.met.iter().find_map(|what| if let What::LandsLate(late) = what { Some(*late) } else { None })
    }

    pub(crate) fn is_late(&self) -> bool {
        !self.lateness().is_zero()
    }

    fn lateness(&self) -> Duration {
        let late = |what: &What| if let What::Late(late) = what { Some(*late) } else { None };
        self.met.iter().filter_map(late).max().unwrap_or_default()
    }

    fn crashes(&self, when: When) -> bool {
        let crash = match when {
            When::Before => What::CrashBefore,
            When::After => What::CrashAfter,
        };
        self.met.contains(&crash)
    }

    /// The last of what makes it fail on this side.
    fn failure(&self, when: When) -> Option<CallError> {
        let method = self.method;
        let failure = |what: &What| match (what, when) {
            (What::FailBefore(class), When::Before) => {
                Some(CallError::of(*class, format!("{method} was made to fail")))
            }
            (What::Refuse(why), When::Before) => Some(CallError::refused(why.clone())),
            (What::FailAfter, When::After) => {
                Some(CallError::unknown(format!("the answer of {method} was lost")))
            }
            (What::FailBefore(_) | What::Refuse(_), When::After)
            | (What::FailAfter, When::Before)
            | (
                What::Late(_) | What::LandsLate(_) | What::Panic | What::CrashBefore | What::CrashAfter,
                When::Before | When::After,
            ) => None,
        };
        self.met.iter().rev().find_map(failure)
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
