//! HTTP/1 upgrades (WebSocket and others) across the mesh.
//!
//! Between proxies an upgrade travels as an extended CONNECT (RFC 8441): a stream of HTTP/2 like any other, which
//! becomes a pair of byte pipes when the app agrees. What HTTP/2 has no place for goes in headers of ours:
//!
//! ```text
//!   GET /chat + upgrade: websocket  ─►  CONNECT /chat, :protocol websocket, x-meshctl-method: GET  ─►  GET /chat …
//!   101 + upgrade                   ◄─  200, x-meshctl-switched: <upgrade>                         ◄─  101
//!   any other answer                ◄─  399, x-meshctl-status: <status> (body as it is)            ◄─  any other
//! ```

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, Version, header,
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

use super::Response;

/// The method an upgrade request had.
pub(super) const METHOD: HeaderName = HeaderName::from_static("x-meshctl-method");
/// The protocol switched to.
const SWITCHED: HeaderName = HeaderName::from_static("x-meshctl-switched");
/// The status of an answer that is not a switch.
const STATUS: HeaderName = HeaderName::from_static("x-meshctl-status");

/// The protocol an HTTP/1.1 request asks to switch to. HTTP/2 by upgrade is obsolete and not passed on.
pub fn asked_for(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let listed = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let wanted = headers
        .get(header::UPGRADE)
        .filter(|_| version == Version::HTTP_11 && listed)?;
    let wanted_text = wanted.to_str().ok()?;
    (!wanted_text.to_ascii_lowercase().starts_with("h2c")).then(|| wanted.clone())
}

/// Turns an upgrade request (already fit for HTTP/2) into an extended CONNECT.
pub fn to_connect(parts: &mut http::request::Parts, wanted: &HeaderValue) {
    if let Ok(method) = HeaderValue::from_str(parts.method.as_str()) {
        parts.headers.insert(METHOD, method);
    }
    parts.method = Method::CONNECT;
    if let Ok(text) = wanted.to_str() {
        parts.extensions.insert(Protocol::from(text));
    }
}

/// The protocol an extended CONNECT asks for; the request becomes the upgrade request it was.
pub fn from_connect(parts: &mut http::request::Parts) -> Option<HeaderValue> {
    let method = parts.headers.remove(METHOD);
    if parts.method != Method::CONNECT {
        return None;
    }
    let wanted = parts.extensions.remove::<Protocol>()?;
    parts.method = method
        .and_then(|m| Method::from_bytes(m.as_bytes()).ok())
        .unwrap_or(Method::GET);
    HeaderValue::from_str(wanted.as_str()).ok()
}

/// Puts an upgrade's headers on an HTTP/1.1 request.
pub fn ask(headers: &mut HeaderMap, wanted: &HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, wanted.clone());
}

/// The app's answer to an upgrade request, as the called proxy sends it through the mesh.
pub fn answer_to_mesh<B>(response: &mut HttpResponse<B>) {
    let headers = response.headers_mut();
    let switched = headers.remove(header::UPGRADE);
    super::translate::strip_hop_by_hop(headers);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let switched = switched.unwrap_or_else(|| HeaderValue::from_static(""));
        response.headers_mut().insert(SWITCHED, switched);
        *response.status_mut() = StatusCode::OK;
    } else {
        // Not a 2xx, which would say in HTTP/2 that the tunnel stands.
        let status = HeaderValue::from(response.status().as_u16());
        response.headers_mut().insert(STATUS, status);
        *response.status_mut() = StatusCode::from_u16(399).unwrap_or(StatusCode::BAD_GATEWAY);
    }
}

/// The answer from the mesh, as the app that asked gets it.
pub fn answer_from_mesh<B>(response: &mut HttpResponse<B>) {
    let headers = response.headers_mut();
    if let Some(switched) = headers.remove(SWITCHED) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, switched);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    } else if let Some(status) = headers
        .remove(STATUS)
        .and_then(|s| StatusCode::from_bytes(s.as_bytes()).ok())
    {
        *response.status_mut() = status;
    }
}

/// Joins both ends once both have switched; `done` gets the bytes passed up and down.
pub fn join(near: OnUpgrade, far: &mut Response, done: impl FnOnce(u64, u64) + 'static) {
    let far = hyper::upgrade::on(far);
    tokio::task::spawn_local(async move {
        let (Ok(near), Ok(far)) = tokio::join!(near, far) else {
            return done(0, 0);
        };
        let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
        let (up, down) = tokio::io::copy_bidirectional(&mut near, &mut far)
            .await
            .unwrap_or_default();
        done(up, down);
    });
}
