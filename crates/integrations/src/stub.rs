//! A small HTTP server for this crate's tests.

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// The client that the adapters share, with the TLS provider that a main function would have installed.
pub(crate) fn client() -> reqwest::Client {
    // Another test of this process may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    crate::http::client().expect("a client")
}

/// Serves the routes on a free port of the loopback address.
pub(crate) async fn serve(routes: Router) -> Url {
    let (listener, url) = bound().await;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Takes connections and never answers.
pub(crate) async fn silent() -> Url {
    let (listener, url) = bound().await;
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    url
}

/// Ends each connection in the middle of an answer.
pub(crate) async fn cutting() -> Url {
    let (listener, url) = bound().await;
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut beginning = [0; 16];
            connection.read_exact(&mut beginning).await.expect("the beginning of a request");
            connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
                .await
                .expect("a beginning");
            connection.shutdown().await.expect("an end");
        }
    });
    url
}

/// An address where nobody listens.
pub(crate) async fn absent() -> Url {
    bound().await.1
}

async fn bound() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, Url::parse(&format!("http://{address}/")).expect("a URL"))
}
