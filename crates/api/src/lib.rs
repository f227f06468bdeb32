//! The wire types of the daemon's `/v1` HTTP API and a typed client for it.
//!
//! Everything a terminal, a CI job or a dashboard may say to the daemon, and everything it may answer, is
//! a type here, with its OpenAPI schema. The daemon converts its own state into these types at its edge;
//! the command line only ever sees these.
//!
//! Deliberately absent: the domain's types (formats change on purpose only, never because the engine
//! changed), the server side, and any rule. A view states what the daemon decided; it decides nothing.

mod adoption;
mod client;
mod count;
mod event;
mod health;
mod id;
mod plan;
mod problem;
mod query;
mod release;
mod request;
mod service;
mod time;

pub use adoption::{
    AdoptedServer, Adoption, AdoptionOutcome, AdoptionPlan, AdoptionQuery, AdoptionRequest, KnownBy,
};
pub use client::{Client, EventReader, Fresh, Limits, Patience, error::Error};
pub use count::Count;
pub use event::{EventView, Scope};
pub use health::{Component, ComponentState, Readiness};
pub use id::{Actor, IdempotencyKey, InvalidId, ReleaseId};
pub use plan::{CallAt, PLAN_FORMAT, PlanBasis, PlanView, PlannedCall, PlannedStep};
pub use problem::{MEDIA_TYPE as PROBLEM_MEDIA_TYPE, Problem, ProblemItem};
pub use query::{EventsQuery, HistoryQuery, InvalidWait, ReleaseQuery, Wait};
pub use release::{
    BoardsView, CheckVerdict, CheckView, Direction, Explanation, History, ReleaseState, ReleaseView,
    StepOutcome, StepState, StepView, Verdict, WaitingView,
};
pub use request::{ACTOR, IDEMPOTENCY_KEY, Override, ReleaseKind, ReleaseRequest, Verb, VerbRequest};
pub use service::{
    FleetRole, FleetView, Health, InstanceState, InstanceView, ServiceList, ServiceView, Workload,
};
pub use time::Time;
