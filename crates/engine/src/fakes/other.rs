//! Hooks and the notifier of the small world.

use async_trait::async_trait;
use segue_domain::service::WarmSpec;

use super::{FakePort, Method};
use crate::ports::{CallError, Hooks, Notifier, Target};

#[async_trait]
impl Hooks for FakePort {
    async fn configure(&self, at: &Target, _command: &[String]) -> Result<(), CallError> {
        self.call(Method::Configure, |state| {
            state.app(&at.instance)?;
            state.configured.insert(at.instance.clone());
            Ok(())
        })
        .await
    }

    async fn warm_up(&self, at: &Target, _spec: &WarmSpec) -> Result<(), CallError> {
        self.call(Method::WarmUp, |state| {
            state.app(&at.instance)?;
            state.warmed.insert(at.instance.clone());
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Notifier for FakePort {
    async fn announce(&self, line: &str) -> Result<(), CallError> {
        self.call(Method::Announce, |state| {
            state.announced.push(line.to_owned());
            Ok(())
        })
        .await
    }
}
