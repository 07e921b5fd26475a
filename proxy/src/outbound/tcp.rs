//! Connections of which we only see bytes: one endpoint each, joined until both ends are done.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use mesh_api::{names, wire};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Member, Passed, Prepared, affinity, join, reset};
use crate::{
    access_log::Entry,
    balance::ejection::Verdict,
    buffered::Buffered,
    config::{self, Keepalive, Limits},
    connections::{Link, Stream, Wanted, keep_alive},
    exchange::{Error, Side, codec::Http},
    inbound,
    metrics::{Direction, Edge, EdgeKey, Protocol},
    sniff::{Spoken, sniff, who_speaks},
    taken,
    worker::Worker,
};

/// Longer than any connection lives.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);
/// Endpoints tried for one connection.
const TRIES: usize = 3;
/// How long a destination outside of the mesh may take to answer: its caller, who believes to be connected, waits no
/// longer by itself.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the ends of a connection that we end may take to hear of it.
const TELL: Duration = Duration::from_secs(1);
/// How long a sidecar may take to say whether its app has taken a connection: a little longer than it tries.
const TOLD: Duration = Duration::from_secs(6);

/// Joins an app's connection with an endpoint of the service it called. One that `waits`, for it has said nothing yet,
/// is given back if it turns out to speak HTTP.
pub async fn serve(
    worker: &Rc<Worker>,
    prepared: &Prepared,
    stream: Buffered<TcpStream>,
    server_name: Option<&str>,
    waits: bool,
) -> Option<(Http, Buffered<TcpStream>)> {
    let began = Instant::now();
    let mut entry = Entry {
        direction: "outbound",
        protocol: Protocol::Tcp.name(),
        caller: worker.shared.settings.identity.to_string(),
        authority: server_name.unwrap_or_default().to_owned(),
        destination: prepared.describe(),
        ..Entry::default()
    };
    let passed = match connect(worker, prepared, stream, server_name, waits, &mut entry).await {
        Went::Through(passed) => passed,
        Went::Back(http, stream) => return Some((http, stream)),
    };
    if let Some(mode) = worker.shared.access_log() {
        entry.reason = passed.reason.into();
        (entry.bytes_sent, entry.bytes_received) = (passed.sent, passed.received);
        worker.shared.access_sink.write(entry, began.elapsed(), mode);
    }
    None
}

/// How a connection of bytes went.
enum Went {
    Through(Passed),
    /// It was none.
    Back(Http, Buffered<TcpStream>),
}

async fn connect(
    worker: &Rc<Worker>,
    prepared: &Prepared,
    mut stream: Buffered<TcpStream>,
    server_name: Option<&str>,
    waits: bool,
    entry: &mut Entry,
) -> Went {
    let index = prepared.stream_route(server_name);
    let route = prepared.routes.get(index);
    let backend = route.and_then(|r| r.shares.borrow_mut().next_index());
    let balanced = backend.and_then(|b| route?.backends.get(b)?.clone());
    let team = balanced.as_ref().and_then(|b| b.team(worker));
    let limits = team.as_ref().map(|t| t.limits.clone()).unwrap_or_default();
    let permit = match &balanced {
        Some(balanced) => balanced.gauge.connection(&limits).map(Some),
        None => Ok(None),
    };
    let Ok(_permit) = permit else {
        let edge = prepared.edge(worker, index, backend, None, Protocol::Tcp);
        edge.count(|c| c.refused += 1);
        worker.shard.event("refused", "overflow");
        reset(stream.get_ref());
        return failed("overflow");
    };
    entry.route = route.map(|r| r.name.clone()).unwrap_or_default();
    let hash = team.as_ref().and_then(|t| t.backend.hash.as_ref());
    let from = stream.get_ref().peer_addr().ok();
    let key = hash
        .zip(from)
        .and_then(|(hash, from)| affinity::of_connection(hash, from.ip().to_canonical()));
    let mut tried = Vec::new();
    while tried.len() < TRIES {
        let member = match (&prepared.pod, &balanced, &team) {
            (Some(pod), ..) => Some(pod.clone()),
            (None, Some(balanced), Some(team)) => balanced.pick(team, &tried, key),
            _ => None,
        };
        let Some(member) = member.filter(|m| !tried.contains(&m.id())) else {
            break;
        };
        tried.push(member.id());
        let edge = prepared.edge(worker, index, backend, Some(&member), Protocol::Tcp);
        let note = |verdict| {
            if team.as_ref().is_some_and(|t| t.note(&member, verdict)) {
                edge.count(|c| c.ejections += 1);
            }
        };
        if member.is_own()
            && let Some(reason) = inbound::refuses_bytes(worker, member.endpoint.address)
        {
            if waits {
                let heard = sniff(stream.into_inner(), Some(inbound::LATE)).await;
                match heard {
                    Ok((Spoken::Http(http), heard)) => return Went::Back(http, heard),
                    Ok((_, heard)) => stream = heard,
                    Err(_) => return failed("reset"),
                }
            }
            fail(&member, &edge);
            edge.count(|c| {
                c.denied += u64::from(reason == inbound::DENIED);
                c.rate_limited += u64::from(reason == inbound::RATE_LIMITED);
            });
            reset(stream.get_ref());
            return failed(reason);
        }
        let address = member.endpoint.address;
        let held = member.is_own().then(|| inbound::hold_bytes(worker, address));
        let began = Instant::now();
        match dial(&member, &limits).await {
            Ok((upstream, link)) => {
                note(Verdict::Good);
                let mut upstream = Buffered::new(bytes::Bytes::new(), upstream);
                if waits {
                    let heard = who_speaks(stream.into_inner(), upstream.into_inner());
                    let idle = limits.idle_timeout.unwrap_or(FOR_EVER);
                    let spoken = match tokio::time::timeout(idle, heard).await {
                        Ok(Ok((spoken, near, far))) => {
                            (stream, upstream) = (near, far);
                            spoken
                        }
                        Ok(Err(_)) => return failed("reset"),
                        Err(_) => return failed("idle-timeout"),
                    };
                    if let Spoken::Http(http) = spoken {
                        return Went::Back(http, stream);
                    }
                }
                member.load.began();
                edge.count(|c| {
                    c.connections += 1;
                    c.tls.clone_from(&link.tls);
                });
                entry.upstream = member.endpoint.address.to_string();
                let ended = must_end(limits.max_connection.map(|most| began + most), held);
                let passed = join(&mut stream, &mut upstream, &edge, limits.idle_timeout, ended).await;
                if passed.is_broken() || passed.reason == inbound::DENIED {
                    reset(stream.get_ref());
                    reset(upstream.get_ref().socket());
                } else if !passed.reason.is_empty() {
                    // We end it, and nothing is lost that anybody has said.
                    let told = async { tokio::join!(stream.shutdown(), upstream.shutdown()) };
                    let _ = tokio::time::timeout(TELL, told).await;
                }
                member
                    .load
                    .answered(began.elapsed().min(CONNECTED), Instant::now());
                return Went::Through(passed);
            }
            Err(error) => {
                tracing::warn!(address = %member.endpoint.address, %error, "no connection");
                fail(&member, &edge);
                if error.reason == taken::REFUSED {
                    reset(stream.get_ref());
                    return failed(error.reason);
                }
                note(Verdict::Gateway);
            }
        }
    }
    reset(stream.get_ref());
    if tried.is_empty() {
        worker.shard.event("refused", "no-endpoint");
        tracing::warn!(destination = %prepared.destination, "no endpoint for a connection");
        return failed("no-endpoint");
    }
    failed("connect-failed")
}

/// Why a connection must end that is still of use to both: it is too old, or the pod's own policies do not want it any more.
async fn must_end(at: Option<Instant>, held: Option<inbound::Held>) -> &'static str {
    let old = async {
        match at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    let unwanted = async {
        match held {
            Some(mut held) => held.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = old => "max-duration",
        reason = unwanted => reason,
    }
}

fn failed(reason: &'static str) -> Went {
    Went::Through(Passed::failed(reason))
}

/// A connection that the app behind the endpoint has taken, as far as its sidecar can tell.
async fn dial(member: &Member, limits: &Limits) -> Result<(Stream, Link), Error> {
    let dialling = async {
        let (mut stream, link) = member.connections.dial(Wanted::Bytes).await?;
        if link.alpn == names::ALPN_TCP_TOLD {
            let told = tokio::time::timeout(TOLD, taken::hear(&mut stream)).await;
            told.unwrap_or_else(|_| Err(Error::new(Side::Mesh, "connect-timeout").unsent()))?;
        }
        Ok((stream, link))
    };
    match limits.connect_timeout {
        None => dialling.await,
        Some(most) => tokio::time::timeout(most, dialling)
            .await
            .unwrap_or_else(|_| Err(Error::new(Side::Server, "connect-timeout").unsent())),
    }
}

/// How long a connection was open says nothing of how quick its endpoint is.
const CONNECTED: Duration = Duration::from_millis(1);

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
    let began = Instant::now();
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
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(destination));
    let connected = connecting.await.map_err(io::Error::from).flatten();
    let passed = match connected {
        Ok(mut upstream) => {
            let _ = upstream.set_nodelay(true);
            keep_alive(&upstream, Keepalive::default());
            edge.count(|c| c.connections += 1);
            let passed = join(&mut stream, &mut upstream, &edge, None, std::future::pending()).await;
            if passed.is_broken() {
                reset(&stream);
                reset(&upstream);
            }
            passed
        }
        Err(error) => {
            tracing::debug!(%destination, %error, "no connection");
            edge.count(|c| {
                c.connections += 1;
                c.failures += 1;
            });
            reset(&stream);
            Passed::failed("connect-failed")
        }
    };
    if let Some(mode) = worker.shared.access_log() {
        let entry = Entry {
            direction: "outbound",
            protocol: Protocol::Tcp.name(),
            caller: worker.shared.settings.identity.to_string(),
            destination: destination.to_string(),
            reason: passed.reason.into(),
            bytes_sent: passed.sent,
            bytes_received: passed.received,
            ..Entry::default()
        };
        worker.shared.access_sink.write(entry, began.elapsed(), mode);
    }
}

impl Prepared {
    /// What was called, as the access log names it.
    pub fn describe(&self) -> String {
        match &*self.target {
            config::Target::Service(s) if !s.namespace.is_empty() => {
                format!("{}/{}:{}", s.namespace, s.name, s.port)
            }
            config::Target::Service(_) | config::Target::Pod(_) | config::Target::Unknown => {
                self.destination.to_string()
            }
        }
    }
}
