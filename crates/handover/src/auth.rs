//! Who may drive a server: a signature over everything that makes a call this call.
//!
//! HMAC-SHA256 (RFC 2104) with a key that the daemon and the application share, over the method, the
//! path with its query, the body's digest, the time, a nonce, the instance that is meant and the
//! daemon's generation. So a call cannot be changed, repeated, kept for later, sent to a server that has
//! the address today, or made by a daemon that lost its lease. It hides nothing: the port is private.
//!
//! Time is always an argument in here.

mod guard;
mod token;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use crate::wire::{Generation, ServerId};

pub use guard::{AuthRefusal, Guard};
pub use token::{attach_token, is_attach_token};

/// Milliseconds since 1970 (the sender's clock).
pub const TIMESTAMP_HEADER: &str = "handover-timestamp-ms";
/// Never used twice.
pub const NONCE_HEADER: &str = "handover-nonce";
/// The instance that is meant.
pub const INSTANCE_HEADER: &str = "handover-instance";
/// The daemon's generation.
pub const GENERATION_HEADER: &str = "handover-generation";
/// HMAC-SHA256 in lower-case hexadecimal.
pub const SIGNATURE_HEADER: &str = "handover-signature";

/// How far apart the two clocks may be.
pub const MAX_SKEW_MS: u64 = 60_000;

/// The longest nonce that is accepted, in bytes.
pub const MAX_NONCE_LEN: usize = 64;

/// Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMs(pub u64);

/// The shared secret. Never printed.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A key that is too easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a handover key has at least {} bytes, this one has {got}", Key::MIN_LEN)]
pub struct KeyTooShort {
    pub got: usize,
}

impl Key {
    pub const MIN_LEN: usize = 16;

    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, KeyTooShort> {
        let bytes = bytes.into();
        if bytes.len() < Self::MIN_LEN { Err(KeyTooShort { got: bytes.len() }) } else { Ok(Self(bytes)) }
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
            mac.update(b"\n");
        }
        mac
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// In capitals, as on the wire.
    pub method: &'a str,
    /// Path and, if there is one, `?` and the query, exactly as on the wire.
    pub path_and_query: &'a str,
    pub body: &'a [u8],
    pub timestamp: UnixMs,
    pub nonce: &'a str,
    pub instance: &'a ServerId,
    pub generation: Generation,
}

impl Signed<'_> {
    fn mac(&self, key: &Key) -> Hmac<Sha256> {
        key.mac(&[
            b"handover-v1",
            self.method.as_bytes(),
            self.path_and_query.as_bytes(),
            hex::encode(Sha256::digest(self.body)).as_bytes(),
            self.timestamp.0.to_string().as_bytes(),
            self.nonce.as_bytes(),
            self.instance.as_str().as_bytes(),
            self.generation.to_string().as_bytes(),
        ])
    }

    /// The value of [`SIGNATURE_HEADER`].
    pub fn signature(&self, key: &Key) -> String {
        hex::encode(self.mac(key).finalize().into_bytes())
    }

    /// Compares in constant time.
    fn is_signed_by(&self, key: &Key, signature: &[u8]) -> bool {
        self.mac(key).verify_slice(signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other languages implement this; the value was computed with Python's hmac module.
    #[test]
    fn the_canonical_text_is_what_the_contract_says() {
        let key = Key::new("0123456789abcdef").expect("long enough");
        let instance = ServerId::parse("i-1").expect("an id");
        let signed = Signed {
            method: "POST",
            path_and_query: "/handover/v1/close",
            body: b"{}",
            timestamp: UnixMs(1_700_000_000_000),
            nonce: "n1",
            instance: &instance,
            generation: Generation(3),
        };
        assert_eq!(
            signed.signature(&key),
            "ac18a5dcc65d008fb704e3e4d40892ed764493e90ea16666926d05ca4f6f80bb"
        );
    }

    #[test]
    fn a_key_says_nothing_about_itself_and_has_a_least_length() {
        assert_eq!(format!("{:?}", Key::new("0123456789abcdef")), "Ok(Key(..))");
        assert_eq!(Key::new("short").err(), Some(KeyTooShort { got: 5 }));
    }
}
