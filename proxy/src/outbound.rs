//! What the app calls: from an original destination to an endpoint, by way of routes, faults and balancers.
//!
//! ```text
//!   accept ─► original destination ─► subscription ─► what is it?
//!                                                       ├─ unknown ──────────────► bytes, to where they were meant for
//!                                                       └─ service or pod ─► sniff ┬─ HTTP ─► per request: [`http`]
//!                                                                                  └─ else ─► per connection: [`tcp`]
//! ```

mod affinity;
mod balanced;
mod copy;
mod cors;
mod deadline;
mod http;
mod idle;
mod meter;
mod mirror;
mod prepared;
mod redirect;
mod replay;
mod tcp;

#[cfg(any(test, fuzzing))]
pub use affinity::check as check_affinity;
#[cfg(any(test, fuzzing))]
pub use deadline::check as check_deadline;
#[cfg(any(test, fuzzing))]
pub use http::check_route;
pub use meter::{Passed, join};

pub use balanced::Member;
pub use prepared::Prepared;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::http::StatusCode;
use tokio::net::TcpStream;

use crate::{
    buffered::Buffered,
    config::{self, Protocol},
    discovery::{NoTarget, Subscription},
    exchange::{codec, error_response, is_grpc},
    sniff::{Patience, Spoken, sniff, spoken_at},
    worker::Worker,
};
use balanced::Balanced;

/// How long a client that is refused is waited for to say what it speaks.
const REFUSED: Duration = Duration::from_millis(200);

/// What one worker knows of the destinations its apps call.
#[derive(Default)]
pub struct Known {
    targets: RefCell<HashMap<SocketAddr, Rc<Followed>>>,
    backends: RefCell<HashMap<String, Rc<Balanced>>>,
    next_member: Cell<u64>,
    mirrors: mirror::Mirrors,
}

impl Known {
    fn follow(&self, worker: &Worker, destination: SocketAddr) -> Result<Rc<Followed>, NoTarget> {
        let mut targets = self.targets.borrow_mut();
        if let Some(found) = targets.get(&destination).filter(|f| !f.subscription.retired()) {
            return Ok(found.clone());
        }
        let followed = Rc::new(Followed {
            destination,
            subscription: worker.shared.directory.target(destination)?,
            prepared: RefCell::default(),
            patience: Patience::default(),
        });
        targets.insert(destination, followed.clone());
        Ok(followed)
    }

    /// Forgets what nobody uses any more.
    pub fn sweep(&self) {
        self.targets
            .borrow_mut()
            .retain(|_, f| Rc::strong_count(f) > 1 || !f.subscription.retired());
        self.backends.borrow_mut().retain(|_, b| Rc::strong_count(b) > 1);
    }
}

/// One destination in one worker.
pub struct Followed {
    destination: SocketAddr,
    subscription: Arc<Subscription>,
    prepared: RefCell<Option<Rc<Prepared>>>,
    patience: Patience,
}

impl Followed {
    /// The target as it is now, with everything that can be worked out beforehand.
    async fn now(&self, worker: &Worker) -> Result<Rc<Prepared>, NoTarget> {
        {
            let current = self.subscription.current();
            if let (Some(target), Some(prepared)) = (&*current, &*self.prepared.borrow())
                && Arc::ptr_eq(target, &prepared.target)
            {
                return Ok(prepared.clone());
            }
        }
        let target = self.subscription.known().await?;
        let prepared = Rc::new(Prepared::new(worker, target, self.destination));
        *self.prepared.borrow_mut() = Some(prepared.clone());
        Ok(prepared)
    }
}

/// Serves one connection of the app's. What it may turn out to be is boxed: it holds room only for what it is.
pub async fn connection(worker: Rc<Worker>, stream: TcpStream) {
    let destination = match worker.shared.settings.outbound_destination.of(&stream) {
        Ok(destination) => SocketAddr::new(destination.ip().to_canonical(), destination.port()),
        Err(error) => return tracing::debug!(%error, "a connection without original destination"),
    };
    if stream.local_addr().is_ok_and(|own| own == destination) {
        // Not redirected: somebody connected to our port. Going on would call ourselves for ever.
        worker.shard.event("refused", "not-redirected");
        return;
    }
    let followed = match worker.outbound.follow(&worker, destination) {
        Ok(followed) => followed,
        Err(no) => return refuse(&worker, stream, no.reason()).await,
    };
    let _in_use = followed.subscription.used();
    let prepared = match followed.now(&worker).await {
        Ok(prepared) => prepared,
        Err(NoTarget::Unavailable) if worker.shared.directory.behaviour().pass_undiscovered => {
            worker.shard.event("passed", NoTarget::Unavailable.reason());
            return Box::pin(tcp::pass_through(&worker, stream, destination)).await;
        }
        Err(no) => return refuse(&worker, stream, no.reason()).await,
    };
    let hint = match &*prepared.target {
        config::Target::Unknown if worker.shared.directory.behaviour().refuse_unknown => {
            return refuse(&worker, stream, "unknown-destination").await;
        }
        config::Target::Unknown => return Box::pin(tcp::pass_through(&worker, stream, destination)).await,
        config::Target::Service(service) => spoken_at(service.port, service.protocol),
        config::Target::Pod(_) => spoken_at(destination.port(), Protocol::Detect),
    };
    let (spoken, stream) = match Box::pin(look(&followed, &prepared, stream, hint)).await {
        Ok(looked) => looked,
        Err(error) => return tracing::debug!(%error, "the app closed its connection"),
    };
    let waits = hint == Protocol::Detect && spoken == Spoken::Opaque && stream.is_silent();
    let name = match spoken {
        Spoken::Http(http) => return http::serve(worker, followed.clone(), stream, http).await,
        Spoken::Tls(hello) => hello.sni,
        Spoken::Opaque | Spoken::Nothing => None,
    };
    let served = Box::pin(tcp::serve(&worker, &prepared, stream, name.as_deref(), waits)).await;
    if let Some((http, stream)) = served {
        // Slow to speak, but not waiting for the server.
        followed.patience.forget();
        http::serve(worker, followed.clone(), stream, http).await;
    }
}

/// What does the app speak? Servers that speak first cost a short wait once; then we are quicker.
async fn look(
    followed: &Followed,
    prepared: &Prepared,
    stream: TcpStream,
    hint: Protocol,
) -> std::io::Result<(Spoken, Buffered<TcpStream>)> {
    match hint {
        Protocol::Tls | Protocol::Opaque if prepared.asks_for_server_names() => {
            // Whoever speaks TLS speaks first, so there is nothing to be lost by waiting for a name.
            let patience = (hint == Protocol::Opaque).then(|| followed.patience.now());
            let (spoken, stream) = sniff(stream, patience).await?;
            if patience.is_some() {
                followed.patience.learn(stream.is_silent());
            }
            Ok(match spoken {
                Spoken::Http(_) => (Spoken::Opaque, stream),
                other => (other, stream),
            })
        }
        Protocol::Opaque | Protocol::Tls => Ok((Spoken::Opaque, Buffered::new(bytes::Bytes::new(), stream))),
        Protocol::Http1 | Protocol::Http2 | Protocol::Grpc => sniff(stream, None).await,
        Protocol::Detect => {
            let (spoken, stream) = sniff(stream, Some(followed.patience.now())).await?;
            followed
                .patience
                .learn(spoken == Spoken::Opaque && stream.is_silent());
            Ok((spoken, stream))
        }
    }
}

/// Tells the app why not, if it speaks HTTP; else resets.
async fn refuse(worker: &Worker, stream: TcpStream, reason: &'static str) {
    worker.shard.event("refused", reason);
    tracing::warn!(reason, "an outbound connection was refused");
    match sniff(stream, Some(REFUSED)).await {
        Ok((Spoken::Http(http), stream)) => {
            let answer = move |request: crate::exchange::Request| {
                let grpc = is_grpc(request.headers());
                let mut response = error_response(StatusCode::SERVICE_UNAVAILABLE, reason, grpc);
                if http == codec::Http::One {
                    // The next attempt shall ask again what the destination is.
                    response
                        .headers_mut()
                        .insert("connection", ::http::HeaderValue::from_static("close"));
                }
                std::future::ready(response)
            };
            let spoken = codec::Protocol::App(http);
            let _ = codec::serve(stream, spoken, worker.drain.clone(), answer).await;
        }
        Ok((_, stream)) => reset(stream.get_ref()),
        Err(_) => {}
    }
}

/// Makes closing a reset, so that the other end does not take it for a good end.
pub fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
