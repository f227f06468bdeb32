//! A stream of events, one at a time.
//!
//! It ends when the daemon ends it or goes silent; the caller opens the next one with `last_id`.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use url::Url;

use super::Limits;
use super::answer::Answer;
use super::error::Error;
use super::sse::{Frame, Frames};
use crate::EventView;

pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// Reads events from one connection.
#[derive(Debug)]
pub struct EventReader {
    response: Response,
    frames: Frames,
    ready: VecDeque<Frame>,
    last_id: Option<String>,
    silence: Duration,
    base: Url,
}

impl EventReader {
    pub(crate) async fn open(sent: RequestBuilder, base: &Url, limits: &Limits) -> Result<Self, Error> {
        let response = match tokio::time::timeout(limits.answer, sent.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => return Err(Error::unreachable(base, source)),
            Err(_elapsed) => return Err(Error::silent(base, limits.answer)),
        };
        let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        let streams = content_type.is_some_and(|value| value.as_bytes().starts_with(MEDIA_TYPE.as_bytes()));
        if response.status().is_success() && streams {
            return Ok(Self {
                response,
                frames: Frames::default(),
                ready: VecDeque::new(),
                last_id: None,
                silence: limits.silence,
                base: base.clone(),
            });
        }
        let answer = Answer::read(response, base, limits.answer_bytes_max).await?;
        answer.success()?;
        Err(answer.bad("it is no stream of events"))
    }

    /// The next event; `None` when the daemon closed the stream.
    ///
    /// Safe to drop and call again: an event is either told or still there.
    pub async fn next(&mut self) -> Result<Option<EventView>, Error> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                let event =
                    serde_json::from_str(&frame.data).map_err(|error| self.bad(&error.to_string()))?;
                self.last_id = frame.id.or(self.last_id.take());
                return Ok(Some(event));
            }
            let chunk = match tokio::time::timeout(self.silence, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(source)) => return Err(Error::unreachable(&self.base, source)),
                Err(_elapsed) => return Err(Error::silent(&self.base, self.silence)),
            };
            let frames = self.frames.push(&chunk).map_err(|error| self.bad(&error.to_string()))?;
            self.ready.extend(frames);
        }
    }

    /// What to give to `Client::events` so that the next stream goes on where this one ended.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn bad(&self, why: &str) -> Error {
        Error::BadAnswer { status: self.response.status().as_u16(), why: why.to_owned() }
    }
}
