//! The HTTP clients that all modules share, and reading an answer that may be too long.

use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

/// Somebody in the same network answers in milliseconds, or not at all.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Long enough for one board after the other of a server to be switched, and short enough for a large fleet, in which a
/// server has its turn once in a while: the connections of one second were eight thousand, of some 25 kB each. Servers
/// keep idle connections longer, so that a call seldom meets one that is being closed.
const IDLE_LIMIT: Duration = Duration::from_millis(100);

/// A client for servers of the same private network: no proxies, no redirects.
///
/// The process's TLS provider must have been installed before (`rustls`'s `install_default`).
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    builder().pool_idle_timeout(IDLE_LIMIT).build()
}

/// One that keeps no connection: for what goes to every server of a fleet in turn. A connection holds some 25 kB, and
/// ten thousand of them would be most of what the daemon may hold.
pub fn passing_client() -> Result<reqwest::Client, reqwest::Error> {
    builder().pool_max_idle_per_host(0).build()
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("segue/", env!("CARGO_PKG_VERSION")))
}

/// Where a server listens: `http://ADDRESS:PORT/`, brackets around an IPv6 address.
pub(crate) fn server(address: &str, port: u16) -> Result<Url, url::ParseError> {
    if address.contains(':') {
        Url::parse(&format!("http://[{address}]:{port}/"))
    } else {
        Url::parse(&format!("http://{address}:{port}/"))
    }
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
    #[error("the answer is longer than {max_bytes} bytes")]
    TooLong { max_bytes: usize },
}

pub(crate) async fn body(mut response: reqwest::Response, max_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len().saturating_add(chunk.len()) > max_bytes {
            return Err(BodyError::TooLong { max_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_a_url_in_either_family() {
        for (address, url) in [("10.0.0.7", "http://10.0.0.7:9000/"), ("fd00::7", "http://[fd00::7]:9000/")] {
            assert_eq!(server(address, 9000).map(String::from), Ok(url.to_owned()));
        }
        assert!(server("not an address", 9000).is_err());
    }
}
