//! Reads the `Authorization` header and the date that belongs to it.

use std::borrow::Cow;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use super::{Stamp, Unproven};

/// The one algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What every scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";

/// What a call's header says of its signature.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) key_id: &'a str,
    pub(super) scope: Scope<'a>,
    /// Names in lower case with `;` between them.
    pub(super) signed_headers: &'a str,
    pub(super) signature: Vec<u8>,
    /// The date that was signed, from a header of its own.
    pub(super) at: Stamp,
}

/// What a signature is good for.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Unproven> {
        let value = headers.get(header::AUTHORIZATION).ok_or(Unproven::Unsigned)?;
        let text = value.to_str().unwrap_or_default();
        let (algorithm, fields) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != ALGORITHM {
            return Err(Unproven::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
        }
        let field = |name: &str| {
            let mut pairs = fields.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let at = date(headers);
        let (credential, signed_headers, signature) =
            (field("Credential"), field("SignedHeaders"), field("Signature"));
        let (Some(credential), Some(signature), Some(signed_headers), Some(at)) =
            (credential, signature, signed_headers, at)
        else {
            let lacks = [
                (credential.is_none(), "Authorization header requires 'Credential' parameter."),
                (signature.is_none(), "Authorization header requires 'Signature' parameter."),
                (signed_headers.is_none(), "Authorization header requires 'SignedHeaders' parameter."),
                (
                    at.is_none(),
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                ),
            ];
            let lacks: Vec<_> = lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, text)| text).collect();
            return Err(Unproven::Incomplete(lacks.join(" ")));
        };
        let (key_id, scope) = credential_of(credential)?;
        // What is no hexadecimal is no signature of anything.
        let signature = hex::decode(signature).unwrap_or_default();
        Ok(Self { key_id, scope, signed_headers, signature, at })
    }
}

fn credential_of(credential: &str) -> Result<(&str, Scope<'_>), Unproven> {
    let parts: Vec<_> = credential.split('/').collect();
    let [key_id, day, region, service, terminator] = parts[..] else {
        return Err(Unproven::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
             got '{credential}'"
        )));
    };
    if terminator != TERMINATOR {
        return Err(Unproven::Misdirected(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
        )));
    }
    Ok((key_id, Scope { day, region, service }))
}

/// The date of `X-Amz-Date`, else of `Date`.
fn date(headers: &HeaderMap) -> Option<Stamp> {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let basic = |text: Cow<'_, str>| -> Option<Timestamp> {
        let utc = DateTime::strptime("%Y%m%dT%H%M%SZ", &*text).ok()?;
        TimeZone::UTC.to_timestamp(utc).ok()
    };
    match text("x-amz-date") {
        Some(date) => basic(date).map(Stamp),
        None => rfc2822::parse(&text("date")?).ok().map(|zoned| Stamp(zoned.timestamp())),
    }
}
