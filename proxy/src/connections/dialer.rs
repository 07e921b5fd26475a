//! A fresh connection: dialled, and secured as its way wants it.

use std::{future::Future, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use mesh_api::{identity::Identity, wire};
use mesh_net::tls::{self, Outside, Peer, TlsError};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Link, Stream, Wanted, Way};
use crate::{
    buffered::Buffered,
    config::Keepalive,
    exchange::{Error, codec::Http},
    metrics::Shard,
};

const CONNECT: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(5);

type Secured = TlsStream<Buffered<TcpStream>>;

/// What dialling needs of a worker.
#[derive(Clone)]
pub struct Dialer {
    pub tls: tls::Client,
    pub outside: tls::OutsideClient,
    pub shard: Rc<Shard>,
}

impl Dialer {
    pub async fn dial(
        &self,
        address: SocketAddr,
        way: &Way,
        wanted: Wanted,
        keepalive: Keepalive,
    ) -> Result<(Stream, Link), Error> {
        let side = way.side();
        let stream = match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Error::new(side, "connect-failed").unsent().because(error)),
            Err(_) => return Err(Error::new(side, "connect-timeout").unsent()),
        };
        // Small writes must not wait for each other; a socket that refuses is closing anyway.
        let _ = stream.set_nodelay(true);
        keep_alive(&stream, keepalive);
        let secured = match way {
            Way::Plain | Way::Own => return Ok((Stream::Plain(stream), Link::default())),
            Way::Mesh(expected) => {
                let stream = Buffered::new(bytes::Bytes::new(), stream).reading_ahead();
                in_time(way, self.of_mesh(stream, address, expected, wanted)).await
            }
            Way::Outside(server) => {
                let stream = Buffered::new(bytes::Bytes::new(), stream).reading_ahead();
                in_time(way, self.of_outside(stream, server, wanted)).await
            }
        };
        match &secured {
            Ok(_) => self.shard.event("handshake", "client"),
            Err(error) => {
                self.shard.event("handshake-failed", error.reason);
                tracing::warn!(%address, %way, %error, "no connection by TLS");
            }
        }
        secured.map_err(Error::unsent)
    }

    async fn of_mesh(
        &self,
        stream: Buffered<TcpStream>,
        address: SocketAddr,
        expected: &Identity,
        wanted: Wanted,
    ) -> Result<Option<(Stream, Link)>, TlsError> {
        let offered = wanted.of_mesh();
        let secured = self.tls.connect(stream, address.ip(), expected, offered);
        let (stream, peer) = secured.await?;
        let agreed = peer.alpn.as_deref().is_some_and(|a| offered.contains(&a));
        Ok(agreed.then(|| link(stream, peer, String::new())))
    }

    async fn of_outside(
        &self,
        stream: Buffered<TcpStream>,
        server: &Outside,
        wanted: Wanted,
    ) -> Result<Option<(Stream, Link)>, TlsError> {
        let secured = self.outside.connect(stream, server, wanted.of_outside());
        let (stream, peer) = secured.await?;
        // HTTP/1.1 and bytes are what is spoken where nothing has been agreed on.
        let agreed = wanted != Wanted::Requests(Http::Two) || peer.alpn.is_some();
        Ok(agreed.then(|| link(stream, peer, server.to_string())))
    }
}

/// A handshake, within its time; `None` where both ends have nothing to speak in common.
async fn in_time(
    way: &Way,
    handshake: impl Future<Output = Result<Option<(Stream, Link)>, TlsError>>,
) -> Result<(Stream, Link), Error> {
    let side = way.side();
    match tokio::time::timeout(HANDSHAKE, handshake).await {
        Ok(Ok(Some(secured))) => Ok(secured),
        Ok(Ok(None)) => Err(Error::new(side, "no-common-protocol")),
        Ok(Err(error)) => Err(Error::new(side, error.reason()).because(error)),
        Err(_) => Err(Error::new(side, "handshake-timeout")),
    }
}

fn link(stream: Secured, peer: Peer, outside: String) -> (Stream, Link) {
    let tls = Arc::new(wire::Secured {
        version: peer.version.into(),
        key_exchange: peer.key_exchange,
        outside,
    });
    let link = Link {
        tls: Some(tls),
        alpn: peer.alpn.unwrap_or_default(),
        ..Link::default()
    };
    (Stream::Secured(Box::new(stream)), link)
}

/// Has the kernel ask, when nothing has come for a while, whether the other end is still there.
pub fn keep_alive(stream: &TcpStream, asking: Keepalive) {
    let asking = TcpKeepalive::new()
        .with_time(asking.time)
        .with_interval(asking.interval)
        .with_retries(asking.probes);
    // A socket that refuses is closing anyway.
    let _ = SockRef::from(stream).set_tcp_keepalive(&asking);
}
