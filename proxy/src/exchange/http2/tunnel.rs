//! HTTP/1 upgrades (WebSocket and others) between proxies that have only HTTP/2 in common.
//!
//! An upgrade travels as an extended CONNECT (RFC 8441): a stream like any other, whose bodies
//! are bytes when the app agrees. What HTTP/2 has no place for goes in headers of ours:
//!
//! ```text
//!   GET /chat + upgrade: websocket  ─►  CONNECT /chat, :protocol websocket, x-meshctl-method: GET  ─►  GET /chat …
//!   101 + upgrade                   ◄─  200, x-meshctl-switched: <upgrade>                         ◄─  101
//!   any other answer                ◄─  399, x-meshctl-status: <status> (body as it is)            ◄─  any other
//! ```
//!
//! CONNECT itself is one, without `:protocol`, and has its place in HTTP/2 with apps as well.

use h2::ext::Protocol;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header, request};

use super::translate;
use crate::exchange::Response;

/// The method an upgrade request had.
pub(super) const METHOD: HeaderName = HeaderName::from_static("x-meshctl-method");
/// The protocol switched to.
const SWITCHED: HeaderName = HeaderName::from_static("x-meshctl-switched");
/// The status of an answer that is not a switch.
const STATUS: HeaderName = HeaderName::from_static("x-meshctl-status");

/// Turns an upgrade request into an extended CONNECT.
pub fn to_connect(parts: &mut request::Parts, between_proxies: bool) {
    let wanted = parts.headers.get(header::UPGRADE).cloned();
    translate::to_http2(parts, between_proxies);
    if parts.method == Method::CONNECT {
        return;
    }
    if let Ok(method) = HeaderValue::from_str(parts.method.as_str()) {
        parts.headers.insert(METHOD, method);
    }
    parts.method = Method::CONNECT;
    if let Some(text) = wanted.as_ref().and_then(|w| w.to_str().ok()) {
        parts.extensions.insert(Protocol::from(text));
    }
}

/// An extended CONNECT becomes the upgrade request it was.
pub fn from_connect(parts: &mut request::Parts) {
    let method = parts.headers.remove(METHOD);
    let wanted = parts.extensions.remove::<Protocol>();
    let Some(wanted) = wanted.and_then(|w| HeaderValue::from_str(w.as_str()).ok()) else {
        return;
    };
    parts.method = method
        .and_then(|m| Method::from_bytes(m.as_bytes()).ok())
        .unwrap_or(Method::GET);
    parts.version = Version::HTTP_11;
    translate::name_host(parts);
    parts.headers.insert(header::UPGRADE, wanted);
}

/// The app's answer to a request for a tunnel, as the called proxy sends it.
pub fn answer(response: &mut Response, between_proxies: bool) {
    let switched = response.headers_mut().remove(header::UPGRADE);
    if response.body().is_tunnel() {
        if between_proxies {
            let switched = switched.unwrap_or_else(|| HeaderValue::from_static(""));
            response.headers_mut().insert(SWITCHED, switched);
        }
        // A tunnel has no length.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.status_mut() = StatusCode::OK;
    } else if between_proxies {
        // Not a 2xx, which would say in HTTP/2 that the tunnel stands.
        let status = HeaderValue::from(response.status().as_u16());
        response.headers_mut().insert(STATUS, status);
        *response.status_mut() = StatusCode::from_u16(399).unwrap_or(StatusCode::BAD_GATEWAY);
    }
}

/// The answer from the called proxy, or from an app that was asked to CONNECT, as its caller expects it; says whether
/// the tunnel stands.
pub fn answered(response: &mut Response, connects: bool) -> bool {
    let agreed = connects && response.status().is_success();
    let headers = response.headers_mut();
    let switched = headers.remove(SWITCHED);
    if agreed || switched.is_some() {
        if let Some(switched) = switched.filter(|s| !s.is_empty()) {
            headers.insert(header::UPGRADE, switched);
        }
        if !connects {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        return true;
    }
    if let Some(status) = headers
        .remove(STATUS)
        .and_then(|s| StatusCode::from_bytes(s.as_bytes()).ok())
    {
        *response.status_mut() = status;
    }
    false
}
