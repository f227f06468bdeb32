//! A release as the daemon sees it now.
//!
//! A view is a whole value: whoever has read one needs no other to understand it. Its `ETag` changes when
//! anything in it changes but what grows by itself: the age of a reading, the seconds of a running step.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Count, ReleaseId, ReleaseKind, Time};

/// One release, from request to verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseView {
    pub id: ReleaseId,
    pub service: String,
    pub kind: ReleaseKind,
    /// The version that is brought in.
    pub version: String,
    /// The version that ran when the release was asked for, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<String>,
    pub state: ReleaseState,
    pub direction: Direction,
    /// There when `state` is `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// In the order in which they are done; the steps to come too.
    pub steps: Vec<StepView>,
    /// The steps of the way back, in their order. Empty as long as the release goes forward.
    pub way_back: Vec<StepView>,
    pub boards: BoardsView,
    /// Preflight's and the judge's, by name.
    pub checks: Vec<CheckView>,
    /// When rollback stopped being possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<Time>,
    /// Who asked for it.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
    /// Why it is held, was refused, failed or goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Explanation>,
    /// On what it waits between two steps, or before its end. A step that runs has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
}

/// What the release is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    Running,
    /// A person paused it; it goes on at `resume`.
    Paused,
    /// A gate is open: it goes on at `promote` or `abort`.
    Asking,
    /// It cannot go on by itself; `because` says why. `retry` or `abort` go on, and `promote` where a canary
    /// could not be judged. Held with `direction` `back` it could not roll back: a person has to mend what
    /// `because` names, or says `promote` where too few old servers are left.
    Held,
    Closed,
}

/// Where the release is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Forward,
    /// On the way back: what was done is undone in reverse order.
    Back,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A canary proved itself.
    Passed,
    /// The service runs the version that was asked for. Also the good end of a rollback.
    Released,
    /// A canary or a step failed, and everything is as it was before.
    RolledBack,
    /// A person aborted it, and everything is as it was before.
    Aborted,
    /// It never began: a check said no. Nothing was changed.
    Refused,
}

/// One small goal inside a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// `resolve`, `preflight`, `launch`, … as in docs/architecture.md.
    pub name: String,
    pub state: StepState,
    /// How it was done; there when `state` is `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<StepOutcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// From start to end, or to now while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Pending,
    Running,
    Done,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It was already so; nothing was done.
    FoundDone,
    Did,
    /// Somebody else had begun it; the release saw it through.
    TookOver,
}

/// On what a step waits, since when, until when, and what happens then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingView {
    /// One sentence.
    pub on: String,
    /// Stable, in kebab case.
    pub on_kind: String,
    pub since: Time,
    /// Absent where only a person ends the wait (a pause).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What happens at `until`, one sentence.
    pub then: String,
}

/// Where the boards are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardsView {
    /// On the old servers when these were closed to new ones, by their own lists. Absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive_at_close: Option<u64>,
    /// Moves that ended well, from the journal.
    pub moved: u64,
    /// Tries to move a board that failed. One that went with a later wave counts in `moved` as well.
    pub failed: u64,
    pub on_blue: Count,
    pub on_green: Count,
}

/// One named check and what it said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    pub name: String,
    pub verdict: CheckVerdict,
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    Passed,
    Failed,
    /// It said no, and a person set it aside with a reason.
    Overridden,
}

/// A reason that people and programs can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Stable, in kebab case, with a page under docs/errors.
    pub code: String,
    pub sentence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The body of `GET /v1/releases`: the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    pub releases: Vec<ReleaseView>,
}

impl ReleaseView {
    /// The step that is being done now, in either direction.
    pub fn current_step(&self) -> Option<&StepView> {
        let steps = match self.direction {
            Direction::Forward => &self.steps,
            Direction::Back => &self.way_back,
        };
        steps.iter().find(|step| match step.state {
            StepState::Running | StepState::Failed => true,
            StepState::Pending | StepState::Done => false,
        })
    }
}
