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
//! meant to be closed. When the configuration changes, what is open and would no longer be let in is ended ([`open`]).

mod bytes;
mod http;
mod named;
mod open;
mod own;
mod policy;

pub use bytes::LATE;
pub use named::{Named, name_caller, name_nobody};
pub use open::Held;
pub use own::{hold_bytes, hold_tunnel, refuses_bytes, refuses_request};
pub use policy::{DENIED, RATE_LIMITED};

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    rc::Rc,
    time::Duration,
};

use mesh_api::{identity::Identity, names, wire};
use tokio::net::TcpStream;

use crate::{
    authorization::Caller,
    buffered::Buffered,
    config::{MtlsMode, Protocol as Hint},
    connections::{Connections, Way},
    exchange::codec::Protocol as Spoke,
    metrics::{Direction, Edge, EdgeKey, Protocol},
    outbound::reset,
    sniff::{Patience, Spoken, sniff, spoken_at},
    worker::Worker,
};
use open::{Open, What};

const HANDSHAKE: Duration = Duration::from_secs(5);
/// Why a caller's connection is not secured.
const NO_SIDECAR: &str = "caller is not in the mesh";
const NOT_STRICT: &str = "plaintext-in-strict-mode";
/// Addresses that are known to be this pod's, or not; a pod has few.
const MOST_ADDRESSES: usize = 64;

/// What one worker keeps for those who call the app.
#[derive(Default)]
pub struct Edges {
    plaintext: RefCell<HashMap<(u16, Protocol), Rc<Edge>>>,
    app: RefCell<HashMap<SocketAddr, Rc<Connections>>>,
    patience: RefCell<HashMap<u16, Rc<Patience>>>,
    local: RefCell<HashMap<IpAddr, bool>>,
    open: Open,
}

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
        self.plaintext
            .borrow_mut()
            .entry((port, protocol))
            .or_insert_with(make)
            .clone()
    }

    /// The app's own connections.
    fn app(&self, worker: &Worker, address: SocketAddr) -> Rc<Connections> {
        self.app
            .borrow_mut()
            .entry(address)
            .or_insert_with(|| worker.connections(address, Way::Own))
            .clone()
    }

    /// How long callers of a port are waited for to speak.
    fn patience(&self, port: u16) -> Rc<Patience> {
        self.patience.borrow_mut().entry(port).or_default().clone()
    }

    /// Is it an address of this pod? A pod that forwards packets for others must not make a relay of us.
    fn is_local(&self, address: IpAddr) -> bool {
        let mut known = self.local.borrow_mut();
        if known.len() >= MOST_ADDRESSES {
            known.clear();
        }
        *known
            .entry(address)
            .or_insert_with(|| UdpSocket::bind((address, 0)).is_ok())
    }

    /// Ends what is open and would not be let in any more.
    pub fn review(&self, worker: &Worker) {
        self.open.review(worker);
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
    /// The same, as policies name it,
    pub who: Option<Caller>,
    /// and as the app learns of it.
    pub named: Option<Rc<Named>>,
    /// That the caller's own TLS asks for.
    pub server_name: Option<String>,
    pub hint: Hint,
}

impl Arrival {
    /// Is the app known to speak something else than HTTP?
    fn is_opaque(&self) -> bool {
        matches!(self.hint, Hint::Opaque | Hint::Tls)
    }
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
    let arrival = Arrival {
        app,
        from: stream
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical()),
        caller: None,
        who: None,
        named: None,
        server_name: None,
        hint,
    };
    let stream = Buffered::new(::bytes::Bytes::new(), stream);
    if mode == Some(MtlsMode::Disabled) && arrival.is_opaque() {
        Box::pin(bytes::serve(
            &worker,
            stream,
            &arrival,
            bytes::Opening::Known,
            false,
        ))
        .await;
        return;
    }
    let is_open = matches!(mode, Some(MtlsMode::Permissive | MtlsMode::Disabled));
    let patience = worker.inbound.patience(app.port());
    // Where only the mesh may come in there is nothing to be gained by giving up early.
    let wait = if is_open { patience.now() } else { HANDSHAKE };
    let (spoken, stream) = match sniff(stream.into_inner(), Some(wait)).await {
        Ok(sniffed) => sniffed,
        Err(error) => return tracing::debug!(%error, "the caller closed its connection"),
    };
    if is_open {
        patience.learn(spoken == Spoken::Opaque && stream.is_silent());
    }
    serve(worker, spoken, stream, arrival, is_open, mode.is_some()).await;
}

/// Serves a connection of which it is known, or will not be known, what is spoken on it.
async fn serve(
    worker: Rc<Worker>,
    spoken: Spoken,
    stream: Buffered<TcpStream>,
    mut arrival: Arrival,
    is_open: bool,
    configured: bool,
) {
    if let Spoken::Tls(hello) = &spoken {
        if hello.is_mesh() {
            return Box::pin(mesh(worker, stream, arrival)).await;
        }
        arrival.server_name.clone_from(&hello.sni);
    }
    if !is_open {
        let reason = if configured {
            NOT_STRICT
        } else {
            "no-configuration-yet"
        };
        worker.shard.event("refused", reason);
        tracing::info!(
            from = %arrival.from, port = arrival.app.port(), reason,
            "an inbound connection was refused"
        );
        return reset(stream.get_ref());
    }
    let opening = match spoken {
        Spoken::Http(http) if !arrival.is_opaque() => {
            return plaintext_http(worker, stream, http, arrival).await;
        }
        Spoken::Nothing => bytes::Opening::Closed,
        Spoken::Opaque if stream.is_silent() => bytes::Opening::Silent,
        _ => bytes::Opening::Known,
    };
    match Box::pin(bytes::serve(&worker, stream, &arrival, opening, false)).await {
        Some((Spoken::Http(http), stream)) => plaintext_http(worker, stream, http, arrival).await,
        // Nothing but a slow handshake of another sidecar's.
        Some((_, stream)) => Box::pin(mesh(worker, stream, arrival)).await,
        None => {}
    }
}

async fn plaintext_http(
    worker: Rc<Worker>,
    stream: Buffered<TcpStream>,
    http: crate::exchange::codec::Http,
    arrival: Arrival,
) {
    let mut held = Open::enter(&worker, &arrival, What::Requests);
    tokio::select! {
        () = http::serve(worker.clone(), stream, Spoke::App(http), arrival) => {}
        reason = held.ended() => worker.shard.event("refused", reason),
    }
}

/// The app's address, when the connection is for one of its ports: never for the proxy's, never for loopback, never for
/// another machine.
fn app_port(worker: &Worker, stream: &TcpStream, destination: SocketAddr) -> Option<SocketAddr> {
    let app = SocketAddr::new(destination.ip().to_canonical(), destination.port());
    let settings = &worker.shared.settings;
    let ours = [&settings.outbound, &settings.inbound, &settings.admin];
    let is_ours = ours
        .into_iter()
        .flatten()
        .any(|own| own.port() == app.port() && own.ip().is_unspecified());
    let is_self = stream.local_addr().is_ok_and(|own| own == app);
    let is_pod = app.ip() == settings.pod_ip;
    let private = app.ip().is_loopback() && !is_pod;
    let foreign = !is_pod && !worker.inbound.is_local(app.ip());
    (!is_ours && !is_self && !private && !foreign).then_some(app)
}

/// A connection from another sidecar.
async fn mesh(worker: Rc<Worker>, stream: Buffered<TcpStream>, mut arrival: Arrival) {
    let accepted = worker.shared.server.accept(stream.reading_ahead());
    let (stream, peer) = match tokio::time::timeout(HANDSHAKE, accepted).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => {
            worker.shard.event("handshake-failed", error.reason());
            return tracing::warn!(
                from = %arrival.from, port = arrival.app.port(), reason = error.reason(), %error,
                "a mesh connection was refused"
            );
        }
        Err(_) => return worker.shard.event("handshake-failed", "handshake-timeout"),
    };
    worker.shard.event("handshake", "server");
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let own = &worker.shared.settings.identity;
    let named = peer
        .identity
        .as_ref()
        .and_then(|caller| Named::new(caller, own, leaf.map(|leaf| &**leaf)));
    arrival.named = named.map(Rc::new);
    arrival.who = peer.identity.as_ref().map(Caller::from);
    arrival.caller = peer.identity;
    match peer.alpn.as_deref() {
        Some(names::ALPN_MESH) => http::serve(worker, stream, Spoke::Mesh, arrival).await,
        Some(names::ALPN_HTTP) => http::serve(worker, stream, Spoke::Between, arrival).await,
        Some(tcp @ (names::ALPN_TCP_TOLD | names::ALPN_TCP)) => {
            let told = tcp == names::ALPN_TCP_TOLD;
            let opening = if arrival.is_opaque() {
                bytes::Opening::Known
            } else {
                bytes::Opening::Silent
            };
            let stream = Buffered::new(::bytes::Bytes::new(), stream);
            // A caller that says HTTP is bytes could say in it who it is.
            let served = bytes::serve(&worker, stream, &arrival, opening, told).await;
            if let Some((Spoken::Http(http), stream)) = served {
                http::serve(worker, stream, Spoke::App(http), arrival).await;
            }
        }
        _ => worker.shard.event("refused", "no-common-protocol"),
    }
}
