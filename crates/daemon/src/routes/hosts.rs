//! By which names this daemon may be asked.
//!
//! A page of any site can let its own name lead to this machine (DNS rebinding), and is then at home here in
//! the eyes of a browser: its requests and what it reads are no other origin's. The name stays its own,
//! though, and is in the header `Host`. An address cannot be made to lead elsewhere, and neither can
//! `localhost`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::uri::Authority;

/// Names that the configuration adds, in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self(names.into())
    }

    /// Whether `host`, with or without a port, is this daemon and can be nobody else.
    pub(super) fn know(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || address.parse::<IpAddr>().is_ok() || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_localhost_and_a_configured_name_are_this_daemon() {
        let hosts = Hosts::new(vec!["segue.internal".to_owned()]);
        for host in ["127.0.0.1:7788", "[::1]:7788", "localhost", "LOCALHOST:80", "Segue.Internal:443"] {
            assert!(hosts.know(host), "{host}");
        }
    }

    #[test]
    fn any_other_name_may_lead_here_by_its_owners_will() {
        let hosts = Hosts::new(vec!["segue.internal".to_owned()]);
        for host in [
            "",
            "elsewhere.example",
            "127.0.0.1.elsewhere.example",
            "localhost.elsewhere.example",
            "localhost@elsewhere.example",
            "segue.internal.elsewhere.example",
            "two words",
        ] {
            assert!(!hosts.know(host), "{host}");
        }
    }
}
