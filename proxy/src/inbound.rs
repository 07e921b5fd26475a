//! What calls the app: who is it, may it, and in which form does the app want it?
//!
//! ```text
//!   accept ─► original destination (one of the app's ports) ─► first bytes
//!                ├─ TLS that offers a protocol of ours ─► terminate, verify ─┬─ HTTP: per request, with the identity
//!                │                                                           └─ bytes
//!                ├─ anything else, strict ─────► reset, with the reason counted
//!                └─ anything else, permissive ─► HTTP: per request, without identity; or bytes (the app's own TLS too)
//! ```
//!
//! Without a configuration there is no mode, and plaintext is refused: an unready proxy does not open what may be
//! meant to be closed.

mod http;
mod policy;

use policy::Ruling;
pub use policy::{DENIED, RATE_LIMITED};

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use mesh_api::{identity::Identity, names, wire};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    access_log::Entry,
    authorization::Caller,
    config::{MtlsMode, Protocol as Hint},
    connections::{Connections, ReadAhead, Way},
    exchange::codec::Protocol as Spoke,
    metrics::{Direction, Edge, EdgeKey, Protocol},
    outbound::{Passed, reset},
    sniff::{Prefixed, Spoken, sniff, spoken_at},
    worker::Worker,
};

const PATIENCE: Duration = Duration::from_millis(200);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Why a caller's connection is not secured.
const NO_SIDECAR: &str = "caller is not in the mesh";

/// What one worker keeps per port of the app's.
#[derive(Default)]
pub struct Edges(
    RefCell<HashMap<(u16, Protocol), Rc<Edge>>>,
    RefCell<HashMap<SocketAddr, Rc<Connections>>>,
);

impl Edges {
    /// Counters for callers without a sidecar; the others are counted by theirs.
    fn plaintext(&self, worker: &Worker, port: u16, protocol: Protocol) -> Rc<Edge> {
        let make = || {
            worker.shard.edge(EdgeKey {
                direction: Direction::Inbound,
                destination: wire::Peer {
                    port: port.into(),
                    ..wire::Peer::default()
                },
                route: String::new(),
                backend: String::new(),
                protocol,
                plaintext: NO_SIDECAR,
            })
        };
        self.0
            .borrow_mut()
            .entry((port, protocol))
            .or_insert_with(make)
            .clone()
    }

    /// The app's own connections.
    fn app(&self, worker: &Worker, address: SocketAddr) -> Rc<Connections> {
        self.1
            .borrow_mut()
            .entry(address)
            .or_insert_with(|| worker.connections(address, Way::Own))
            .clone()
    }
}

/// A connection to one of the app's ports.
#[derive(Clone)]
pub struct Arrival {
    pub app: SocketAddr,
    /// The address it comes from.
    pub from: IpAddr,
    /// Verified; `None` for callers without a sidecar.
    pub caller: Option<Identity>,
    /// The same, as policies name it.
    pub who: Option<Caller>,
    /// That the caller's own TLS asks for.
    pub server_name: Option<String>,
    pub hint: Hint,
}

/// Serves one connection to our pod.
pub async fn connection(worker: Rc<Worker>, stream: TcpStream) {
    let destination = worker.shared.settings.inbound_destination.of(&stream);
    let Some(app) = destination.ok().and_then(|d| app_port(&worker, &stream, d)) else {
        worker.shard.event("refused", "not-redirected");
        return reset(&stream);
    };
    let (mode, hint) = {
        let inbound = worker.shared.directory.inbound();
        match &*inbound {
            Some(inbound) => (
                Some(inbound.mtls(app.port())),
                spoken_at(app.port(), inbound.protocol(app.port())),
            ),
            None => (None, Hint::Detect),
        }
    };
    let mut arrival = Arrival {
        app,
        from: stream
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical()),
        caller: None,
        who: None,
        server_name: None,
        hint,
    };
    if mode == Some(MtlsMode::Disabled) && matches!(hint, Hint::Opaque | Hint::Tls) {
        return bytes(
            &worker,
            Prefixed::new(bytes::Bytes::new(), stream),
            &arrival,
            false,
        )
        .await;
    }
    let (spoken, stream) = match sniff(stream, Some(PATIENCE)).await {
        Ok(sniffed) => sniffed,
        Err(error) => return tracing::debug!(%error, "the caller closed its connection"),
    };
    if let Spoken::Tls(hello) = &spoken {
        if hello.is_mesh() {
            return mesh(worker, stream, arrival).await;
        }
        arrival.server_name.clone_from(&hello.sni);
    }
    match (mode, spoken) {
        (Some(MtlsMode::Permissive | MtlsMode::Disabled), Spoken::Http(spoken))
            if !matches!(hint, Hint::Opaque | Hint::Tls) =>
        {
            http::serve(worker, stream, Spoke::App(spoken), arrival).await;
        }
        (Some(MtlsMode::Permissive | MtlsMode::Disabled), spoken) => {
            bytes(&worker, stream, &arrival, spoken == Spoken::Nothing).await;
        }
        (Some(MtlsMode::Strict) | None, _) => {
            let reason = if mode.is_some() {
                "plaintext-in-strict-mode"
            } else {
                "no-configuration-yet"
            };
            worker.shard.event("refused", reason);
            let peer = stream.get_ref().peer_addr().ok();
            tracing::info!(
                ?peer,
                port = app.port(),
                reason,
                "an inbound connection was refused"
            );
            reset(stream.get_ref());
        }
    }
}

/// The app's address, when the connection is for one of its ports: never for the proxy's, never for loopback.
fn app_port(worker: &Worker, stream: &TcpStream, destination: SocketAddr) -> Option<SocketAddr> {
    let app = SocketAddr::new(destination.ip().to_canonical(), destination.port());
    let settings = &worker.shared.settings;
    let ours = [&settings.outbound, &settings.inbound, &settings.admin];
    let is_ours = ours
        .into_iter()
        .flatten()
        .any(|own| own.port() == app.port() && own.ip().is_unspecified());
    let is_self = stream.local_addr().is_ok_and(|own| own == app);
    let private = app.ip().is_loopback() && app.ip() != settings.pod_ip;
    (!is_ours && !is_self && !private).then_some(app)
}

/// A connection from another sidecar.
async fn mesh(worker: Rc<Worker>, stream: Prefixed<TcpStream>, mut arrival: Arrival) {
    let stream = ReadAhead::new(stream);
    let accepted = tokio::time::timeout(HANDSHAKE, worker.shared.server.accept(stream)).await;
    let (stream, peer) = match accepted {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => {
            worker.shard.event("handshake-failed", error.reason());
            return tracing::warn!(port = arrival.app.port(), %error, "a mesh connection was refused");
        }
        Err(_) => return worker.shard.event("handshake-failed", "handshake-timeout"),
    };
    worker.shard.event("handshake", "server");
    arrival.who = peer.identity.as_ref().map(Caller::from);
    arrival.caller = peer.identity;
    match peer.alpn.as_deref() {
        Some(names::ALPN_MESH) => http::serve(worker, stream, Spoke::Mesh, arrival).await,
        Some(names::ALPN_HTTP) => http::serve(worker, stream, Spoke::Between, arrival).await,
        Some(names::ALPN_TCP) => {
            let mut stream = stream;
            let ruling = policy::of_bytes(&worker, &arrival);
            if ruling.refusal.is_some() {
                log(&worker, &arrival, &ruling, Instant::now(), Passed::default());
                return reset(stream.get_ref().0.get_ref().get_ref());
            }
            // Counted by the caller's proxy.
            copy(&worker, &mut stream, &arrival, &ruling, &Edge::default()).await;
        }
        _ => worker.shard.event("refused", "no-common-protocol"),
    }
}

/// Bytes from a caller without a sidecar. Where none pass, somebody only wanted to know whether the port is open, as
/// probes do: that is no call.
async fn bytes(worker: &Worker, mut stream: Prefixed<TcpStream>, arrival: &Arrival, silent: bool) {
    let edge = if silent {
        Rc::default()
    } else {
        worker
            .inbound
            .plaintext(worker, arrival.app.port(), Protocol::Tcp)
    };
    let ruling = policy::of_bytes(worker, arrival);
    if let Some(refusal) = ruling.refusal {
        edge.count(|c| c.denied += u64::from(refusal == policy::Refusal::Denied));
        log(worker, arrival, &ruling, Instant::now(), Passed::default());
        return reset(stream.get_ref());
    }
    // The app may be who speaks first.
    let quiet = silent || stream.is_silent();
    edge.count(|c| c.connections += u64::from(!quiet));
    let passed = copy(worker, &mut stream, arrival, &ruling, &edge).await;
    edge.count(|c| c.connections += u64::from(quiet && passed.sent + passed.received > 0));
}

async fn copy<S>(worker: &Worker, stream: &mut S, arrival: &Arrival, ruling: &Ruling, edge: &Edge) -> Passed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let began = Instant::now();
    let passed = match worker
        .inbound
        .app(worker, arrival.app)
        .dial(&[names::ALPN_TCP])
        .await
    {
        Ok((mut upstream, _)) => crate::outbound::join(stream, &mut upstream, edge, None).await,
        Err(error) => {
            tracing::debug!(app = %arrival.app, %error, "the app does not take the connection");
            edge.count(|c| c.failures += 1);
            Passed {
                reason: error.reason,
                ..Passed::default()
            }
        }
    };
    log(worker, arrival, ruling, began, passed);
    passed
}

/// The access log's line for a connection of bytes.
fn log(worker: &Worker, arrival: &Arrival, ruling: &Ruling, began: Instant, passed: Passed) {
    let Some(mode) = worker.shared.access_log() else {
        return;
    };
    let caller = arrival.caller.as_ref().map(ToString::to_string);
    let entry = Entry {
        direction: "inbound",
        protocol: Protocol::Tcp.name(),
        caller: caller.unwrap_or_else(|| arrival.from.to_string()),
        destination: arrival.app.to_string(),
        authority: arrival.server_name.clone().unwrap_or_default(),
        reason: ruling
            .refusal
            .map_or(passed.reason, policy::Refusal::reason)
            .into(),
        policy: ruling.policy.as_deref().unwrap_or_default().into(),
        bytes_sent: passed.sent,
        bytes_received: passed.received,
        ..Entry::default()
    };
    worker.shared.access_sink.write(entry, began.elapsed(), mode);
}
