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
    let message = body.get(5..).unwrap_or_default();
    match HealthCheckResponse::decode(message) {
        Ok(HealthCheckResponse { status: SERVING }) => Ok(()),
        Ok(HealthCheckResponse { status }) => Err(ProbeError::Health(format!("not serving ({status})"))),
        Err(error) => Err(ProbeError::Health(error.to_string())),
    }
}
