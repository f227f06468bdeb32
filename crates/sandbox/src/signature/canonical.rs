//! What is signed, written in the one way that both sides agree on, and the key it is signed with.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Parts;
use super::header::{ALGORITHM, Authorization, Scope, TERMINATOR};

/// Three lines about the call's digest, and the digest.
pub(super) fn string_to_sign(call: &Parts<'_>, signed: &Authorization<'_>) -> String {
    let digest = hex::encode(Sha256::digest(canonical_request(call, signed.signed_headers)));
    let Scope { day, region, service } = signed.scope;
    format!("{ALGORITHM}\n{}\n{day}/{region}/{service}/{TERMINATOR}\n{digest}", signed.at)
}

/// The call as it is digested. In bytes: a header may hold what is no text.
fn canonical_request(call: &Parts<'_>, signed_headers: &str) -> Vec<u8> {
    let path = encoded(call.uri.path(), b"/");
    let query = canonical_query(call.uri.query().unwrap_or_default());
    let mut request = format!("{}\n{path}\n{query}\n", call.method).into_bytes();
    for name in signed_headers.split(';') {
        request.extend_from_slice(name.as_bytes());
        request.push(b':');
        let values = call.headers.get_all(name).iter().map(|value| squeezed(value.as_bytes()));
        request.extend(values.collect::<Vec<_>>().join(&b','));
        request.push(b'\n');
    }
    let digest = hex::encode(Sha256::digest(call.body));
    request.extend(format!("\n{signed_headers}\n{digest}").into_bytes());
    request
}

/// Names and values in order, encoded strictly.
fn canonical_query(query: &str) -> String {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (encoded(&name, b""), encoded(&value, b""))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Everything but what RFC 3986 calls unreserved, and `kept`, in percent signs. A path comes encoded and is
/// encoded again, as all services but S3 want it.
fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A header's value without spaces around it, and with single ones in it.
fn squeezed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// Whether a text was signed with the key that the secret gives for one day, region and service. Compared in
/// constant time.
pub(super) fn is_signed(text: &str, secret: &str, scope: &Scope<'_>, signature: &[u8]) -> bool {
    let parts = [scope.day, scope.region, scope.service, TERMINATOR];
    let first = format!("AWS4{secret}").into_bytes();
    let key = parts.iter().fold(first, |key, part| mac(&key, part).finalize().into_bytes().to_vec());
    mac(&key, text).verify_slice(signature).is_ok()
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}
