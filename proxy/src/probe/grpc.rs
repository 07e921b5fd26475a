//! gRPC's health protocol, of which one call and one field each way are needed.

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;

use super::ProbeError;
use crate::exchange::grpc_status_of;

const SERVING: i32 = 1;
const LARGEST: usize = 64 * 1024;

#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub service: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

pub async fn check(stream: TcpStream, service: &str) -> Result<(), ProbeError> {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let message = HealthCheckRequest {
        service: service.to_owned(),
    };
    let request = Request::post("http://probe/grpc.health.v1.Health/Check")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "kube-probe/mesh")
        .body(Full::<Bytes>::from(framed(&message.encode_to_vec())))?;
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|e| ProbeError::Health(e.to_string()))?;
        let trailers = body.trailers().cloned();
        judge(&head.headers, trailers.as_ref(), &body.to_bytes())
    };
    let result = answer.await;
    connection.abort();
    result
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn judge(head: &HeaderMap, trailers: Option<&HeaderMap>, body: &[u8]) -> Result<(), ProbeError> {
    match trailers.and_then(grpc_status_of).or_else(|| grpc_status_of(head)) {
        Some(0) => {}
        Some(status) => return Err(ProbeError::Health(format!("gRPC status {status}"))),
        None => return Err(ProbeError::Health("no gRPC status".into())),
    }
    let Some(message) = message_of(body) else {
        return Err(ProbeError::Health("not a gRPC message".into()));
    };
    match HealthCheckResponse::decode(message) {
        Ok(HealthCheckResponse { status: SERVING }) => Ok(()),
        Ok(HealthCheckResponse { status }) => Err(ProbeError::Health(format!("not serving ({status})"))),
        Err(error) => Err(ProbeError::Health(error.to_string())),
    }
}

/// The one message of an answer: not compressed, for we offered no compression, and whole.
fn message_of(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_first_chunk::<5>()?;
    let [0, length @ ..] = *prefix else {
        return None;
    };
    (u32::from_be_bytes(length) as usize == message.len()).then_some(message)
}

/// Only an app that says so serves. `bytes`: the statuses of head and trailers, of one byte each, then the body.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_judge(bytes: &[u8]) {
    let Some((statuses, body)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let status = |byte: u8| {
        let mut headers = HeaderMap::new();
        if byte < 200 {
            headers.insert("grpc-status", u16::from(byte).into());
        }
        headers
    };
    let [head, trailers] = statuses.map(status);
    if judge(&head, Some(&trailers), body).is_ok() {
        assert!(statuses.contains(&0), "{statuses:?}");
        let said = HealthCheckResponse::decode(&body[5..]);
        assert_eq!(said.map(|m| m.status), Ok(SERVING));
    }
}
