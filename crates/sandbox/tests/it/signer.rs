//! Signs calls as a client does: AWS Signature Version 4 for a form that is posted to `/`, written from the
//! documentation and apart from the sandbox's own reading of it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use segue_sandbox::{Credentials, Ready};
use sha2::{Digest, Sha256};

/// Who signs, for where, and when.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    pub(crate) at: Timestamp,
}

impl Signer {
    /// Whoever may call this sandbox, now.
    pub(crate) fn of(ready: &Ready) -> Self {
        let (credentials, region) = (ready.credentials.clone(), ready.region.clone());
        Self { credentials, region, at: Timestamp::now() }
    }

    /// A signed call.
    pub(crate) fn post(
        &self,
        http: &reqwest::Client,
        url: &str,
        service: &str,
        body: String,
    ) -> reqwest::RequestBuilder {
        let date = self.at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        let host = url.trim_start_matches("http://");
        let authorization = self.authorization(service, host, &date, &body);
        let call = http.post(url).header("content-type", FORM);
        call.header("x-amz-date", date).header("authorization", authorization).body(body)
    }

    fn authorization(&self, service: &str, host: &str, date: &str, body: &str) -> String {
        let names = "content-type;host;x-amz-date";
        let digest = hex::encode(Sha256::digest(body));
        let request =
            format!("POST\n/\n\ncontent-type:{FORM}\nhost:{host}\nx-amz-date:{date}\n\n{names}\n{digest}");
        let (day, region) = (&date[..8], &self.region);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let request_digest = hex::encode(Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request_digest}");
        let Credentials { access_key_id, secret_access_key, .. } = &self.credentials;
        let key = keyed(format!("AWS4{secret_access_key}").as_bytes(), day);
        let key = keyed(&keyed(&keyed(&key, region), service), "aws4_request");
        let signature = hex::encode(keyed(&key, &text));
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
