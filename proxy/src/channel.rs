//! gRPC to the control plane, over TLS that checks its SPIFFE identity; and to a collector of spans, without.
//!
//! The transport is our own connector, because who we expect is an identity, not a host name, and because every
//! reconnect must use the certificates and anchors then in force.

use std::{io, time::Duration};

use hyper_util::rt::TokioIo;
use mesh_api::identity::Identity;
use mesh_net::tls::{Client, TlsError};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

/// How long a connection attempt may take, handshake included.
const CONNECT: Duration = Duration::from_secs(5);

/// A channel that connects when first used, and again after every break.
pub fn channel(controller: &str, expected: &Identity, tls: Client) -> Channel {
    let (controller, expected) = (controller.to_owned(), expected.clone());
    let connector = service_fn(move |_: Uri| {
        let (controller, expected, tls) = (controller.clone(), expected.clone(), tls.clone());
        async move {
            let stream = tokio::time::timeout(CONNECT, connect(&controller, &expected, &tls))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    // The URI only names the authority of requests; the connector above decides where they go.
    Endpoint::from_static("http://mesh-controller")
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector)
}

/// A channel to somebody without an identity that we know, such as a collector of spans; in plaintext.
pub fn plain(address: &str) -> Channel {
    let address = address.to_owned();
    let connector = service_fn(move |_: Uri| {
        let address = address.clone();
        async move {
            let stream = tokio::time::timeout(CONNECT, TcpStream::connect(address))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://collector").connect_with_connector_lazy(connector)
}

async fn connect(
    controller: &str,
    expected: &Identity,
    tls: &Client,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut last = io::Error::other(format!("{controller} has no address"));
    for address in tokio::net::lookup_host(controller).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let secured = tls.connect(stream, address.ip(), expected, &[b"h2"]).await;
                return secured
                    .map(|(stream, _)| stream)
                    .map_err(|e: TlsError| io::Error::other(e));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
