//! Connections of which only bytes are seen: joined with the app, until both ends are done.
//!
//! Some only seem to be such, because their caller was slow to speak. The app is then connected, and whoever speaks
//! first decides; a request that comes after all is served as one.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    Arrival,
    open::{Open, What},
    policy::{self, Refusal, Ruling},
};
use crate::{
    access_log::Entry,
    buffered::Buffered,
    connections::{Link, Stream, Wanted},
    exchange::Error,
    metrics::Protocol,
    outbound::{Passed, join, reset},
    sniff::{Spoken, sniff, who_speaks},
    taken::{Taken, tell},
    worker::Worker,
};

/// Where bytes are refused, a caller that has said nothing yet may still turn out to speak HTTP.
pub const LATE: Duration = Duration::from_secs(1);

/// What has been heard of a connection so far.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It is bytes, for certain.
    Known,
    /// Nothing.
    Silent,
    /// Nothing, and nothing will be: somebody wanted to know whether the port is open, as probes do. That is no call.
    Closed,
}

/// What a connection runs on in the end.
pub trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<Buffered<TcpStream>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.get_ref()
    }
}

/// Serves a connection; gives it back if it turns out that HTTP is spoken, or the mesh's TLS. A caller that wants to be
/// `told` hears first whether the app has taken it.
pub async fn serve<S: Socket>(
    worker: &Rc<Worker>,
    stream: Buffered<S>,
    arrival: &Arrival,
    opening: Opening,
    told: bool,
) -> Option<(Spoken, Buffered<S>)> {
    let began = Instant::now();
    let is_call = opening != Opening::Closed;
    // What comes from another sidecar is counted there.
    let edge = if arrival.caller.is_none() && is_call {
        worker
            .inbound
            .plaintext(worker, arrival.app.port(), Protocol::Tcp)
    } else {
        Rc::default()
    };
    let mut stream = stream;
    let ruling = policy::of_bytes(worker, arrival);
    if let Some(refusal) = ruling.refusal {
        if opening == Opening::Silent {
            if told {
                // It says nothing before.
                tell(&mut stream, Taken::Yes).await.ok()?;
            }
            let (spoken, heard) = sniff(stream.into_inner(), Some(LATE)).await.ok()?;
            if turns(&spoken, arrival) {
                return Some((spoken, heard));
            }
            stream = heard;
        }
        edge.count(|c| c.denied += u64::from(refusal == Refusal::Denied));
        log(worker, arrival, &ruling, began, Passed::default());
        let told = told && opening != Opening::Silent;
        end(stream, told, Taken::Refused).await;
        return None;
    }
    let one_too_many = || {
        let Some(ruling) = policy::limit_of_bytes(worker, arrival).filter(|_| is_call) else {
            return false;
        };
        edge.count(|c| c.rate_limited += 1);
        log(worker, arrival, &ruling, began, Passed::default());
        true
    };
    if opening == Opening::Known && one_too_many() {
        end(stream, told, Taken::Refused).await;
        return None;
    }
    let mut held = Open::enter(worker, arrival, What::Bytes);
    let app = match dial(worker, arrival).await {
        Ok((app, _)) => Buffered::new(bytes::Bytes::new(), app),
        Err(error) => {
            tracing::debug!(app = %arrival.app, %error, "the app does not take the connection");
            edge.count(|c| {
                c.connections += u64::from(is_call);
                c.failures += 1;
            });
            log(worker, arrival, &ruling, began, Passed::failed(error.reason));
            end(stream, told, Taken::Unreached).await;
            return None;
        }
    };
    if told {
        tell(&mut stream, Taken::Yes).await.ok()?;
    }
    let mut app = app;
    if opening == Opening::Silent {
        let spoken;
        (spoken, stream, app) = tokio::select! {
            heard = who_speaks(stream.into_inner(), app.into_inner()) => heard.ok()?,
            _ = held.ended() => return None,
        };
        if turns(&spoken, arrival) {
            return Some((spoken, stream));
        }
        // Whoever turns out to speak HTTP is counted by its requests.
        if one_too_many() {
            reset(stream.get_ref().socket());
            return None;
        }
    }
    // Where nothing passes, somebody only wanted to know whether the port is open; the app may be who speaks first.
    let quiet = opening != Opening::Known && stream.is_silent();
    edge.count(|c| c.connections += u64::from(!quiet));
    let passed = join(&mut stream, &mut app, &edge, None, held.ended()).await;
    edge.count(|c| c.connections += u64::from(quiet && passed.sent + passed.received > 0));
    if passed.is_broken() {
        reset(app.get_ref().socket());
    }
    if !passed.reason.is_empty() {
        reset(stream.get_ref().socket());
    }
    log(worker, arrival, &ruling, began, passed);
    None
}

/// Ends a connection of which the app gets nothing: another sidecar is told why, and any other caller sees what it would
/// see without us.
async fn end<S: Socket>(mut stream: Buffered<S>, told: bool, why: Taken) {
    if told {
        let _ = tell(&mut stream, why).await;
    } else {
        reset(stream.get_ref().socket());
    }
}

/// Is it no connection of bytes after all?
fn turns(spoken: &Spoken, arrival: &Arrival) -> bool {
    match spoken {
        Spoken::Http(_) => !arrival.is_opaque(),
        Spoken::Tls(hello) => arrival.caller.is_none() && hello.is_mesh(),
        Spoken::Opaque | Spoken::Nothing => false,
    }
}

async fn dial(worker: &Worker, arrival: &Arrival) -> Result<(Stream, Link), Error> {
    let app = worker.inbound.app(worker, arrival.app);
    app.dial(Wanted::Bytes).await
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
        reason: ruling.refusal.map_or(passed.reason, Refusal::reason).into(),
        policy: ruling.policy.as_deref().unwrap_or_default().into(),
        bytes_sent: passed.sent,
        bytes_received: passed.received,
        ..Entry::default()
    };
    worker.shared.access_sink.write(entry, began.elapsed(), mode);
}
