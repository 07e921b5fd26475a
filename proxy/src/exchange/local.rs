//! Answers the proxy gives itself, in the form the caller understands: HTTP, or gRPC trailers-only.

use h2::Reason;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{AppReset, Body, ERROR_HEADER, Error, Response};

/// gRPC's words for what comes too late, for who is not there, and for ends that an app gives by resets.
pub const GRPC_DEADLINE: u32 = 4;
pub const GRPC_UNAVAILABLE: u32 = 14;
const GRPC_CANCELLED: u32 = 1;
const GRPC_PERMISSION_DENIED: u32 = 7;
const GRPC_RESOURCE_EXHAUSTED: u32 = 8;
const GRPC_INTERNAL: u32 = 13;

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

/// The answer to a request that failed on its way.
pub fn failed_response(error: &Error, grpc: bool) -> Response {
    if grpc {
        return grpc_response(grpc_status(error), error.reason);
    }
    error_response(error.status(), error.reason, false)
}

/// What a failed exchange is to a client of gRPC. The word of an app that broke it off itself means what it would mean
/// without us; the app may have done what it was asked, so it is not one after which clients ask again by themselves.
pub fn grpc_status(error: &Error) -> u32 {
    if error.reason == "timeout" {
        return GRPC_DEADLINE;
    }
    match AppReset::of(error) {
        None | Some(AppReset(Reason::REFUSED_STREAM)) => GRPC_UNAVAILABLE,
        Some(AppReset(Reason::CANCEL)) => GRPC_CANCELLED,
        Some(AppReset(Reason::ENHANCE_YOUR_CALM)) => GRPC_RESOURCE_EXHAUSTED,
        Some(AppReset(Reason::INADEQUATE_SECURITY)) => GRPC_PERMISSION_DENIED,
        Some(_) => GRPC_INTERNAL,
    }
}

/// What ends a gRPC answer whose own end does not come.
pub fn grpc_trailers(error: &Error) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(grpc_status(error)));
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
