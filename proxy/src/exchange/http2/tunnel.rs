//! HTTP/1 upgrades (WebSocket and others) between proxies that have only HTTP/2 in common.
//!
//! An upgrade travels as an extended CONNECT (RFC 8441): a stream like any other, which becomes a pair of byte pipes
//! when the app agrees. What HTTP/2 has no place for goes in headers of ours:
//!
//! ```text
//!   GET /chat + upgrade: websocket  ─►  CONNECT /chat, :protocol websocket, x-meshctl-method: GET  ─►  GET /chat …
//!   101 + upgrade                   ◄─  200, x-meshctl-switched: <upgrade>                         ◄─  101
//!   any other answer                ◄─  399, x-meshctl-status: <status> (body as it is)            ◄─  any other
//! ```
//!
//! CONNECT itself is one, without `:protocol`, and has its place in HTTP/2 with apps as well.

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header, request};
use http_body::Body as _;
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use super::translate;
use crate::exchange::{Body, Response, Side};

/// The method an upgrade request had.
pub(super) const METHOD: HeaderName = HeaderName::from_static("x-meshctl-method");
/// The protocol switched to.
const SWITCHED: HeaderName = HeaderName::from_static("x-meshctl-switched");
/// The status of an answer that is not a switch.
const STATUS: HeaderName = HeaderName::from_static("x-meshctl-status");

const READ: usize = 16 * 1024;

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
    parts.headers.insert(header::UPGRADE, wanted);
}

/// A pipe into a body.
pub fn pipe(side: Side) -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, Body::piped(receiver, side).as_tunnel())
}

/// The app's answer to a request for a tunnel, as the called proxy sends it. `near` and `up` are the caller's end.
pub fn answer(
    mut response: Response,
    near: OnUpgrade,
    up: mpsc::Sender<Bytes>,
    between_proxies: bool,
) -> Response {
    let switched = response.headers_mut().remove(header::UPGRADE);
    translate::strip_hop_by_hop(response.headers_mut());
    if response.body().is_tunnel() {
        if between_proxies {
            let switched = switched.unwrap_or_else(|| HeaderValue::from_static(""));
            response.headers_mut().insert(SWITCHED, switched);
        }
        *response.status_mut() = StatusCode::OK;
        let down = std::mem::replace(response.body_mut(), Body::empty());
        tokio::task::spawn_local(carry(near, down, up));
    } else if between_proxies {
        // Not a 2xx, which would say in HTTP/2 that the tunnel stands.
        let status = HeaderValue::from(response.status().as_u16());
        response.headers_mut().insert(STATUS, status);
        *response.status_mut() = StatusCode::from_u16(399).unwrap_or(StatusCode::BAD_GATEWAY);
    }
    response
}

/// The answer from the called proxy, or from an app that was asked to CONNECT; `up` is what the caller sends.
pub fn answered(mut response: Response, far: OnUpgrade, up: Body, side: Side, connects: bool) -> Response {
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
        let (sender, down) = pipe(side);
        *response.body_mut() = down;
        tokio::task::spawn_local(carry(far, up, sender));
    } else if let Some(status) = headers
        .remove(STATUS)
        .and_then(|s| StatusCode::from_bytes(s.as_bytes()).ok())
    {
        *response.status_mut() = status;
    }
    response
}

/// Passes bytes between HTTP/2's end of a tunnel and ours until both directions have ended.
async fn carry(end: OnUpgrade, mut from: Body, to: mpsc::Sender<Bytes>) {
    let Ok(upgraded) = end.await else {
        return;
    };
    let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
    let inwards = async {
        loop {
            let mut buffer = BytesMut::with_capacity(READ);
            match read.read_buf(&mut buffer).await {
                Ok(1..) if to.send(buffer.freeze()).await.is_ok() => {}
                _ => return drop(to),
            }
        }
    };
    let outwards = async {
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut from).poll_frame(cx)).await {
            if let Ok(data) = frame.into_data()
                && write.write_all(&data).await.is_err()
            {
                return;
            }
        }
        let _ = write.shutdown().await;
    };
    tokio::join!(inwards, outwards);
}
