//! One request through the load balancer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::page::page;
use super::splice::{Side, splice};
use super::{HTTP_BUFFER, Lb, Permit};
use crate::connections::Live;
use crate::world::Route;

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Routes a request and answers with what its target says, or with a page of the load balancer's own.
pub(super) async fn answer(
    lb: Arc<Lb>,
    peer: SocketAddr,
    permit: Permit,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let response = forward(&lb, peer, permit, request).await;
    Ok(response.unwrap_or_else(|status| page(status).map(Either::Right)))
}

async fn forward(
    lb: &Arc<Lb>,
    peer: SocketAddr,
    permit: Permit,
    mut request: Request<Incoming>,
) -> Result<Answer, StatusCode> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let route =
        lb.shared.with(|world, _| world.route(lb.place, &query)).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let live = lb.connections.open(route.group.clone(), route.target.clone());
    let mut sender = connect(lb, &route).await.ok_or(StatusCode::BAD_GATEWAY)?;
    add_headers(&mut request, peer, lb.port);
    let wants_upgrade = request.headers().contains_key(UPGRADE);
    if !wants_upgrade {
        request.headers_mut().remove(CONNECTION);
    }
    let client = hyper::upgrade::on(&mut request);
    let answered = tokio::time::timeout(lb.settings.idle_timeout, sender.send_request(request)).await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::debug!(%error, target = %route.target, "a target did not answer");
            return Err(StatusCode::BAD_GATEWAY);
        }
        Err(_) => return Err(StatusCode::GATEWAY_TIMEOUT),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let target = hyper::upgrade::on(&mut response);
        let idle = lb.settings.idle_timeout;
        lb.carry(join(client, target, live, permit, idle));
    } else {
        response.headers_mut().remove(CONNECTION);
    }
    Ok(response.map(Either::Left))
}

/// A connection to the target; none when it cannot be had in time.
async fn connect(lb: &Lb, route: &Route) -> Option<http1::SendRequest<Incoming>> {
    let connecting = TcpStream::connect(route.address);
    let stream = tokio::time::timeout(lb.settings.connect_timeout, connecting).await.ok()?.ok()?;
    let _delays = stream.set_nodelay(true);
    let handshake =
        http1::Builder::new().max_buf_size(HTTP_BUFFER).handshake::<_, Incoming>(TokioIo::new(stream));
    let (sender, connection) = handshake.await.ok()?;
    lb.carry(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a target's connection ended early");
        }
    });
    Some(sender)
}

/// `X-Forwarded-*` as an ALB adds them in its default mode, `append`.
fn add_headers(request: &mut Request<Incoming>, peer: SocketAddr, port: u16) {
    let headers = request.headers_mut();
    let name = HeaderName::from_static("x-forwarded-for");
    let before = headers.get(&name).and_then(|value| value.to_str().ok());
    let chain = before.map_or_else(|| peer.ip().to_string(), |chain| format!("{chain}, {}", peer.ip()));
    if let Ok(value) = HeaderValue::try_from(chain) {
        headers.insert(name, value);
    }
    headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("http"));
    headers.insert(HeaderName::from_static("x-forwarded-port"), HeaderValue::from(port));
}

/// Joins the two sides of an upgraded connection until it ends.
async fn join(client: OnUpgrade, target: OnUpgrade, live: Live, permit: Permit, idle: std::time::Duration) {
    let (Ok(client), Ok(target)) = tokio::join!(client, target) else { return };
    let (Some(client), Some(target)) = (side(client), side(target)) else { return };
    tokio::select! {
        () = live.cut.cancelled() => {}
        ended = splice(client, target, idle) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a websocket ended early");
            }
        }
    }
    drop(permit);
}

/// The plain socket under an upgraded connection, and what hyper had read of it already.
fn side(upgraded: Upgraded) -> Option<Side> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Side { stream: parts.io.into_inner(), read_already: parts.read_buf })
}
