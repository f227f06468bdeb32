//! AWS Signature Version 4 in its header form, as AWS checks it.
//!
//! A call's `Authorization` header names a key, what the signature is good for (a day, a region, a service)
//! and which headers it covers; it covers method, path, query and body in any case. All of this is a pure
//! function of the call and the time. Presigned URLs, session tokens and bodies in signed pieces are not here:
//! nobody calls EC2 or ELBv2 with them from a sandbox's keys.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod header;

use std::fmt;

use http::{HeaderMap, Method, Uri};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::credentials::Credentials;
use canonical::{is_signed, string_to_sign};
use header::Authorization;

/// How far a call's date may be from now, either way.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What a signature must be good for, and whose it must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// Why a call did not prove who made it. The sentences are those of AWS's younger services; EC2 has words of
/// its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    #[error("Request is missing Authentication Token")]
    Unsigned,
    /// The `Authorization` header is none, and this is what it lacks.
    #[error("{0}")]
    Incomplete(String),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// Never found by a look at the signature: the fault that is called so.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Signed for something else; this says for what.
    #[error("{0}")]
    Misdirected(String),
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - 5 min.)")]
    Expired { signed: Stamp, earliest: Stamp, now: Stamp },
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 5 min.)")]
    NotYetCurrent { signed: Stamp, latest: Stamp, now: Stamp },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

/// A moment, written as signatures have it: `20150830T123600Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Timestamp);

impl Stamp {
    /// The day alone: `20150830`.
    fn day(self) -> String {
        self.0.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ"))
    }
}

/// Whether a call was signed with these credentials, for this service and region, at about this time.
pub(crate) fn verify(call: &Parts<'_>, access: &Access<'_>, now: Timestamp) -> Result<(), Unproven> {
    let signed = Authorization::of(call.headers)?;
    // One pair without a session: any session token is one that nobody gave.
    if signed.key_id != access.credentials.access_key_id || call.headers.contains_key("x-amz-security-token")
    {
        return Err(Unproven::UnknownKey);
    }
    check_scope(&signed, access)?;
    check_time(signed.at, now)?;
    let text = string_to_sign(call, &signed);
    let secret = &access.credentials.secret_access_key;
    if is_signed(&text, secret, &signed.scope, &signed.signature) { Ok(()) } else { Err(Unproven::Mismatch) }
}

fn check_scope(signed: &Authorization<'_>, access: &Access<'_>) -> Result<(), Unproven> {
    let scope = &signed.scope;
    let misdirected = |text: String| Err(Unproven::Misdirected(text));
    if scope.region != access.region {
        return misdirected(format!(
            "Credential should be scoped to a valid region, not '{}'. ",
            scope.region
        ));
    }
    if scope.service != access.service {
        return misdirected(format!(
            "Credential should be scoped to correct service: '{}'. ",
            access.service
        ));
    }
    let day = signed.at.day();
    if scope.day != day {
        return misdirected(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{}' != '{day}', from '{}'.",
            scope.day, signed.at
        ));
    }
    if !signed.signed_headers.split(';').any(|name| name == "host") {
        let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return misdirected(text.to_owned());
    }
    Ok(())
}

fn check_time(signed: Stamp, now: Timestamp) -> Result<(), Unproven> {
    let (earliest, latest) = (Stamp(now - SKEW_MAX), Stamp(now + SKEW_MAX));
    let now = Stamp(now);
    if signed.0 < earliest.0 {
        return Err(Unproven::Expired { signed, earliest, now });
    }
    if signed.0 > latest.0 {
        return Err(Unproven::NotYetCurrent { signed, latest, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
