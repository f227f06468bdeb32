//! AWS's published test vectors, and what becomes of calls that differ from one in a single thing.
//!
//! Source of the vectors: the Signature Version 4 test suite (`get-vanilla` and the like), and the example of
//! `ListUsers` in <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use http::Request;

use super::*;

/// A call of the test suite, which signs for `service` in `us-east-1`.
struct Vector {
    call: Request<&'static str>,
    service: &'static str,
    key_id: &'static str,
    now: &'static str,
}

/// The suite's moment, as a header and as a time.
const DATE: &str = "20150830T123600Z";
const NOW: &str = "2015-08-30T12:36:00Z";
const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

impl Vector {
    fn new(method: &str, uri: &str, signed_headers: &str, signature: &str) -> Self {
        Self::scoped("20150830/us-east-1/service/aws4_request", method, uri, signed_headers, signature)
    }

    fn scoped(scope: &str, method: &str, uri: &str, signed_headers: &str, signature: &str) -> Self {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={signed_headers}, \
             Signature={signature}"
        );
        let call = Request::builder().method(method).uri(uri).header("authorization", authorization);
        let call = call.header("host", "example.amazonaws.com").header("x-amz-date", DATE);
        let call = call.body("").expect("a legal call");
        Self { call, service: "service", key_id: "AKIDEXAMPLE", now: NOW }
    }

    fn vanilla() -> Self {
        Self::new("GET", "/", "host;x-amz-date", VANILLA)
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.call.headers_mut().append(name, value.parse().expect("a legal value"));
        self
    }

    /// Replaces a header, or removes it.
    fn set(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.call.headers_mut().remove(name);
        if let Some(value) = value {
            self.call.headers_mut().insert(name, value.parse().expect("a legal value"));
        }
        self
    }

    fn body(mut self, body: &'static str) -> Self {
        *self.call.body_mut() = body;
        self
    }

    fn verify(&self) -> Result<(), Unproven> {
        let credentials = Credentials {
            access_key_id: self.key_id.to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            ..Credentials::default()
        };
        let access = Access { credentials: &credentials, region: "us-east-1", service: self.service };
        let (method, uri) = (self.call.method(), self.call.uri());
        let parts = Parts { method, uri, headers: self.call.headers(), body: self.call.body().as_bytes() };
        verify(&parts, &access, self.now.parse().expect("a time"))
    }

    fn refusal(&self) -> String {
        self.verify().expect_err("it proves nothing").to_string()
    }
}

#[test]
fn the_published_vectors_are_taken() {
    let form = "content-type;host;x-amz-date";
    let vectors = [
        Vector::vanilla(),
        Vector::new(
            "GET",
            "/?Param2=value2&Param1=value1",
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        Vector::new(
            "POST",
            "/",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        Vector::new("POST", "/", form, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
            .with("content-type", "application/x-www-form-urlencoded")
            .body("Param1=value1"),
        Vector::new(
            "GET",
            "/",
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        )
        .with("my-header1", " value1")
        .with("my-header2", " \"a   b   c\""),
        Vector::new(
            "GET",
            "/",
            "host;my-header1;x-amz-date",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        )
        .with("my-header1", "value2")
        .with("my-header1", "value2")
        .with("my-header1", "value1"),
    ];
    for vector in vectors {
        assert_eq!(vector.verify(), Ok(()), "{:?}", vector.call);
    }
}

#[test]
fn the_documented_call_of_another_service_is_taken() {
    let mut vector = Vector::scoped(
        "20150830/us-east-1/iam/aws4_request",
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        "content-type;host;x-amz-date",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    )
    .with("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    .set("host", Some("iam.amazonaws.com"));
    vector.service = "iam";
    assert_eq!(vector.verify(), Ok(()));
}

#[test]
fn whatever_is_signed_cannot_be_changed() {
    let changed = [
        Vector::new("POST", "/", "host;x-amz-date", VANILLA),
        Vector::new("GET", "/?a=b", "host;x-amz-date", VANILLA),
        Vector::new("GET", "/other", "host;x-amz-date", VANILLA),
        Vector::vanilla().body("Action=TerminateInstances"),
        Vector::vanilla().set("host", Some("example.org")),
        Vector::vanilla().set("x-amz-date", Some("20150830T123601Z")),
        Vector::new("GET", "/", "host;x-amz-date", &VANILLA.replace('5', "6")),
        Vector::new("GET", "/", "host;x-amz-date", &VANILLA[..62]),
        Vector::new("GET", "/", "host;x-amz-date", "no digits"),
    ];
    for vector in changed {
        assert_eq!(vector.verify(), Err(Unproven::Mismatch), "{:?}", vector.call);
    }
}

#[test]
fn a_call_without_a_signature_is_told_what_it_lacks() {
    let unsigned = Vector::vanilla().set("authorization", None);
    assert_eq!(unsigned.verify(), Err(Unproven::Unsigned));
    let empty = Vector::vanilla().set("authorization", Some("AWS4-HMAC-SHA256 ")).set("x-amz-date", None);
    assert_eq!(
        empty.refusal(),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
         parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires \
         existence of either a 'X-Amz-Date' or a 'Date' header."
    );
    let other = Vector::vanilla().set("authorization", Some("Bearer abc"));
    assert_eq!(other.refusal(), "Unsupported AWS 'algorithm': 'Bearer'.");
    let short = Vector::scoped("20150830/us-east-1/service", "GET", "/", "host", VANILLA);
    assert!(short.refusal().starts_with("Credential must have exactly 5"), "{}", short.refusal());
}

#[test]
fn a_key_or_a_session_that_nobody_gave_is_unknown() {
    let mut stranger = Vector::vanilla();
    stranger.key_id = "AKIDOTHER";
    assert_eq!(stranger.verify(), Err(Unproven::UnknownKey));
    let session = Vector::vanilla().with("x-amz-security-token", "token");
    assert_eq!(session.verify(), Err(Unproven::UnknownKey));
}

#[test]
fn a_signature_for_another_place_service_or_day_is_misdirected() {
    let refusal = |scope: &str| Vector::scoped(scope, "GET", "/", "host;x-amz-date", VANILLA).refusal();
    assert_eq!(
        refusal("20150830/eu-west-1/service/aws4_request"),
        "Credential should be scoped to a valid region, not 'eu-west-1'. "
    );
    assert_eq!(
        refusal("20150830/us-east-1/ec2/aws4_request"),
        "Credential should be scoped to correct service: 'service'. "
    );
    assert!(refusal("20150829/us-east-1/service/aws4_request").contains("'20150829' != '20150830'"));
    assert!(refusal("20150830/us-east-1/service/aws5").contains("valid terminator: 'aws4_request'"));
    let no_host = Vector::new("GET", "/", "x-amz-date", VANILLA).refusal();
    assert!(no_host.contains("must be a 'SignedHeader'"), "{no_host}");
}

#[test]
fn five_minutes_of_skew_are_taken_and_a_second_more_is_not() {
    let at = |now| Vector { now, ..Vector::vanilla() };
    assert_eq!(at("2015-08-30T12:41:00Z").verify(), Ok(()));
    assert_eq!(at("2015-08-30T12:31:00Z").verify(), Ok(()));
    assert_eq!(
        at("2015-08-30T12:41:01Z").refusal(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        at("2015-08-30T12:30:59Z").refusal(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn the_date_header_is_enough_when_there_is_no_other() {
    let dated = Vector::vanilla().set("x-amz-date", None).with("date", "Sun, 30 Aug 2015 12:36:00 GMT");
    // Signed with the other header, so that the date is read and only the signature is wrong.
    assert_eq!(dated.verify(), Err(Unproven::Mismatch));
}
