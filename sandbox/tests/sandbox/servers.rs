//! Servers for probes to ask: gRPC's health service, and one behind TLS that sends callers on once.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// `grpc.health.v1.Health/Check`: everything serves but what is called `ill`.
pub fn health(port: &str) -> Result<()> {
    let port: u16 = port.parse()?;
    block_on(async move {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let service = service_fn(|request: Request<Incoming>| async move {
                let asked = request.into_body().collect().await?.to_bytes();
                let state = if asked.ends_with(b"ill") { 2 } else { 1 };
                let body = Full::new(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, state]));
                let status = (
                    HeaderName::from_static("grpc-status"),
                    HeaderValue::from_static("0"),
                );
                let trailers = async { Some(Ok(HeaderMap::from_iter([status]))) };
                Ok::<_, hyper::Error>(Response::new(body.with_trailers(trailers)))
            });
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// HTTPS with a certificate that nobody vouches for: `/moved` leads to `/`, which is fine.
pub fn secure(port: &str) -> Result<()> {
    let port: u16 = port.parse()?;
    let own = rcgen::generate_simple_self_signed(vec!["nobody.test".to_owned()])?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der())
        .map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    block_on(async move {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await?;
                let service = service_fn(|request: Request<Incoming>| async move {
                    let mut response = Response::new(Full::new(Bytes::new()));
                    match request.uri().path() {
                        "/moved" => {
                            *response.status_mut() = StatusCode::FOUND;
                            response
                                .headers_mut()
                                .insert("location", HeaderValue::from_static("/"));
                        }
                        "/" => {}
                        _ => *response.status_mut() = StatusCode::NOT_FOUND,
                    }
                    Ok::<_, std::convert::Infallible>(response)
                });
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await?;
                Ok::<_, anyhow::Error>(())
            });
        }
    })
}
