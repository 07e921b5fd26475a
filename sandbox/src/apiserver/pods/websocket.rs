//! Upgrading a request to a WebSocket that carries several channels: the first byte of each message is the channel.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::apiserver::body::{self, Body};
use crate::apiserver::status::{Failure, Result};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// An upgrade that was granted; the socket is there once the answer has been sent.
pub struct Upgrade {
    pending: OnUpgrade,
}

/// Grants a WebSocket upgrade in the first of our protocols that the client offers.
pub fn accept(request: &mut Request<Body>, ours: &[&'static str]) -> Result<(Response<Body>, Upgrade)> {
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket") {
        return Err(Failure::bad_request("Upgrade request required"));
    }
    let offered: Vec<String> = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|v| v.trim().to_string())
        .collect();
    let protocol = *ours.iter().find(|p| offered.iter().any(|o| o == *p)).ok_or_else(|| {
        Failure::bad_request(format!("unable to negotiate a WebSocket protocol: client supports {offered:?}, server accepts {ours:?}"))
    })?;
    let key = text(header::SEC_WEBSOCKET_KEY);
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(Failure::internal)?;
    let pending = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(|| Failure::bad_request("this connection cannot be upgraded"))?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    Ok((response, Upgrade { pending }))
}

/// The half that writes.
pub struct Sender(SplitSink<Socket, Message>);
/// The half that reads.
pub struct Receiver(SplitStream<Socket>);

impl Upgrade {
    pub async fn open(self) -> Result<(Sender, Receiver), hyper::Error> {
        let io = TokioIo::new(self.pending.await?);
        let (sink, stream) = WebSocketStream::from_raw_socket(io, Role::Server, None)
            .await
            .split();
        Ok((Sender(sink), Receiver(stream)))
    }
}

impl Sender {
    pub async fn send(&mut self, channel: u8, data: &[u8]) -> Result<(), Error> {
        let mut message = Vec::with_capacity(data.len() + 1);
        message.push(channel);
        message.extend_from_slice(data);
        self.0.send(Message::binary(message)).await
    }

    /// Clients take anything but "normal" for a failure of the connection.
    pub async fn close(&mut self) {
        let normal = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = self.0.send(Message::Close(Some(normal))).await;
        let _ = self.0.close().await;
    }
}

impl Receiver {
    /// The next message of a channel; `None` when the client is gone.
    pub async fn next(&mut self) -> Option<(u8, bytes::Bytes)> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Binary(mut data) if !data.is_empty() => {
                    let channel = data.split_to(1)[0];
                    return Some((channel, data));
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}
