//! The name of a stream: `release/boards-12`, `service/boards`.

use std::fmt;

use segue_domain::ids::{ReleaseId, ServiceName};

use crate::fact::Fact;

const RELEASE: &str = "release/";
const SERVICE: &str = "service/";

/// A sequence of records about one release or one service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    name: String,
    about: About,
}

/// What a stream is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    Release(ReleaseId),
    Service(ServiceName),
}

impl Stream {
    /// What the names of all releases' streams begin with.
    pub const RELEASES: &'static str = RELEASE;

    pub fn release(release: &ReleaseId) -> Self {
        Self { name: format!("{RELEASE}{release}"), about: About::Release(release.clone()) }
    }

    pub fn service(service: &ServiceName) -> Self {
        Self { name: format!("{SERVICE}{service}"), about: About::Service(service.clone()) }
    }

    /// Reads a name; `None` when it is neither a release's nor a service's.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(release) = name.strip_prefix(RELEASE) {
            return Some(Self::release(&ReleaseId::parse(release)?)).filter(|stream| stream.name == name);
        }
        let service = name.strip_prefix(SERVICE).filter(|service| !service.is_empty())?;
        Some(Self::service(&ServiceName::new(service)))
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    pub fn about(&self) -> &About {
        &self.about
    }

    /// A release's stream takes what happens in releases, a service's what happens in services.
    pub(crate) fn takes(&self, fact: &Fact) -> bool {
        match (&self.about, fact) {
            (About::Release(_), Fact::Release(_)) | (About::Service(_), Fact::Service(_)) => true,
            (About::Release(_), Fact::Service(_)) | (About::Service(_), Fact::Release(_)) => false,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_reads_back_what_it_says() {
        for name in ["release/live-boards-12", "service/boards"] {
            assert_eq!(Stream::parse(name).map(|stream| stream.to_string()).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_name_that_would_read_back_differently_is_none() {
        for name in ["release/boards", "release/boards-012", "release/boards-+1", "service/", "boards", ""] {
            assert_eq!(Stream::parse(name), None, "{name}");
        }
    }
}
