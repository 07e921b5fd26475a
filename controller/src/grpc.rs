//! The port for proxies: identity without a certificate, discovery and telemetry with one. Other replicas ask here, too.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use mesh_api::{
    identity::Identity,
    wire::{
        discovery_server::DiscoveryServer, identity_server::IdentityServer, replica_server::ReplicaServer,
        telemetry_server::TelemetryServer,
    },
};
use mesh_net::tls;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, transport::server::Connected};

use crate::{discovery, identity::Signer, telemetry};

/// Handshakes that have not finished by then are dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Caller(Option<Identity>);

/// The identity that the caller's certificate proved.
pub fn caller<T>(request: &Request<T>) -> Result<Identity, Status> {
    match request.extensions().get::<Caller>() {
        Some(Caller(Some(identity))) => Ok(identity.clone()),
        _ => Err(Status::unauthenticated("a workload certificate is needed here")),
    }
}

/// What answers on the port.
pub struct Services {
    pub signer: Signer,
    pub discovery: discovery::Server,
    pub telemetry: telemetry::Receiver,
    pub replica: telemetry::Answerer,
}

/// Serves until `stopping`, then lets running calls end.
pub async fn serve(
    listener: TcpListener,
    tls: tls::Server,
    services: Services,
    stopping: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (sender, connections) = mpsc::channel(64);
    let accepting = tokio::spawn(accept(listener, tls, sender, stopping.clone()));
    let result = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_service(IdentityServer::new(services.signer))
        .add_service(DiscoveryServer::new(services.discovery))
        .add_service(TelemetryServer::new(services.telemetry))
        .add_service(ReplicaServer::new(services.replica))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), stopping.cancelled_owned())
        .await;
    accepting.abort();
    result
}

async fn accept(
    listener: TcpListener,
    tls: tls::Server,
    sender: mpsc::Sender<io::Result<Secured>>,
    stopping: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        let Ok((stream, from)) = accepted else {
            // Out of file descriptors, most likely: accepting again at once would only spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok((stream, peer))) => {
                    let _ = sender
                        .send(Ok(Secured {
                            stream,
                            caller: Caller(peer.identity),
                        }))
                        .await;
                }
                Ok(Err(error)) => tracing::debug!(%from, %error, "handshake refused"),
                Err(_) => tracing::debug!(%from, "handshake did not finish"),
            }
        });
    }
}

/// A connection that knows its caller.
struct Secured {
    stream: TlsStream<TcpStream>,
    caller: Caller,
}

impl Connected for Secured {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
