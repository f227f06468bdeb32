//! One signed request and its bounded answer.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::{ControlClient, ControlError};
use crate::auth::{
    GENERATION_HEADER, INSTANCE_HEADER, NONCE_HEADER, SIGNATURE_HEADER, Signed, TIMESTAMP_HEADER,
};
use crate::wire::{MAX_CONTROL_BODY_BYTES, PREFIX, Problem};

impl ControlClient {
    pub(super) async fn exchange<A: DeserializeOwned>(
        &self,
        method: Method,
        call: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<A, ControlError> {
        let request = self.signed(method, call, query, body)?;
        let answer = async {
            let response = request.send().await.map_err(|error| {
                if error.is_connect() {
                    ControlError::Unreachable(error)
                } else {
                    ControlError::Broken(error)
                }
            })?;
            let status = response.status();
            Ok((status, read_bounded(response).await?))
        };
        let (status, bytes) = match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => answer?,
            Err(_elapsed) => return Err(ControlError::TimedOut(timeout)),
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(&bytes).map_err(ControlError::BadAnswer);
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ControlError::Refused(Box::new(problem))),
            Err(_no_document) => Err(ControlError::BadStatus { status: status.as_u16() }),
        }
    }

    fn signed(
        &self,
        method: Method,
        call: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<reqwest::RequestBuilder, ControlError> {
        let mut url = self.target.base_url.clone();
        if url.cannot_be_a_base() {
            return Err(ControlError::BadBaseUrl);
        }
        url.set_path(&format!("{PREFIX}/{call}"));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let nonce = format!("{:032x}", fastrand::u128(..));
        let timestamp = self.clock.now();
        let signature = Signed {
            method: method.as_str(),
            path_and_query: &path_and_query,
            body: &body,
            timestamp,
            nonce: &nonce,
            instance: &self.target.server,
            generation: self.target.generation,
        }
        .signature(&self.target.key);
        Ok(self
            .http
            .request(method, url)
            .header(TIMESTAMP_HEADER, timestamp.0.to_string())
            .header(NONCE_HEADER, nonce)
            .header(INSTANCE_HEADER, self.target.server.as_str())
            .header(GENERATION_HEADER, self.target.generation.to_string())
            .header(SIGNATURE_HEADER, signature)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body))
    }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Vec<u8>, ControlError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ControlError::Broken)? {
        if bytes.len() + chunk.len() > MAX_CONTROL_BODY_BYTES {
            return Err(ControlError::AnswerTooLarge { max_bytes: MAX_CONTROL_BODY_BYTES });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
