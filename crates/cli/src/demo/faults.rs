//! What goes wrong in the sandbox on request.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use segue_sandbox::Ready;
use segue_sandbox::faults::Fault;

/// For one request.
const SET: Duration = Duration::from_secs(10);

/// Sets one; what it does and for how long is the sandbox's business.
pub(super) async fn set(ready: &Ready, fault: &Fault) -> Result<()> {
    let url = format!("{}/admin/faults", ready.admin.trim_end_matches('/'));
    let answer = reqwest::Client::new().post(&url).json(fault).timeout(SET).send().await;
    let answer = answer.with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    ensure!(status.is_success(), "the sandbox did not set {fault:?}: {said}");
    Ok(())
}
