//! Credentials that are fetched apart from the calls that need them.
//!
//! A source may take longer than a call: an SSO login, a command, an instance role. The SDK fetches within a call's own
//! limit and drops what is under way when that ends: slow credentials would never come, and a call that was not even
//! sent would count as one that may have happened. Here a fetch runs by itself; a call waits for it a little, and is
//! told what it is.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Fetched, SharedCredentialsProvider, future,
};
use segue_engine::ports::chain;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// One fetch may take so long: a command starts slowly, a login service is slow to answer.
const FETCH_MAX: Duration = Duration::from_secs(30);
/// Newer ones are fetched when those that are there have no longer than this.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// Those that never expire are asked for again after this: a source may have others by then.
const KEPT_FOR: Duration = Duration::from_mins(15);
/// While there are good ones, newer ones are fetched no more often.
const RENEW_PAUSE: Duration = Duration::from_secs(30);
/// With less left they are not used: a call must reach AWS before they expire.
const USABLE_FOR: Duration = Duration::from_secs(10);

/// Keeps what a source gave. A call waits for it no longer than `wait`.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    source: SharedCredentialsProvider,
    wait: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    /// Of a fetch that failed, until somebody was told: who waited for it may have gone.
    failed: Option<(Instant, CredentialsError)>,
    fetch: Option<Fetch>,
}

#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    at: Instant,
}

/// The last fetch.
#[derive(Debug)]
struct Fetch {
    began: Instant,
    /// How it ended; closed when it has.
    told: watch::Receiver<Option<Told>>,
}

type Told = Result<Credentials, Arc<CredentialsError>>;

/// What whoever asks gets.
enum Next {
    Here(Fetched),
    Coming(watch::Receiver<Option<Told>>),
}

impl Keeper {
    pub(crate) fn new(source: SharedCredentialsProvider, wait: Duration) -> Self {
        Self { source, wait, state: Arc::default() }
    }

    /// Fetches, and waits for the end of it, however it ends: the calls that come are told.
    pub(crate) async fn fetch(&self) {
        let mut told = self.under_way(&mut self.lock());
        drop(told.wait_for(Option::is_some).await);
    }

    /// Begins to fetch: whoever asks first need not wait as long.
    pub(crate) fn begin(&self) {
        drop(self.under_way(&mut self.lock()));
    }

    async fn ask(&self) -> Fetched {
        let mut told = match self.next() {
            Next::Here(fetched) => return fetched,
            Next::Coming(told) => told,
        };
        match timeout(self.wait, told.wait_for(Option::is_some)).await {
            Ok(Ok(told)) => match told.clone() {
                Some(Ok(credentials)) => Ok(credentials),
                Some(Err(error)) => {
                    self.lock().failed = None;
                    Err(again(&error))
                }
                None => Err(CredentialsError::unhandled("their source ended without a word")),
            },
            Ok(Err(_broken)) => Err(CredentialsError::unhandled("their source broke down")),
            Err(_elapsed) => Err(CredentialsError::provider_timed_out(self.wait)),
        }
    }

    /// What is there, or else the fetch that is to bring it. Good ones serve while newer ones are fetched.
    fn next(&self) -> Next {
        let mut state = self.lock();
        let kept = state.kept.as_ref().filter(|kept| left(&kept.credentials) > USABLE_FOR);
        if let Some(kept) = kept {
            let credentials = kept.credentials.clone();
            let is_tried = state.fetch.as_ref().is_some_and(|fetch| fetch.began.elapsed() < RENEW_PAUSE);
            if kept.is_to_be_renewed() && !is_tried {
                drop(self.under_way(&mut state));
            }
            return Next::Here(Ok(credentials));
        }
        match state.failed.take() {
            // An old failure says nothing of today.
            Some((at, failed)) if at.elapsed() < RENEW_PAUSE => Next::Here(Err(failed)),
            Some(_) | None => Next::Coming(self.under_way(&mut state)),
        }
    }

    /// The fetch that is under way, or a new one.
    fn under_way(&self, state: &mut State) -> watch::Receiver<Option<Told>> {
        if let Some(fetch) = state.fetch.as_ref().filter(|fetch| fetch.told.has_changed().is_ok()) {
            return fetch.told.clone();
        }
        let (tell, told) = watch::channel(None);
        state.fetch = Some(Fetch { began: Instant::now(), told: told.clone() });
        let keeper = self.clone();
        // Nobody's impatience ends it; its own limit does.
        tokio::spawn(async move {
            let fetched = timeout(FETCH_MAX, keeper.source.provide_credentials()).await;
            let fetched = fetched.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(FETCH_MAX)));
            keeper.end(&tell, fetched);
        });
        told
    }

    fn end(&self, tell: &watch::Sender<Option<Told>>, fetched: Fetched) {
        let mut state = self.lock();
        let told = match fetched {
            Ok(credentials) => {
                state.failed = None;
                state.kept = Some(Kept { credentials: credentials.clone(), at: Instant::now() });
                Ok(credentials)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), again(&error)));
                Err(Arc::new(error))
            }
        };
        tell.send_replace(Some(told));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for Keeper {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

impl Kept {
    fn is_to_be_renewed(&self) -> bool {
        left(&self.credentials) < RENEW_BEFORE || self.at.elapsed() > KEPT_FOR
    }
}

/// By the wall clock, which is what they expire by.
fn left(credentials: &Credentials) -> Duration {
    let Some(expiry) = credentials.expiry() else { return Duration::MAX };
    expiry.elapsed().map_or_else(|ahead| ahead.duration(), |_expired| Duration::ZERO)
}

/// The same for another one who waited: the SDK's error cannot be copied.
fn again(error: &CredentialsError) -> CredentialsError {
    let why = error.source().map_or_else(|| error.to_string(), chain);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => CredentialsError::not_loaded(why),
        CredentialsError::ProviderTimedOut(late) => {
            CredentialsError::provider_timed_out(late.timeout_duration())
        }
        CredentialsError::InvalidConfiguration(_) => CredentialsError::invalid_configuration(why),
        CredentialsError::ProviderError(_) => CredentialsError::provider_error(why),
        CredentialsError::Unhandled(_) | _ => CredentialsError::unhandled(why),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::sleep;

    use super::*;

    const WAIT: Duration = Duration::from_secs(1);

    /// Takes its time, and fails as often as it is to.
    #[derive(Debug)]
    struct Slow {
        takes: Duration,
        fails: u32,
        asked: Arc<AtomicU32>,
    }

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                let before = self.asked.fetch_add(1, Ordering::Relaxed);
                sleep(self.takes).await;
                match before < self.fails {
                    true => Err(CredentialsError::not_loaded("nobody is logged in")),
                    false => Ok(Credentials::new("AKIDTEST", "secret", None, None, "test")),
                }
            })
        }
    }

    fn keeper(takes: Duration, fails: u32) -> (Keeper, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let slow = Slow { takes, fails, asked: Arc::clone(&asked) };
        (Keeper::new(SharedCredentialsProvider::new(slow), WAIT), asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_takes_longer_than_a_call_is_asked_once_and_its_answer_comes() {
        let (keeper, asked) = keeper(Duration::from_secs(5), 0);
        for _ in 0..4 {
            let late = keeper.ask().await.expect_err("it takes five seconds");
            assert!(matches!(late, CredentialsError::ProviderTimedOut(_)), "{late:?}");
        }
        sleep(WAIT).await;
        keeper.ask().await.expect("they have come");
        keeper.ask().await.expect("and stay");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_nobody_waited_for_is_told_to_the_next_one() {
        let (keeper, asked) = keeper(Duration::from_secs(5), 1);
        drop(keeper.ask().await.expect_err("it takes five seconds"));
        sleep(Duration::from_secs(5)).await;
        let failed = keeper.ask().await.expect_err("it failed");
        assert!(matches!(failed, CredentialsError::CredentialsNotLoaded(_)), "{failed:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        keeper.fetch().await;
        keeper.ask().await.expect("somebody has logged in");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_together_are_told_together() {
        let (keeper, asked) = keeper(Duration::from_millis(100), 1);
        let all = futures_util::future::join_all((0..9).map(|_| keeper.ask())).await;
        assert!(all.iter().all(|told| matches!(told, Err(CredentialsError::CredentialsNotLoaded(_)))));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        keeper.ask().await.expect("nobody is told of it twice");
    }

    #[tokio::test(start_paused = true)]
    async fn good_ones_serve_while_newer_ones_are_fetched() {
        let (keeper, asked) = keeper(Duration::from_secs(5), 0);
        keeper.fetch().await;
        sleep(KEPT_FOR + WAIT).await;
        for _ in 0..3 {
            keeper.ask().await.expect("they are good still");
            sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_is_given_up_and_asked_again() {
        let (keeper, asked) = keeper(Duration::from_hours(1), 0);
        keeper.fetch().await;
        let failed = keeper.ask().await.expect_err("it was given up");
        assert!(matches!(failed, CredentialsError::ProviderTimedOut(_)), "{failed:?}");
        drop(keeper.ask().await.expect_err("it is asked again"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
