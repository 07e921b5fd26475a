//! Connections of which we only see bytes: one endpoint each, joined until both ends are done.

use std::{net::SocketAddr, rc::Rc, time::Instant};

use mesh_api::{names, wire};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{Member, Prepared, reset};
use crate::{
    metrics::{Direction, Edge, EdgeKey, Protocol},
    sniff::Prefixed,
    worker::Worker,
};

/// Endpoints tried for one connection.
const TRIES: usize = 3;

/// Joins an app's connection with an endpoint of the service it called.
pub async fn serve(worker: &Worker, prepared: &Prepared, mut stream: Prefixed<TcpStream>) {
    // Bytes match no rule but the last, which matches everything.
    let index = match &*prepared.target {
        crate::config::Target::Service(service) => service.routes.len().saturating_sub(1),
        _ => 0,
    };
    let backend = prepared
        .routes
        .get(index)
        .and_then(|r| r.shares.borrow_mut().next_index());
    let balanced = backend.and_then(|b| prepared.routes.get(index)?.backends.get(b)?.clone());
    let mut tried = Vec::new();
    while tried.len() < TRIES {
        let member = match (&prepared.pod, &balanced) {
            (Some(pod), _) => Some(pod.clone()),
            (None, Some(balanced)) => balanced.pick(worker, &tried),
            (None, None) => None,
        };
        let Some(member) = member.filter(|m| !tried.contains(&m.id())) else {
            break;
        };
        tried.push(member.id());
        let edge = prepared.edge(worker, index, backend, Some(&member), Protocol::Tcp);
        let began = Instant::now();
        match member.connections.dial(names::ALPN_TCP).await {
            Ok((mut upstream, link)) => {
                member.load.began();
                edge.count(|c| {
                    c.connections += 1;
                    c.tls.clone_from(&link.tls);
                });
                join(&mut stream, &mut upstream, &edge).await;
                member
                    .load
                    .answered(began.elapsed().min(CONNECTED), Instant::now());
                return;
            }
            Err(error) => {
                tracing::warn!(address = %member.endpoint.address, %error, "no connection");
                fail(&member, &edge);
            }
        }
    }
    if tried.is_empty() {
        worker.shard.event("refused", "no-endpoint");
        tracing::warn!(destination = %prepared.destination, "no endpoint for a connection");
    }
    reset(stream.get_ref());
}

/// How long a connection was open says nothing of how quick its endpoint is.
const CONNECTED: std::time::Duration = std::time::Duration::from_millis(1);

fn fail(member: &Rc<Member>, edge: &Edge) {
    member.load.began();
    member.load.failed(Instant::now());
    edge.count(|c| {
        c.connections += 1;
        c.failures += 1;
    });
}

/// Passes bytes to where they were meant to go: a destination outside of the mesh.
pub async fn pass_through(worker: &Worker, mut stream: TcpStream, destination: SocketAddr) {
    let edge = worker.shard.edge(EdgeKey {
        direction: Direction::Outbound,
        destination: wire::Peer {
            workload: "unknown".into(),
            ..wire::Peer::default()
        },
        route: String::new(),
        backend: String::new(),
        protocol: Protocol::Tcp,
        plaintext: "destination is not in the mesh",
    });
    match TcpStream::connect(destination).await {
        Ok(mut upstream) => {
            let _ = upstream.set_nodelay(true);
            edge.count(|c| c.connections += 1);
            join(&mut stream, &mut upstream, &edge).await;
        }
        Err(error) => {
            tracing::debug!(%destination, %error, "no connection");
            edge.count(|c| {
                c.connections += 1;
                c.failures += 1;
            });
            reset(&stream);
        }
    }
}

/// Copies both ways until both have ended; half-closes are passed on.
pub async fn join<A, B>(near: &mut A, far: &mut B, edge: &Edge)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    const BUFFER: usize = 32 * 1024;
    match tokio::io::copy_bidirectional_with_sizes(near, far, BUFFER, BUFFER).await {
        Ok((up, down)) => edge.count(|c| {
            c.bytes_sent += up;
            c.bytes_received += down;
        }),
        Err(error) => tracing::debug!(%error, "a connection broke"),
    }
}
