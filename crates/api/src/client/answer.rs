//! One whole answer, read up to a limit, and what it means.

use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::error::Error;
use crate::{PROBLEM_MEDIA_TYPE, Problem};

const EXCERPT_CHARS_MAX: usize = 200;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    content_type: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn receive(sent: RequestBuilder, base: &Url, bytes_max: usize) -> Result<Self, Error> {
        let sent = sent.send().await;
        let response = sent.map_err(|source| Error::unreachable(base, source))?;
        Self::read(response, base, bytes_max).await
    }

    pub(crate) async fn read(mut response: Response, base: &Url, bytes_max: usize) -> Result<Self, Error> {
        let text = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mut answer = Self {
            status: response.status(),
            etag: text(header::ETAG),
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            body: Vec::new(),
        };
        let unreachable = |source| Error::unreachable(base, source);
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.body.len() + chunk.len() > bytes_max {
                return Err(answer.bad(&format!("it is longer than {bytes_max} bytes")));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    pub(crate) fn is_problem(&self) -> bool {
        self.content_type.starts_with(PROBLEM_MEDIA_TYPE)
    }

    /// The answer itself if the daemon did what it was asked; otherwise its problem.
    pub(crate) fn success(&self) -> Result<&Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        if self.is_problem() {
            return Err(Error::Problem(Box::new(self.parse::<Problem>()?)));
        }
        let body = String::from_utf8_lossy(&self.body);
        let excerpt: String = body.chars().take(EXCERPT_CHARS_MAX).collect();
        let excerpt = excerpt.trim();
        Err(match excerpt.is_empty() {
            true => self.bad("it says nothing"),
            false => self.bad(&format!("no problem document, but `{excerpt}`")),
        })
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.bad(&error.to_string()))
    }

    pub(crate) fn bad(&self, why: &str) -> Error {
        Error::BadAnswer { status: self.status.as_u16(), why: why.to_owned() }
    }
}
