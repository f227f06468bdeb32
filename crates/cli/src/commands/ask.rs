//! `canary`, `release`, `rollback`: asking for a release.

use anyhow::Result;
use segue_api::{IdempotencyKey, ReleaseKind, ReleaseRequest};

use super::{client_by, plan, wait};
use crate::args::{Common, ReleaseArgs, RequestArgs, RollbackArgs};
use crate::exit::Exit;
use crate::{output, text};

pub(super) async fn release(common: &Common, kind: ReleaseKind, args: ReleaseArgs) -> Result<Exit> {
    let ReleaseArgs { service, version, request } = args;
    ask(common, kind, service, version, None, request).await
}

pub(super) async fn rollback(common: &Common, args: RollbackArgs) -> Result<Exit> {
    let RollbackArgs { service, to, request } = args;
    ask(common, ReleaseKind::Rollback, service, None, to, request).await
}

async fn ask(
    common: &Common,
    kind: ReleaseKind,
    service: String,
    version: Option<String>,
    to: Option<String>,
    args: RequestArgs,
) -> Result<Exit> {
    let RequestArgs { signed, overrides, plan, idempotency_key, wait } = args;
    let plan = match plan.as_deref().map(|file| plan::read(file, &service, kind)).transpose() {
        Ok(plan) => plan,
        Err(refused) => return Ok(refused.told()),
    };
    // What the plan chose is what is asked for, unless somebody says otherwise; then the daemon tells them apart.
    let planned = plan.as_ref().map(|plan| plan.version.clone());
    let (version, to) = match kind {
        ReleaseKind::Canary | ReleaseKind::Full => (version.or(planned), to),
        ReleaseKind::Rollback => (version, to.or(planned)),
    };
    let plan = plan.map(|plan| plan.basis);
    let client = client_by(common, &signed)?;
    let key = match idempotency_key {
        Some(key) => key,
        None => random_key()?,
    };
    let request = ReleaseRequest { service, kind, version, to, overrides, reason: signed.reason, plan };
    let release = client.create(&request, &key).await?;
    if wait.wait {
        return wait::until_it_ends(common, &client, &release.id, wait.timeout).await;
    }
    output::data(common.output, &release, text::accepted)?;
    Ok(Exit::Done)
}

/// One for each intention of a person at a terminal.
fn random_key() -> Result<IdempotencyKey> {
    Ok(format!("cli-{:032x}", fastrand::u128(..)).parse()?)
}
