//! Hooks and the notifier of the small world.

use async_trait::async_trait;
use segue_domain::service::WarmSpec;

use super::{FakePort, Method};
use crate::ports::{CallError, Hooks, Notifier, Target};

#[async_trait]
impl Hooks for FakePort {
    async fn configure(&self, at: &Target, _command: &[String]) -> Result<(), CallError> {
        let at = at.clone();
        self.change(Method::Configure, move |state| {
            state.app(&at.instance)?;
            state.configured.insert(at.instance.clone());
            Ok(())
        })
        .await
    }

    async fn warm_up(&self, at: &Target, _spec: &WarmSpec) -> Result<(), CallError> {
        let at = at.clone();
        self.change(Method::WarmUp, move |state| {
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
        let line = line.to_owned();
        self.change(Method::Announce, move |state| {
            state.announced.push(line);
            Ok(())
        })
        .await
    }
}
