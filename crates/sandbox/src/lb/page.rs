//! The load balancer's own answers, as an ALB words them.

use http::{Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;

/// A page that the load balancer answers in the target's place.
pub(super) fn page(status: StatusCode) -> Response<Full<Bytes>> {
    let words = status.canonical_reason().unwrap_or("Error");
    let title =
        if status == StatusCode::SERVICE_UNAVAILABLE { "Service Temporarily Unavailable" } else { words };
    let title = format!("{} {title}", status.as_u16());
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, header::HeaderValue::from_static("awselb/2.0"));
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
    response
}
