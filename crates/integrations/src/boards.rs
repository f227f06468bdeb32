//! The application's side of a move: the engine's port on the handover contract's control client.
//!
//! Ids are checked where they leave for the wire; a move's delta passes through unread. Retries, and what to do
//! about a refusal, are the engine's.

mod failure;
mod rows;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::{AppStatus, BoardRow};
use segue_domain::ids::{BoardId, EffectId, InstanceId, MoveId, Route};
use segue_engine::ports::{
    AttachPlan, Boards, CallError, Clock, Delta, EndOf, ItemOutcome, MoveItem, Prepared, Sealed,
    StandbyTerms, Target,
};
use segue_handover::auth::{Key, UnixMs};
use segue_handover::clock::WallClock;
use segue_handover::control::{ControlClient, ControlTarget, ControlTimeouts};
use segue_handover::wire;

use crate::http;
use failure::{failed, id, in_time, refused_item, said};

/// Pages after which a list of boards is given up: a million boards are on no one server.
const PAGES_MAX: usize = 1_000;

/// Speaks the handover contract to every instance of a service.
#[derive(Debug, Clone)]
pub struct ContractBoards {
    /// For the boards whose users wait: one after the other is switched, and only the first at a server waits for a
    /// connect.
    http: reqwest::Client,
    /// For all else, which goes to thousands of servers in turn.
    passing: reqwest::Client,
    key: Key,
    clock: WallClock,
    port: u16,
    timeouts: ControlTimeouts,
}

impl ContractBoards {
    /// `key` is shared with the application and signs every call, stamped with `clock`'s time. Instances are
    /// reached on the contract's port, [`wire::CONTROL_PORT`].
    pub fn new(http: reqwest::Client, key: Key, clock: Arc<dyn Clock>) -> Self {
        let clock = WallClock::from_fn(move || UnixMs(u64::try_from(clock.now().as_ms()).unwrap_or(0)));
        let (passing, timeouts) = (http.clone(), ControlTimeouts::default());
        Self { http, passing, key, clock, port: wire::CONTROL_PORT, timeouts }
    }

    /// All but switches goes by a client of its own.
    #[must_use]
    pub fn passing_by(self, passing: reqwest::Client) -> Self {
        Self { passing, ..self }
    }

    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    #[must_use]
    pub fn with_timeouts(self, timeouts: ControlTimeouts) -> Self {
        Self { timeouts, ..self }
    }

    fn switching(&self, at: &Target) -> Result<ControlClient, CallError> {
        self.client_by(&self.http, at)
    }

    fn passing(&self, at: &Target) -> Result<ControlClient, CallError> {
        self.client_by(&self.passing, at)
    }

    fn client_by(&self, http: &reqwest::Client, at: &Target) -> Result<ControlClient, CallError> {
        let base_url = http::server(&at.address, self.port).map_err(|error| {
            CallError::bug(format!(
                "{} has the address {:?}, which is none: {error}",
                at.instance, at.address
            ))
        })?;
        let target = ControlTarget {
            base_url,
            server: id(wire::ServerId::parse(at.instance.as_str()))?,
            key: self.key.clone(),
            generation: wire::Generation(at.generation),
        };
        let client = ControlClient::new(http.clone(), target, self.clock.clone());
        Ok(client.with_timeouts(self.timeouts))
    }
}

#[async_trait]
impl Boards for ContractBoards {
    async fn status(&self, at: &Target) -> Result<AppStatus, CallError> {
        let status = self.passing(at)?.status().await.map_err(|error| failed("status", at, &error))?;
        Ok(rows::status(status))
    }

    async fn boards(&self, at: &Target) -> Result<Vec<BoardRow>, CallError> {
        let client = self.passing(at)?;
        let mut boards = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let page = client.boards(cursor.as_ref(), None).await;
            let page = page.map_err(|error| failed("boards", at, &error))?;
            boards.extend(page.boards.into_iter().map(rows::board));
            cursor = onward("boards", at, cursor, page.next)?;
            if cursor.is_none() {
                // It is kept as long as the look at all servers lasts.
                boards.shrink_to_fit();
                return Ok(boards);
            }
        }
        Err(endless("boards", at))
    }

    async fn owned_by(&self, at: &Target, dead: &InstanceId) -> Result<u64, CallError> {
        let client = self.passing(at)?;
        let dead = id(wire::ServerId::parse(dead.as_str()))?;
        let mut owned = 0_u64;
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let page = client.owners(&dead, cursor.as_ref(), None).await;
            let page = page.map_err(|error| failed("owners", at, &error))?;
            owned = owned.saturating_add(u64::try_from(page.boards.len()).unwrap_or(u64::MAX));
            cursor = onward("owners", at, cursor, page.next)?;
            if cursor.is_none() {
                return Ok(owned);
            }
        }
        Err(endless("owners", at))
    }

    async fn open(&self, at: &Target, route: Option<&Route>) -> Result<(), CallError> {
        let route = route.map(|route| id(wire::Route::parse(route.as_str()))).transpose()?;
        let request = wire::OpenRequest { route, ..wire::OpenRequest::default() };
        let answer = self.passing(at)?.open(&request).await;
        answer.map(drop).map_err(|error| failed("open", at, &error))
    }

    async fn close(&self, at: &Target) -> Result<(), CallError> {
        self.passing(at)?.close().await.map(drop).map_err(|error| failed("close", at, &error))
    }

    async fn drain(&self, at: &Target, drain: &EffectId, rate_per_s: u32) -> Result<(), CallError> {
        // The wire's ids have no `/`, which is what parts of an effect's id are joined by.
        let name = drain.as_str().replace('/', ":");
        let request =
            wire::DrainRequest { release: id(wire::ReleaseId::parse(&name))?, rate_per_s: rate(rate_per_s)? };
        let answer = self.passing(at)?.drain(&request).await;
        answer.map(drop).map_err(|error| failed("drain", at, &error))
    }

    async fn prepare(
        &self,
        at: &Target,
        items: &[MoveItem],
        terms: StandbyTerms,
    ) -> Result<Vec<ItemOutcome<Prepared>>, CallError> {
        let client = self.passing(at)?;
        let mut outcomes = Vec::with_capacity(items.len());
        for chunk in items.chunks(wire::MAX_MOVES_PER_CALL) {
            let requests: Result<Vec<_>, CallError> =
                chunk.iter().map(|item| rows::prepare(item, terms)).collect();
            let answer = client.prepare_all(requests?).await;
            let answer = answer.map_err(|error| failed("prepare", at, &error))?;
            outcomes.extend(answer.answers.into_iter().map(|item| {
                let ready = item.result.into_result().map_err(|problem| said(&problem))?;
                Ok(Prepared { seq: ready.seq.get(), connect: ready.connect.to_string() })
            }));
        }
        Ok(outcomes)
    }

    async fn offer(&self, at: &Target, offers: &[AttachPlan]) -> Result<Vec<ItemOutcome<()>>, CallError> {
        let client = self.passing(at)?;
        let mut outcomes = Vec::with_capacity(offers.len());
        for chunk in offers.chunks(wire::MAX_MOVES_PER_CALL) {
            let requests: Result<Vec<_>, CallError> = chunk.iter().map(rows::offer).collect();
            let answer = client.offer_all(requests?).await;
            let answer = answer.map_err(|error| failed("offer", at, &error))?;
            outcomes.extend(
                answer
                    .answers
                    .into_iter()
                    .map(|item| item.result.into_result().map(drop).map_err(|problem| said(&problem))),
            );
        }
        Ok(outcomes)
    }

    async fn seal(&self, at: &Target, item: &MoveItem, ttl: Duration) -> Result<Sealed, CallError> {
        let request = wire::SealRequest {
            move_id: id(wire::MoveId::parse(item.id.as_str()))?,
            board: id(wire::BoardId::parse(item.board.as_str()))?,
            epoch: wire::Epoch(item.from_epoch),
            seal_ttl_ms: in_time(ttl),
            standby_seq: None,
        };
        let answer = self.switching(at)?.seal(&request).await.map_err(|error| failed("seal", at, &error))?;
        let delta = answer.delta.as_ref().map(serde_json::to_string).transpose();
        let delta = delta.map_err(|error| CallError::bug(format!("a delta cannot be written: {error}")))?;
        Ok(Sealed {
            final_seq: answer.final_seq.get(),
            delta: delta.map(Delta),
            digest: answer.digest.map(|digest| digest.0).unwrap_or_default(),
        })
    }

    async fn activate(&self, at: &Target, item: &MoveItem, sealed: &Sealed) -> Result<u64, CallError> {
        let delta = sealed.delta.as_ref().map(|delta| serde_json::from_str(&delta.0)).transpose();
        let delta = delta.map_err(|error| CallError::bug(format!("a delta cannot be read: {error}")))?;
        let request = wire::ActivateRequest {
            move_id: id(wire::MoveId::parse(item.id.as_str()))?,
            board: id(wire::BoardId::parse(item.board.as_str()))?,
            from_epoch: wire::Epoch(item.from_epoch),
            final_seq: Some(wire::Seq(sealed.final_seq)),
            delta,
            digest: (!sealed.digest.is_empty()).then(|| wire::Digest(sealed.digest.clone())),
            force: false,
        };
        let answer = self.switching(at)?.activate(&request).await;
        answer.map(|answer| answer.epoch.get()).map_err(|error| failed("activate", at, &error))
    }

    async fn end(&self, at: &Target, moves: &[(MoveId, BoardId)], outcome: EndOf) -> Result<(), CallError> {
        let client = self.passing(at)?;
        for chunk in moves.chunks(wire::MAX_MOVES_PER_CALL) {
            let requests: Result<Vec<_>, CallError> =
                chunk.iter().map(|(of, board)| rows::end(of, board, outcome)).collect();
            let answer = client.end_all(requests?).await.map_err(|error| failed("end", at, &error))?;
            let problems = answer.answers.into_iter().filter_map(|item| item.result.into_result().err());
            // The move of a board that it does not know is over there.
            let mut problems = problems.filter(|problem| problem.code != wire::ProblemCode::UnknownBoard);
            if let Some(problem) = problems.next() {
                return Err(refused_item("end", at, &problem));
            }
        }
        Ok(())
    }
}

fn rate(per_s: u32) -> Result<NonZeroU32, CallError> {
    NonZeroU32::new(per_s).ok_or_else(|| CallError::bug("a rate of zero would never end"))
}

/// Where the next page begins; rows come in the order of their ids, so it is always further on.
fn onward(
    call: &str,
    at: &Target,
    from: Option<wire::BoardId>,
    next: Option<wire::BoardId>,
) -> Result<Option<wire::BoardId>, CallError> {
    match (from, next) {
        (Some(from), Some(next)) if next <= from => {
            Err(CallError::bug(format!("{call} at {} goes back from {from} to {next}", at.instance)))
        }
        (_, next) => Ok(next),
    }
}

fn endless(call: &str, at: &Target) -> CallError {
    CallError::bug(format!("{call} at {} was given up after {PAGES_MAX} pages", at.instance))
}

#[cfg(test)]
mod tests;
