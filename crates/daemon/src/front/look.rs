//! A service as it is right now, with what came of its releases.
//!
//! A look costs calls at AWS, Prometheus and every server; it is kept for a moment, so that a page that is
//! reloaded, or open on ten desks, does not become load there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_api::ServiceView;
use segue_domain::ids::ServiceName;
use segue_domain::reading::{Reading, Why};
use segue_domain::service::Service;
use segue_domain::world::World;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Front, trouble};
use crate::problem::Refused;
use crate::views::{self, Present};

/// A look is used again for this long.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// The last look at each service.
#[derive(Default)]
pub(super) struct Looks(std::sync::Mutex<BTreeMap<ServiceName, Arc<Place>>>);

type Place = Mutex<Option<(Instant, Arc<World>)>>;

impl Looks {
    fn place(&self, service: &ServiceName) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(places.entry(service.clone()).or_default())
    }
}

impl Front {
    pub(crate) async fn services(&self) -> Result<Vec<ServiceView>, Refused> {
        let views = self.services.iter().map(|service| self.present(service));
        futures_util::future::try_join_all(views).await
    }

    pub(crate) async fn service(&self, name: &str) -> Result<ServiceView, Refused> {
        let service = self.configured(name).map_err(|refusal| Refused::of(&refusal))?;
        self.present(service).await
    }

    async fn present(&self, service: &Service) -> Result<ServiceView, Refused> {
        let history = self.engine.history(&service.name).await.map_err(|error| trouble::book(&error))?;
        let world = self.look(service).await;
        let active = match history.active() {
            Some(summary) => Some(self.watch(&summary.release).await?.borrow().clone()),
            None => None,
        };
        let active = active.as_ref().map(|watch| watch.state.as_ref());
        Ok(views::service(&Present { service, history: &history, active, world: &world }))
    }

    /// The last look if it is fresh, else a new one; those who come meanwhile wait for it.
    async fn look(&self, service: &Service) -> Arc<World> {
        let place = self.looks.place(&service.name);
        let mut last = place.lock().await;
        if let Some((at, world)) = last.as_ref()
            && at.elapsed() < KEPT_FOR
        {
            return Arc::clone(world);
        }
        let world = match self.engine.look(&service.name).await {
            Ok(world) => world,
            Err(refusal) => {
                let why = Why::Refused(refusal.to_string());
                World { instances: Reading::Unknown(why), ..World::unseen(self.now()) }
            }
        };
        let world = Arc::new(world);
        *last = Some((Instant::now(), Arc::clone(&world)));
        world
    }
}
