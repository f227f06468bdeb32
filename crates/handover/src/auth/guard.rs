//! Checks a call. One guard for each server: it remembers nonces and the highest generation.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use http::Method;

use super::{
    GENERATION_HEADER, INSTANCE_HEADER, Key, MAX_NONCE_LEN, MAX_SKEW_MS, NONCE_HEADER, SIGNATURE_HEADER,
    Signed, TIMESTAMP_HEADER, UnixMs,
};
use crate::wire::{Generation, Problem, ProblemCode, ServerId};

/// Why a call was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefusal {
    #[error("the header {0} is missing or unreadable")]
    Missing(&'static str),
    #[error("the signature does not fit the call")]
    Signature,
    #[error("the call is for {wanted}, this is {here}")]
    Instance { wanted: String, here: ServerId },
    #[error("the call's time is {apart_ms} ms from this server's, at most {MAX_SKEW_MS} are allowed")]
    Skew { apart_ms: u64 },
    #[error("the nonce was used before")]
    Replayed,
    #[error("more calls within two minutes than nonces can be remembered")]
    TooMany,
    #[error("generation {got} is below {highest}, the highest seen")]
    Stale { got: Generation, highest: Generation },
}

impl From<AuthRefusal> for Problem {
    fn from(refusal: AuthRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            AuthRefusal::Missing(_) => Self::new(ProblemCode::MissingCredentials, detail),
            AuthRefusal::Signature => Self::new(ProblemCode::BadSignature, detail),
            AuthRefusal::Instance { .. } => Self::new(ProblemCode::WrongInstance, detail),
            AuthRefusal::Skew { .. } => Self::new(ProblemCode::ClockSkew, detail),
            AuthRefusal::Replayed => Self::new(ProblemCode::Replayed, detail),
            AuthRefusal::TooMany => Self::new(ProblemCode::Overloaded, detail),
            AuthRefusal::Stale { highest, .. } => {
                Self::new(ProblemCode::StaleGeneration, detail).with_generation(highest)
            }
        }
    }
}

/// The door of one server's control port.
///
/// What costs time, the signature over a whole body, is checked before its memory is locked, so calls
/// wait for one another no longer than it takes to remember a nonce.
#[derive(Debug)]
pub struct Guard {
    key: Key,
    server: ServerId,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    highest: Generation,
    nonces: Nonces,
}

impl Guard {
    pub fn new(key: Key, server: ServerId) -> Self {
        Self { key, server, memory: Mutex::default() }
    }

    /// The highest generation seen so far.
    pub fn generation(&self) -> Generation {
        self.lock().highest
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in or says why not.
    ///
    /// Reading (`GET`) neither needs nor raises the generation: a daemon that lost its memory learns
    /// from `status` where to start. Nothing is remembered of a call that is refused, except that a
    /// stale one has used up its nonce.
    pub fn check(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: UnixMs,
    ) -> Result<(), AuthRefusal> {
        let text = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(AuthRefusal::Missing(name))
        };
        let number =
            |name: &'static str| text(name)?.parse().map_err(|_not_a_number| AuthRefusal::Missing(name));

        let instance = text(INSTANCE_HEADER)?;
        let instance =
            ServerId::parse(instance).map_err(|_not_an_id| AuthRefusal::Missing(INSTANCE_HEADER))?;
        let timestamp = UnixMs(number(TIMESTAMP_HEADER)?);
        let generation = Generation(number(GENERATION_HEADER)?);
        let nonce = text(NONCE_HEADER)?;
        if nonce.is_empty() || nonce.len() > MAX_NONCE_LEN {
            return Err(AuthRefusal::Missing(NONCE_HEADER));
        }
        let signature = hex::decode(text(SIGNATURE_HEADER)?)
            .map_err(|_not_hexadecimal| AuthRefusal::Missing(SIGNATURE_HEADER))?;

        let signed = Signed {
            method: method.as_str(),
            path_and_query,
            body,
            timestamp,
            nonce,
            instance: &instance,
            generation,
        };
        if !signed.is_signed_by(&self.key, &signature) {
            return Err(AuthRefusal::Signature);
        }
        if instance != self.server {
            return Err(AuthRefusal::Instance { wanted: instance.to_string(), here: self.server.clone() });
        }
        let apart_ms = timestamp.0.abs_diff(now.0);
        if apart_ms > MAX_SKEW_MS {
            return Err(AuthRefusal::Skew { apart_ms });
        }
        self.lock().admit(method, nonce, generation, now)
    }
}

impl Memory {
    /// A call that is signed, meant for this server and of this time.
    fn admit(
        &mut self,
        method: &Method,
        nonce: &str,
        generation: Generation,
        now: UnixMs,
    ) -> Result<(), AuthRefusal> {
        self.nonces.remember(nonce, now)?;
        if *method == Method::GET {
            return Ok(());
        }
        if generation < self.highest {
            return Err(AuthRefusal::Stale { got: generation, highest: self.highest });
        }
        self.highest = generation;
        Ok(())
    }
}

/// Every nonce of the last two minutes: after that its time stamp alone refuses the call.
#[derive(Debug, Default)]
struct Nonces {
    seen: HashSet<Box<str>>,
    in_order: VecDeque<(UnixMs, Box<str>)>,
}

impl Nonces {
    /// 800 calls a second; at 64 bytes each some 20 MB.
    const MAX: usize = 100_000;

    fn remember(&mut self, nonce: &str, now: UnixMs) -> Result<(), AuthRefusal> {
        while let Some((forget_at, oldest)) = self.in_order.front() {
            if *forget_at >= now {
                break;
            }
            self.seen.remove(oldest);
            self.in_order.pop_front();
        }
        if self.seen.contains(nonce) {
            return Err(AuthRefusal::Replayed);
        }
        if self.seen.len() >= Self::MAX {
            return Err(AuthRefusal::TooMany);
        }
        self.seen.insert(nonce.into());
        self.in_order.push_back((UnixMs(now.0.saturating_add(2 * MAX_SKEW_MS)), nonce.into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn key() -> Key {
        Key::new("0123456789abcdef").expect("long enough")
    }

    fn server(text: &str) -> ServerId {
        ServerId::parse(text).expect("an id")
    }

    fn guard() -> Guard {
        Guard::new(key(), server("i-1"))
    }

    struct Call {
        method: Method,
        path: &'static str,
        body: &'static [u8],
        headers: HeaderMap,
    }

    /// A good call, signed at `NOW` for generation 5.
    fn call(nonce: &str) -> Call {
        signed(Method::POST, NOW, nonce, "i-1", 5)
    }

    fn signed(method: Method, at: UnixMs, nonce: &str, instance: &str, generation: u64) -> Call {
        let (path, body): (_, &[u8]) = ("/handover/v1/close?x=1", b"{}");
        let instance = server(instance);
        let signature = Signed {
            method: method.as_str(),
            path_and_query: path,
            body,
            timestamp: at,
            nonce,
            instance: &instance,
            generation: Generation(generation),
        }
        .signature(&key());
        let mut headers = HeaderMap::new();
        let mut put = |name, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        };
        put(TIMESTAMP_HEADER, &at.0.to_string());
        put(NONCE_HEADER, nonce);
        put(INSTANCE_HEADER, instance.as_str());
        put(GENERATION_HEADER, &generation.to_string());
        put(SIGNATURE_HEADER, &signature);
        Call { method, path, body, headers }
    }

    fn check(guard: &Guard, call: &Call, now: UnixMs) -> Result<(), AuthRefusal> {
        guard.check(&call.method, call.path, &call.headers, call.body, now)
    }

    #[test]
    fn a_good_call_is_let_in_and_raises_the_generation() {
        let guard = guard();
        assert_eq!(check(&guard, &call("a"), NOW), Ok(()));
        assert_eq!(guard.generation(), Generation(5));
    }

    #[test]
    fn every_part_of_a_call_is_under_the_signature() {
        type Spoil = fn(&mut Call);
        let spoils: [Spoil; 7] = [
            |call| call.method = Method::PUT,
            |call| call.path = "/handover/v1/close?x=2",
            |call| call.body = b"{ }",
            |call| drop(call.headers.insert(TIMESTAMP_HEADER, HeaderValue::from_static("1700000000001"))),
            |call| drop(call.headers.insert(NONCE_HEADER, HeaderValue::from_static("b"))),
            |call| drop(call.headers.insert(INSTANCE_HEADER, HeaderValue::from_static("i-2"))),
            |call| drop(call.headers.insert(GENERATION_HEADER, HeaderValue::from_static("6"))),
        ];
        for (number, spoil) in spoils.iter().enumerate() {
            let mut call = call("a");
            spoil(&mut call);
            assert_eq!(check(&guard(), &call, NOW), Err(AuthRefusal::Signature), "part {number}");
        }
    }

    #[test]
    fn a_missing_header_is_named() {
        for name in [TIMESTAMP_HEADER, NONCE_HEADER, INSTANCE_HEADER, GENERATION_HEADER, SIGNATURE_HEADER] {
            let mut call = call("a");
            call.headers.remove(name);
            assert_eq!(check(&guard(), &call, NOW), Err(AuthRefusal::Missing(name)));
        }
    }

    #[test]
    fn a_call_for_the_server_that_had_this_address_before_is_refused() {
        let call = signed(Method::POST, NOW, "a", "i-0", 5);
        let refusal = check(&guard(), &call, NOW);
        assert_eq!(refusal, Err(AuthRefusal::Instance { wanted: "i-0".to_owned(), here: server("i-1") }));
    }

    #[test]
    fn a_call_from_more_than_a_minute_ago_or_ahead_is_refused() {
        for (apart_ms, ok) in [(60_000, true), (60_001, false)] {
            let (early, late) = (UnixMs(NOW.0 - apart_ms), UnixMs(NOW.0 + apart_ms));
            assert_eq!(check(&guard(), &call("a"), early).is_ok(), ok);
            assert_eq!(check(&guard(), &call("a"), late).is_ok(), ok);
        }
    }

    #[test]
    fn a_repeated_call_is_refused_for_as_long_as_its_time_would_let_it_in() {
        let guard = guard();
        let ahead = signed(Method::POST, UnixMs(NOW.0 + MAX_SKEW_MS), "a", "i-1", 5);
        assert_eq!(check(&guard, &ahead, NOW), Ok(()));
        assert_eq!(check(&guard, &ahead, UnixMs(NOW.0 + 2 * MAX_SKEW_MS)), Err(AuthRefusal::Replayed));
        let too_late = UnixMs(NOW.0 + 2 * MAX_SKEW_MS + 1);
        assert_eq!(check(&guard, &ahead, too_late), Err(AuthRefusal::Skew { apart_ms: 60_001 }));
    }

    #[test]
    fn nonces_are_forgotten_in_time_and_never_more_than_their_limit_are_kept() {
        let mut nonces = Nonces::default();
        for number in 0..Nonces::MAX {
            assert_eq!(nonces.remember(&number.to_string(), NOW), Ok(()));
        }
        assert_eq!(nonces.remember("one more", NOW), Err(AuthRefusal::TooMany));
        let later = UnixMs(NOW.0 + 2 * MAX_SKEW_MS + 1);
        assert_eq!(nonces.remember("one more", later), Ok(()));
        assert_eq!((nonces.seen.len(), nonces.in_order.len()), (1, 1));
    }

    #[test]
    fn a_lower_generation_is_refused_with_the_highest_seen() {
        let guard = guard();
        assert_eq!(check(&guard, &call("a"), NOW), Ok(()));
        let stale = signed(Method::POST, NOW, "b", "i-1", 4);
        let refusal = check(&guard, &stale, NOW).expect_err("stale");
        assert_eq!(refusal, AuthRefusal::Stale { got: Generation(4), highest: Generation(5) });
        let problem = Problem::from(refusal);
        assert_eq!((problem.status, problem.generation), (409, Some(Generation(5))));
        assert_eq!(check(&guard, &call("c"), NOW), Ok(()));
    }

    #[test]
    fn reading_neither_needs_nor_raises_the_generation() {
        let guard = guard();
        assert_eq!(check(&guard, &call("a"), NOW), Ok(()));
        assert_eq!(check(&guard, &signed(Method::GET, NOW, "b", "i-1", 1), NOW), Ok(()));
        assert_eq!(check(&guard, &signed(Method::GET, NOW, "c", "i-1", 9), NOW), Ok(()));
        assert_eq!(guard.generation(), Generation(5));
    }
}
