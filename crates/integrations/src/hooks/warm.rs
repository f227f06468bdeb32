//! Requests until an instance is fast enough.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::StatusCode;
use segue_domain::service::WarmSpec;
use segue_engine::ports::{CallError, Target, chain};
use tokio::time::Instant;
use url::Url;

use super::SystemHooks;
use crate::http;

/// Answers that the median is taken of.
const WINDOW: usize = 10;
/// A warm-up page may be a whole board.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Why an answer did not count.
enum Miss {
    NotConnected(String),
    Failed(String),
}

impl SystemHooks {
    /// One request after the other, as long as there is time. An answer that is no success begins the count anew: a
    /// server that still fails now and then is not warm.
    pub(super) async fn warm(&self, at: &Target, spec: &WarmSpec) -> Result<(), CallError> {
        let url = url(at, self.port, &spec.path)?;
        let enough = Duration::from_millis(u64::from(spec.median_ms));
        let began = Instant::now();
        let mut window = Window::default();
        let mut last_miss = None;
        let mut sent = 0;
        while sent < spec.requests && began.elapsed() < self.limits.warm {
            sent += 1;
            match self.request(&url).await {
                Ok(took) => {
                    window.push(took);
                    if window.is_full() && window.median() <= Some(enough) {
                        return Ok(());
                    }
                }
                Err(miss) => {
                    window = Window::default();
                    last_miss = Some(miss);
                    tokio::time::sleep(self.limits.pause).await;
                }
            }
        }
        let tried = if sent == spec.requests {
            format!("{sent} requests")
        } else {
            format!("{} s, in which it took {sent} of {} requests", began.elapsed().as_secs(), spec.requests)
        };
        Err(never(at, spec, &tried, &window, last_miss))
    }

    /// How long a whole answer took.
    async fn request(&self, url: &Url) -> Result<Duration, Miss> {
        let began = Instant::now();
        let answering = async {
            let response = self.http.get(url.clone()).send().await.map_err(|error| {
                let connect = error.is_connect();
                let what = chain(&error.without_url());
                if connect { Miss::NotConnected(what) } else { Miss::Failed(what) }
            })?;
            let status = response.status();
            let body = http::body(response, BODY_MAX).await;
            body.map_err(|error| Miss::Failed(chain(&error)))?;
            if status.is_success() { Ok(()) } else { Err(answered(status)) }
        };
        match tokio::time::timeout(self.limits.request, answering).await {
            Ok(answered) => answered.map(|()| began.elapsed()),
            Err(_elapsed) => {
                Err(Miss::Failed(format!("no answer within {} ms", self.limits.request.as_millis())))
            }
        }
    }
}

fn answered(status: StatusCode) -> Miss {
    Miss::Failed(format!("it answered {status}"))
}

fn url(at: &Target, port: u16, path: &str) -> Result<Url, CallError> {
    let bad = |why: String| CallError::refused(format!("{} has no page {path:?}: {why}", at.instance));
    if !path.starts_with('/') {
        return Err(bad("a path begins with a slash".to_owned()));
    }
    let server = http::server(&at.address, port).map_err(|error| bad(error.to_string()))?;
    let url = server.join(path).map_err(|error| bad(error.to_string()))?;
    // `//host/…` would lead elsewhere.
    if url.host() == server.host() { Ok(url) } else { Err(bad("it leads to another server".to_owned())) }
}

fn never(at: &Target, spec: &WarmSpec, tried: &str, window: &Window, last_miss: Option<Miss>) -> CallError {
    let wanted = format!("{} was not warm after {tried}", at.instance);
    match (window.median(), last_miss) {
        (None, Some(Miss::NotConnected(why))) => {
            CallError::retry(format!("{wanted}, the last failed: {why}"))
        }
        (None, Some(Miss::Failed(why))) => CallError::refused(format!("{wanted}, the last failed: {why}")),
        (None, None) => CallError::refused(wanted),
        (Some(median), _) => {
            let (median_ms, limit_ms) = (median.as_millis(), spec.median_ms);
            let of = window.0.len();
            CallError::refused(format!(
                "{wanted}, the median of the last {of} answers is {median_ms} ms, the limit {limit_ms} ms of {WINDOW}"
            ))
        }
    }
}

/// The last answers' times.
#[derive(Debug, Default)]
struct Window(VecDeque<Duration>);

impl Window {
    fn push(&mut self, took: Duration) {
        if self.is_full() {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    fn is_full(&self) -> bool {
        self.0.len() >= WINDOW
    }

    /// The upper one of the two in the middle.
    fn median(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::routing::get;
    use segue_domain::ids::InstanceId;
    use segue_engine::ports::{Class, Hooks};

    use super::*;
    use crate::hooks::HookLimits;
    use crate::stub;

    fn at() -> Target {
        Target { instance: InstanceId::new("i-a"), address: "127.0.0.1".to_owned(), generation: 1 }
    }

    fn hooks(server: &Url) -> SystemHooks {
        let limits = HookLimits {
            request: Duration::from_millis(200),
            pause: Duration::from_millis(1),
            ..HookLimits::default()
        };
        SystemHooks::new(stub::client()).with_port(server.port().expect("a port")).with_limits(limits)
    }

    fn spec(requests: u32, median_ms: u32) -> WarmSpec {
        WarmSpec { path: "/warm?deep=1".to_owned(), requests, median_ms }
    }

    /// Answers 503 so many times, then 200; counts the requests.
    async fn failing_at_first(failures: usize) -> (Url, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let page = get(move || async move {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            if before < failures { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        });
        (stub::serve(Router::new().route("/warm", page)).await, count)
    }

    #[tokio::test]
    async fn ten_fast_answers_in_a_row_are_enough() {
        let (server, count) = failing_at_first(3).await;
        assert_eq!(hooks(&server).warm_up(&at(), &spec(100, 5_000)).await, Ok(()));
        assert_eq!(count.load(Ordering::Relaxed), 13);
    }

    #[tokio::test]
    async fn a_server_that_never_gets_fast_is_refused_with_its_median() {
        let (server, count) = failing_at_first(0).await;
        let failed = hooks(&server).warm_up(&at(), &spec(25, 0)).await.expect_err("never fast enough");
        assert_eq!(failed.class, Class::Refused);
        assert!(failed.what.contains("median of the last 10"), "{failed}");
        assert_eq!(count.load(Ordering::Relaxed), 25);
    }

    #[tokio::test]
    async fn a_server_that_is_slow_for_ever_is_refused_with_its_reason_when_time_is_over() {
        let (server, _) = failing_at_first(usize::MAX).await;
        let limits = HookLimits { warm: Duration::from_millis(50), ..hooks(&server).limits };
        let hooks = hooks(&server).with_limits(limits);
        let failed = hooks.warm_up(&at(), &spec(100_000, 5_000)).await.expect_err("time is over");
        assert_eq!(failed.class, Class::Refused);
        for words in ["of 100000 requests", "the last failed: it answered 503"] {
            assert!(failed.what.contains(words), "{failed}");
        }
    }

    #[tokio::test]
    async fn too_few_answers_are_not_enough_however_fast_they_are() {
        let (server, _) = failing_at_first(0).await;
        let failed = hooks(&server).warm_up(&at(), &spec(9, 5_000)).await.expect_err("too few");
        assert_eq!(failed.class, Class::Refused, "{failed}");
    }

    #[tokio::test]
    async fn a_server_that_fails_is_refused_and_one_that_is_not_there_may_come() {
        let (failing, _) = failing_at_first(usize::MAX).await;
        let table = [
            (failing, Class::Refused, "503"),
            (stub::silent().await, Class::Refused, "no answer within 200 ms"),
            (stub::cutting().await, Class::Refused, "broke"),
            (stub::absent().await, Class::Retry, "last failed"),
        ];
        for (server, class, words) in table {
            let failed = hooks(&server).warm_up(&at(), &spec(2, 5_000)).await.expect_err(words);
            assert_eq!(failed.class, class, "{failed}");
            assert!(failed.what.contains(words), "{failed}");
        }
    }

    #[tokio::test]
    async fn a_path_leads_nowhere_but_to_the_instance() {
        let (server, count) = failing_at_first(0).await;
        for path in ["warm", "http://elsewhere/", "//elsewhere/warm"] {
            let spec = WarmSpec { path: path.to_owned(), ..spec(10, 5_000) };
            let failed = hooks(&server).warm_up(&at(), &spec).await.expect_err(path);
            assert_eq!(failed.class, Class::Refused, "{failed}");
        }
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
