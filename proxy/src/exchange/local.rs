//! Answers the proxy gives itself, in the form the caller understands: HTTP, or gRPC trailers-only.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Body, ERROR_HEADER, Error, Response};

/// gRPC's words for what comes too late, and for who is not there.
pub const GRPC_DEADLINE: u32 = 4;
pub const GRPC_UNAVAILABLE: u32 = 14;

/// Is this a gRPC call (by its content type)?
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|v| {
        v.as_bytes().starts_with(b"application/grpc") && !v.as_bytes().starts_with(b"application/grpc-web")
    })
}

/// The gRPC status in headers or trailers.
pub fn grpc_status_of(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// An answer of the proxy's own. `reason` goes into [`ERROR_HEADER`] and, readably, into the body.
pub fn error_response(status: StatusCode, reason: &'static str, grpc: bool) -> Response {
    if grpc {
        return grpc_response(grpc_of_http(status), reason);
    }
    let mut response = Response::new(Body::full(format!("mesh: {reason}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(ERROR_HEADER, HeaderValue::from_static(reason));
    response
}

/// The same for gRPC, with a status of its own: headers and trailers in one.
pub fn grpc_response(status: u32, reason: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status));
    headers.insert("grpc-message", HeaderValue::from_static(reason));
    headers.insert(ERROR_HEADER, HeaderValue::from_static(reason));
    response
}

/// What ends a gRPC answer whose own end does not come.
pub fn grpc_trailers(error: &Error) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = if error.reason == "timeout" {
        GRPC_DEADLINE
    } else {
        GRPC_UNAVAILABLE
    };
    trailers.insert("grpc-status", HeaderValue::from(status));
    trailers.insert("grpc-message", HeaderValue::from_static(error.reason));
    trailers
}

/// As gRPC's own documentation maps them.
fn grpc_of_http(status: StatusCode) -> u32 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}
