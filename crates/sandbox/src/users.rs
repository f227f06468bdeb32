//! Simulated users: they come through the front door, edit, leave, open and empty boards, and keep
//! their own record of everything they did and saw.
//!
//! The records are the witness of a demo. What they say is compared with the boards' stored logs
//! ([`recount`]), measured ([`figures`]) and put into words ([`report`]). Users know nothing of
//! instances, releases or the daemon: they have a URL and the contract's client.

mod crowd;
mod figures;
mod live;
pub mod ndjson;
mod owners;
mod population;
mod record;
mod recount;
mod report;
mod user;

pub use crowd::{Crowd, CrowdConfig, CrowdError};
pub use figures::{ClientFigures, Figures, Percentiles, Window};
pub use live::Live;
pub use owners::Owners;
pub use record::{Edit, Mark, Move, Phase, Records, RunEnd, SeenRun, UserRecord};
pub use recount::{EditCounts, Recount, Stored, StoredEdit};
pub use report::{
    AtMost, AttachRate, Boards, Canary, Chaos, Clients, Control, Daemon, EditLatency, Edits, Instances,
    Kills, Report, Stall, StepLine, Verdict,
};
