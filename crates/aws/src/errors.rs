//! What a failed AWS call means to the engine: one pure function from what came back to a class.
//!
//! Sources: EC2 API error codes; ELBv2 API common errors; EC2 API, "Ensuring idempotency" and "Eventual
//! consistency". Codes come first and the HTTP status second, because EC2 answers lack of capacity with 500.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use segue_domain::effect::Lack;
use segue_engine::ports::{CallError, Class, chain};

/// Characters of somebody else's text that go into one of our sentences.
const TEXT_MAX: usize = 300;

/// A failed call, with the code for the few places that must look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) code: Option<String>,
    pub(crate) what: String,
    /// Nothing was sent: there are no credentials, or their source did not answer.
    pub(crate) unsigned: bool,
}

/// How a call can fail, SDK types left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble<'a> {
    /// AWS answered with an error, or something in its place did.
    Answered {
        status: u16,
        code: Option<&'a str>,
    },
    /// An answer came and made no sense.
    Unreadable,
    /// No answer within the limit, after a connection was there.
    Late,
    /// The connection ended before the answer.
    Cut,
    NotConnected,
    /// There are no credentials, or wrong settings for them.
    NoCredentials,
    /// The source of credentials failed for now.
    CredentialsLater,
    /// The request could not even be written.
    NotBuilt,
}

impl Failure {
    pub(crate) fn of<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let trouble = trouble(error, code.as_deref());
        let (class, meaning) = judge(trouble);
        let details = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, Some(_) | None) => chain(error),
        };
        let details = in_one_line(&details);
        let status = match trouble {
            Trouble::Answered { status, .. } => format!(" with status {status}"),
            Trouble::Unreadable
            | Trouble::Late
            | Trouble::Cut
            | Trouble::NotConnected
            | Trouble::NoCredentials
            | Trouble::CredentialsLater
            | Trouble::NotBuilt => String::new(),
        };
        let unsigned = matches!(trouble, Trouble::NoCredentials | Trouble::CredentialsLater);
        Self { class, code, what: format!("{call} failed{status}, {meaning} ({details})"), unsigned }
    }

    /// Of a call that waited for its turn in vain.
    pub(crate) fn unsent(call: &str) -> Self {
        let what = format!("{call} was not sent: as many calls as may be are under way");
        Self { class: Class::Retry, code: None, what, unsigned: false }
    }

    /// Of a reading before a change that brought no answer in time: nothing was changed.
    pub(crate) fn unread(call: &str) -> Self {
        let what = format!("{call} brought no answer in time, and nothing was changed");
        Self { class: Class::Retry, code: None, what, unsigned: false }
    }

    /// With the one thing that the call was about: AWS's own text does not name it.
    pub(crate) fn about(self, thing: impl std::fmt::Display) -> Self {
        Self { what: format!("{thing}: {}", self.what), ..self }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        let lack = failure.code.as_deref().and_then(lack);
        Self { class: failure.class, what: failure.what, lack }
    }
}

/// What a code says is wanting in the place that was asked, and may be there in another. A quota is the same in
/// every zone. A zone need not offer every type.
fn lack(code: &str) -> Option<Lack> {
    let is_quota = code.ends_with("LimitExceeded");
    let is_room = code == "Unsupported" || (code.starts_with("Insufficient") && !is_quota);
    is_room.then_some(Lack::Room)
}

/// Somebody else's text as a part of a sentence: what the SDK says of missing credentials has many lines.
fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(&line)),
        None => line,
    }
}

/// The one policy: what can be done about it, and the words for it.
fn judge(trouble: Trouble<'_>) -> (Class, &'static str) {
    match trouble {
        Trouble::Answered { status, code } => code.and_then(of_code).unwrap_or_else(|| of_status(status)),
        Trouble::Unreadable => (Class::Unknown, "its answer could not be read"),
        Trouble::Late => (Class::Unknown, "no answer came in time"),
        Trouble::Cut => (Class::Unknown, "the connection ended before the answer"),
        Trouble::NotConnected => (Class::Retry, "nobody could be reached"),
        Trouble::NoCredentials => (Class::Refused, "there are no credentials that could be used"),
        Trouble::CredentialsLater => (Class::Retry, "the source of credentials did not answer"),
        Trouble::NotBuilt => (Class::Bug, "the request could not be built"),
    }
}

fn of_code(code: &str) -> Option<(Class, &'static str)> {
    let known = match code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "EC2ThrottledException"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "SlowDown" => (Class::Retry, "too many requests"),
        "InvalidInstanceID.NotFound" => (Class::Retry, "the instance is gone, or not yet known everywhere"),
        "InvalidTarget" => (Class::Retry, "the instance does not run, as far as the load balancer knows"),
        "IncorrectInstanceState" | "IncorrectState" => (Class::Retry, "it is on its way to another state"),
        "RequestExpired" | "ExpiredToken" | "ExpiredTokenException" => {
            (Class::Retry, "the signature or its credentials are too old")
        }
        // A clock that was set is put right, and a release is not turned back for it.
        "RequestTimeTooSkewed"
        | "RequestInTheFuture"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => {
            (Class::Retry, "the signature does not hold: this machine's clock is wrong, or the secret key is")
        }
        // A gateway says so, too, of a request that it may have handed on.
        "RequestTimeout" | "RequestTimeoutException" => (Class::Unknown, "it took AWS too long to hear it"),
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "Unavailable" => {
            (Class::Unknown, "AWS failed inside")
        }
        "IdempotentParameterMismatch" => (Class::Bug, "the same token was used before with other parameters"),
        "IdempotentInstanceTerminated" => {
            (Class::Refused, "the token's instances were terminated: a new attempt is needed")
        }
        "InvalidAction"
        | "InvalidParameterCombination"
        | "InvalidQueryParameter"
        | "InvalidRequest"
        | "MalformedQueryString"
        | "MissingAction"
        | "MissingParameter"
        | "UnknownParameter"
        | "SerializationException" => (Class::Bug, "the request makes no sense to AWS"),
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => (Class::Refused, "the account's quota is used up"),
        "Unsupported" => (Class::Refused, "it is not offered there"),
        "InsufficientFreeAddressesInSubnet" => (Class::Refused, "the subnet has no free addresses"),
        "AuthFailure"
        | "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "Blocked"
        | "PendingVerification" => (Class::Refused, "these credentials may not do it"),
        "OperationNotPermitted" => (Class::Refused, "it is protected against this"),
        other => return of_family(other),
    };
    Some(known)
}

/// Codes that are told by their beginning or end.
fn of_family(code: &str) -> Option<(Class, &'static str)> {
    if code.starts_with("Insufficient") {
        Some((Class::Refused, "there is no capacity"))
    } else if code.ends_with("LimitExceeded") || code.starts_with("TooMany") {
        Some((Class::Refused, "a quota is used up"))
    } else if code.ends_with("NotFound") {
        Some((Class::Refused, "there is no such thing"))
    } else {
        None
    }
}

fn of_status(status: u16) -> (Class, &'static str) {
    match status {
        408 => (Class::Unknown, "it took AWS too long to hear it"),
        429 => (Class::Retry, "too many requests"),
        400..=499 => (Class::Refused, "it was refused"),
        _ => (Class::Unknown, "it may have happened"),
    }
}

fn trouble<'a, E>(error: &SdkError<E, HttpResponse>, code: Option<&'a str>) -> Trouble<'a>
where
    E: Error + 'static,
{
    match error {
        // A success that could not be read comes as a service's error without a code.
        SdkError::ServiceError(answer) if answer.raw().status().is_success() => Trouble::Unreadable,
        SdkError::ServiceError(answer) => Trouble::Answered { status: answer.raw().status().as_u16(), code },
        SdkError::ResponseError(_) => Trouble::Unreadable,
        SdkError::TimeoutError(_) => Trouble::Late,
        SdkError::DispatchFailure(_) => of_dispatch(error),
        SdkError::ConstructionFailure(_) => Trouble::NotBuilt,
        // The SDK's list may grow; what is not known may have happened.
        _ => Trouble::Cut,
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// A request that was not answered: whether it can have reached AWS is in the chain of causes. Only what
/// surely did not is told apart; everything else counts as cut.
fn of_dispatch(error: &(dyn Error + 'static)) -> Trouble<'static> {
    if let Some(credentials) = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        return match credentials {
            CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
                Trouble::CredentialsLater
            }
            CredentialsError::CredentialsNotLoaded(_)
            | CredentialsError::InvalidConfiguration(_)
            | CredentialsError::Unhandled(_)
            | _ => Trouble::NoCredentials,
        };
    }
    // The HTTP client keeps its kinds to itself and shows them in its text; a test holds the wording.
    if causes(error).any(|cause| cause.to_string() == "client error (Connect)") {
        return Trouble::NotConnected;
    }
    Trouble::Cut
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use segue_domain::ids::ServiceName;

    use super::*;
    use crate::stub::{Stub, answer};

    #[test]
    fn every_code_has_its_class() {
        let table = [
            (503, "RequestLimitExceeded", Class::Retry),
            (400, "Throttling", Class::Retry),
            (400, "ThrottlingException", Class::Retry),
            (503, "EC2ThrottledException", Class::Retry),
            (400, "InvalidInstanceID.NotFound", Class::Retry),
            (400, "IncorrectInstanceState", Class::Retry),
            (400, "InvalidTarget", Class::Retry),
            (400, "RequestExpired", Class::Retry),
            (403, "RequestTimeTooSkewed", Class::Retry),
            (403, "SignatureDoesNotMatch", Class::Retry),
            (500, "InsufficientInstanceCapacity", Class::Refused),
            (500, "InsufficientHostCapacity", Class::Refused),
            (400, "InsufficientFreeAddressesInSubnet", Class::Refused),
            (400, "Unsupported", Class::Refused),
            (400, "InstanceLimitExceeded", Class::Refused),
            (400, "VcpuLimitExceeded", Class::Refused),
            (400, "NetworkInterfaceLimitExceeded", Class::Refused),
            (400, "TooManyTargets", Class::Refused),
            (400, "InvalidAMIID.NotFound", Class::Refused),
            (400, "TargetGroupNotFound", Class::Refused),
            (400, "InvalidParameterValue", Class::Refused),
            (403, "UnauthorizedOperation", Class::Refused),
            (403, "AccessDenied", Class::Refused),
            (401, "AuthFailure", Class::Refused),
            (400, "OperationNotPermitted", Class::Refused),
            (400, "IdempotentInstanceTerminated", Class::Refused),
            (400, "IdempotentParameterMismatch", Class::Bug),
            (400, "InvalidParameterCombination", Class::Bug),
            (400, "MissingParameter", Class::Bug),
            (500, "InternalError", Class::Unknown),
            (503, "ServiceUnavailable", Class::Unknown),
            (500, "SomethingNew", Class::Unknown),
            (400, "SomethingNew", Class::Refused),
            (400, "RequestTimeout", Class::Unknown),
            (408, "RequestTimeoutException", Class::Unknown),
            (408, "SomethingNew", Class::Unknown),
        ];
        for (status, code, class) in table {
            assert_eq!(judge(Trouble::Answered { status, code: Some(code) }).0, class, "{status} {code}");
        }
    }

    #[test]
    fn want_of_room_is_told_from_every_other_refusal() {
        for code in ["InsufficientInstanceCapacity", "InsufficientFreeAddressesInSubnet", "Unsupported"] {
            assert_eq!(lack(code), Some(Lack::Room), "{code}");
        }
        for code in ["VcpuLimitExceeded", "UnauthorizedOperation", "InvalidLaunchTemplateId.NotFound"] {
            assert_eq!(lack(code), None, "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        for (status, class) in [
            (400, Class::Refused),
            (408, Class::Unknown),
            (429, Class::Retry),
            (500, Class::Unknown),
            (302, Class::Unknown),
        ] {
            assert_eq!(judge(Trouble::Answered { status, code: None }).0, class, "{status}");
        }
    }

    async fn failing(stub: &Stub) -> CallError {
        stub.cloud().await.instances(&ServiceName::new("boards")).await.expect_err("a failure")
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_may_have_happened() {
        let stub = Stub::silent().await;
        let failed = failing(&stub).await;
        assert_eq!(failed.class, Class::Unknown);
        assert!(failed.what.contains("no answer came in time"), "{failed}");
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_may_have_happened() {
        let failed = failing(&Stub::cutting().await).await;
        assert_eq!(failed.class, Class::Unknown);
        assert!(failed.what.contains("ended before the answer"), "{failed}");
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_left_nothing_behind() {
        let failed = failing(&Stub::absent().await).await;
        assert_eq!(failed.class, Class::Retry);
        assert!(failed.what.contains("nobody could be reached"), "{failed}");
    }

    #[tokio::test]
    async fn without_credentials_nothing_is_sent() {
        let stub = Stub::start([(200, answer("DescribeInstances", ""))]).await;
        let cases = [
            (CredentialsError::not_loaded("none configured"), Class::Refused),
            (CredentialsError::provider_timed_out(Duration::from_secs(5)), Class::Retry),
        ];
        for (error, class) in cases {
            let cloud = stub.cloud_without_credentials(error).await;
            let failed = cloud.instances(&ServiceName::new("boards")).await.expect_err("a failure");
            assert_eq!(failed.class, class, "{failed}");
            assert!(failed.what.contains("credentials"), "{failed}");
        }
        assert_eq!(stub.asked().len(), 0);
    }
}
