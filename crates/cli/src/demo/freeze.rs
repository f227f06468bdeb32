//! An old server that stands still for longer than the liveness rule allows, and goes on as if nothing had been:
//! the stale writer. Others have its boards by then; whether it can still write is what is looked at.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use segue_handover::store::BoardStore as _;
use segue_handover::wire::ServerId;
use segue_sandbox::Ready;
use segue_sandbox::faults::Fault;
use segue_sandbox::store::client::StoreClient;
use tokio::time::Instant;

use super::faults;
use crate::output::say;

/// A server that says nothing for so long has lost its users: well before it goes on.
pub(super) const SILENCE: Duration = Duration::from_millis(2_500);
/// Until others have what it had: the store's rule (3 s), what users need to find out, and to come back.
const FROZEN_MAX: Duration = Duration::from_mins(1);
/// Until it has found out, and the load balancer has seen it healthy again.
const THAWED: Duration = Duration::from_secs(4);
/// Between two looks at the ownership table.
const LOOK: Duration = Duration::from_millis(100);

/// Freezes the first old server that has boards, and lets it go on.
pub(super) async fn an_old_server(ready: &Ready) -> Result<()> {
    let store = StoreClient::connect(ready.store.context("the sandbox has no store")?);
    for id in &ready.blue {
        let server = ServerId::parse(id.as_str())?;
        let boards = store.owners(&server, None, 1_000).await?.boards.len();
        if boards == 0 {
            continue;
        }
        say(&format!("demo: {id} is frozen with {boards} boards"));
        faults::set(ready, &Fault::Freeze { instance: id.clone() }).await?;
        let by = Instant::now() + FROZEN_MAX;
        while !store.owners(&server, None, 1).await?.boards.is_empty() {
            ensure!(Instant::now() < by, "{id} is frozen, and nobody takes its boards");
            tokio::time::sleep(LOOK).await;
        }
        faults::set(ready, &Fault::Thaw { instance: id.clone() }).await?;
        say(&format!("demo: {id} goes on"));
        tokio::time::sleep(THAWED).await;
        return Ok(());
    }
    anyhow::bail!("no old server has boards")
}
