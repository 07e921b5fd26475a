//! The port for the API server: webhooks and the aggregated telemetry API.
//!
//! Webhooks are answered to whoever asks, as they only transform what they are given. The aggregated API trusts user
//! names in headers, and therefore only a caller with the front proxy's certificate.

mod front;
mod handle;

pub use front::{FrontProxy, follow};
pub use handle::{Access, Handler};

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use mesh_net::tls::Credentials;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests that still run when the controller stops get this long.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stopping`, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    credentials: Credentials,
    front: FrontProxy,
    handler: Arc<Handler>,
    stopping: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let config = match front.server_config(&credentials) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "cannot serve TLS");
                continue;
            }
        };
        let (front, handler, watcher) = (front.clone(), handler.clone(), graceful.watcher());
        tokio::spawn(async move {
            let accepting = TlsAcceptor::from(config).accept(stream);
            let stream = match tokio::time::timeout(HANDSHAKE, accepting).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%from, %error, "handshake refused"),
                Err(_) => return tracing::debug!(%from, "handshake did not finish"),
            };
            let trusted = front.is_front_proxy(stream.get_ref().1.peer_certificates());
            let service = service_fn(move |request: Request<Incoming>| {
                let handler = handler.clone();
                async move { Ok::<_, Infallible>(handler.answer(request, trusted).await) }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30));
            let connection = builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%from, error, "connection of the API server ends");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}
