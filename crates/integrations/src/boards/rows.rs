//! The contract's words in the domain's, and back.

use segue_domain::app::{AppState, AppStatus, BoardRow, BoardState, Caps, Formats};
use segue_domain::ids::{BoardId, MoveId, Route, Version};
use segue_engine::ports::{AttachPlan, CallError, EndOf, MoveItem, StandbyTerms};
use segue_handover::wire;

use super::failure::{id, in_time};
use super::rate;

pub(super) fn status(status: wire::ServerStatus) -> AppStatus {
    AppStatus {
        version: Version::new(status.version),
        state: match status.state {
            wire::ServerState::Serving => AppState::Serving,
            wire::ServerState::Closed => AppState::Closed,
            wire::ServerState::Draining => AppState::Draining,
        },
        level: status.level.into(),
        formats: Formats { reads: status.formats.reads, writes: status.formats.writes },
        boards: status.boards,
        clients: status.clients,
        caps: Caps { boards: status.caps.boards, clients: status.caps.clients, bytes: status.caps.bytes },
        route: status.route.map(|route| Route::new(route.as_str())),
        generation: status.generation.get(),
    }
}

pub(super) fn board(row: wire::BoardRow) -> BoardRow {
    BoardRow {
        board: BoardId::new(row.board.as_str()),
        epoch: row.epoch.get(),
        state: match row.state {
            wire::BoardState::Opening | wire::BoardState::Closing => BoardState::Passing,
            wire::BoardState::Active => BoardState::Active,
            wire::BoardState::Offered => BoardState::Offered,
            wire::BoardState::Sealed => BoardState::Sealed,
            wire::BoardState::Released => BoardState::Released,
            wire::BoardState::Loading => BoardState::Loading,
            wire::BoardState::Standby => BoardState::Standby,
        },
        clients: row.clients.into(),
        unsupported: row.unsupported.into(),
        attached: row.attached.into(),
        bytes: row.bytes,
        moving: row.move_id.map(|of| MoveId::new(of.as_str())),
    }
}

pub(super) fn prepare(item: &MoveItem, terms: StandbyTerms) -> Result<wire::PrepareRequest, CallError> {
    Ok(wire::PrepareRequest {
        move_id: id(wire::MoveId::parse(item.id.as_str()))?,
        board: id(wire::BoardId::parse(item.board.as_str()))?,
        from_epoch: wire::Epoch(item.from_epoch),
        ttl_ms: in_time(terms.ttl),
        attach_rate_per_s: Some(rate(terms.attach_rate_per_s)?),
    })
}

pub(super) fn offer(plan: &AttachPlan) -> Result<wire::OfferRequest, CallError> {
    Ok(wire::OfferRequest {
        move_id: id(wire::MoveId::parse(plan.item.id.as_str()))?,
        board: id(wire::BoardId::parse(plan.item.board.as_str()))?,
        connect: id(wire::Connect::parse(&plan.connect))?,
        rate_per_s: rate(plan.rate_per_s)?,
        deadline_ms: in_time(plan.deadline),
    })
}

pub(super) fn end(of: &MoveId, board: &BoardId, outcome: EndOf) -> Result<wire::EndRequest, CallError> {
    Ok(wire::EndRequest {
        move_id: id(wire::MoveId::parse(of.as_str()))?,
        board: id(wire::BoardId::parse(board.as_str()))?,
        outcome: match outcome {
            EndOf::Release => wire::Outcome::Release,
            EndOf::Abort => wire::Outcome::Abort,
        },
    })
}
