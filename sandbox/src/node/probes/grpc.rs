//! Probes by gRPC: one call of the standard health service, without TLS, as a kubelet makes it.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::ask::Failure;

const METHOD: &str = "/grpc.health.v1.Health/Check";
const UNIMPLEMENTED: &str = "12";
/// Names of the states, by their numbers.
const STATES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

pub(super) async fn check(address: &str, service: &str, timeout: Duration) -> Result<(), Failure> {
    let late = format!(
        "timeout: failed to connect service {address:?} within {timeout:?}: context deadline exceeded"
    );
    let (trailers, message) = match tokio::time::timeout(timeout, call(address, service)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(Failure::Refused(late));
        }
        Ok(Err(error)) => {
            return Err(Failure::Answer(format!(
                "error: health rpc probe failed: {error}"
            )));
        }
        Err(_) => return Err(Failure::Answer(late)),
    };
    let text = |name: &str| {
        trailers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    match text("grpc-status") {
        "0" => {}
        UNIMPLEMENTED => {
            let why = text("grpc-message");
            return Err(Failure::Answer(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {why}"
            )));
        }
        code => {
            let why = text("grpc-message");
            return Err(Failure::Answer(format!(
                "error: health rpc probe failed: rpc error: code = {code} desc = {why}"
            )));
        }
    }
    match state(&message) {
        1 => Ok(()),
        other => Err(Failure::Answer(format!(
            "service unhealthy (responded with {:?})",
            STATES.get(usize::from(other)).unwrap_or(&"an unknown state")
        ))),
    }
}

/// Calls, and returns the status (in trailers, or in headers where there is nothing else) and the message.
async fn call(address: &str, service: &str) -> io::Result<(HeaderMap, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // The connection ends with its sender.
    tokio::spawn(connection);
    let request = Request::post(format!("http://{address}{METHOD}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.36")
        .body(Full::new(frame(service)))
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    if !answer.status().is_success() {
        let status = answer.status();
        return Err(io::Error::other(format!("unexpected HTTP status {status}")));
    }
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let trailers = body.trailers().cloned();
    Ok((trailers.unwrap_or(head.headers), body.to_bytes()))
}

/// `HealthCheckRequest { service }` in gRPC's frame.
fn frame(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        let service = &service.as_bytes()[..service.len().min(127)];
        message.extend([0x0a, service.len() as u8]);
        message.extend_from_slice(service);
    }
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    frame.into()
}

/// `HealthCheckResponse.status`, its first field; zero when it is not said.
fn state(frame: &[u8]) -> u8 {
    match frame.get(5..) {
        Some([0x08, state, ..]) => *state,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_health_services_messages_are_written_and_read() {
        assert_eq!(&frame("")[..], [0; 5]);
        assert_eq!(&frame("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(state(&[0, 0, 0, 0, 2, 8, 1]), 1);
        assert_eq!(state(&[0, 0, 0, 0, 0]), 0);
        assert_eq!(state(&[]), 0);
    }

    async fn served(answer: &'static [u8], code: &'static str) -> Result<(), String> {
        use hyper::{Response, server::conn::http2, service::service_fn};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| async move {
                assert_eq!(request.uri().path(), METHOD);
                let sent = request.into_body().collect().await?.to_bytes();
                assert_eq!(sent, frame("x"));
                let trailers = async move {
                    Some(Ok(HeaderMap::from_iter([(
                        http::HeaderName::from_static("grpc-status"),
                        http::HeaderValue::from_static(code),
                    )])))
                };
                Ok::<_, hyper::Error>(Response::new(
                    Full::new(Bytes::from_static(answer)).with_trailers(trailers),
                ))
            });
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
        match check(&address, "x", Duration::from_secs(5)).await {
            Ok(()) => Ok(()),
            Err(Failure::Answer(why) | Failure::Refused(why) | Failure::Unknown(why)) => Err(why),
        }
    }

    #[tokio::test]
    async fn only_serving_is_healthy() {
        assert_eq!(served(&[0, 0, 0, 0, 2, 8, 1], "0").await, Ok(()));
        let not = served(&[0, 0, 0, 0, 2, 8, 2], "0").await.unwrap_err();
        assert_eq!(not, "service unhealthy (responded with \"NOT_SERVING\")");
        let none = served(&[], "12").await.unwrap_err();
        assert!(
            none.contains("does not implement the grpc health protocol"),
            "{none}"
        );
        let nobody = check("127.0.0.1:1", "", Duration::from_secs(5)).await;
        assert!(matches!(nobody, Err(Failure::Refused(_))));
    }
}
