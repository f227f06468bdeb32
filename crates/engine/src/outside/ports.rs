//! The ports of one service, together.

use std::sync::Arc;

use crate::ports::{BoardMetrics, Boards, Cloud, Hooks, LoadBalancer, Notifier};

/// Every outside system that a service's releases speak to.
#[derive(Clone)]
pub struct Ports {
    pub cloud: Arc<dyn Cloud>,
    pub balancer: Arc<dyn LoadBalancer>,
    pub metrics: Arc<dyn BoardMetrics>,
    pub boards: Arc<dyn Boards>,
    pub hooks: Arc<dyn Hooks>,
    pub notifier: Arc<dyn Notifier>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}
