//! Connections to where exchanges go next: dialled, secured, pooled per worker.
//!
//! One pool serves one pair of address and way of getting there. Over the mesh many exchanges share one connection,
//! in the mesh's own protocol or, where the other proxy does not know it, in HTTP/2; plaintext HTTP/1.1 connections are
//! kept for the next exchange. The way is part of the key, so that a request for a meshed endpoint can never end up on a
//! plaintext connection.

mod dialer;
mod stream;
#[cfg(test)]
mod tests;
mod way;

pub use dialer::{Dialer, keep_alive};
pub use stream::Stream;
pub use way::{Wanted, Way};

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, request::Parts};
use mesh_api::{names, wire};

use crate::{
    config::{Keepalive, Limits},
    exchange::{
        Error, Failed, Request, Response,
        codec::{Http, Protocol, Sender},
    },
};

/// Idle HTTP/1.1 connections kept per address, and for how long. As many as calls come at once: with fewer, each burst
/// would close connections that the next one dials again.
const MOST_IDLE: usize = 1024;
const IDLE: Duration = Duration::from_mins(1);
/// What must not be sent twice goes only where something was sent so lately: apps close their idle connections after
/// seconds (two, five, fifteen), and what reaches them in that moment is lost.
const RESTED: Duration = Duration::from_secs(1);

/// How a connection came out.
#[derive(Debug)]
pub struct Link {
    pub tls: Option<Arc<wire::Secured>>,
    /// What both ends agreed to speak.
    pub alpn: Vec<u8>,
    /// Exchanges so far.
    used: Cell<u32>,
    since: Instant,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            tls: None,
            alpn: Vec::new(),
            used: Cell::new(0),
            since: Instant::now(),
        }
    }
}

/// A connection that takes a request at once.
pub struct Ready {
    sender: Sender,
    link: Rc<Link>,
    /// It was there before, and may turn out to be stale.
    kept: bool,
    /// Since when it has carried nothing, where that is so.
    since: Option<Instant>,
    http: Http,
}

/// A connection that carries many exchanges at once.
struct Common {
    sender: Sender,
    link: Rc<Link>,
    /// Since when it has not been used, and how often it had been before.
    quiet: (Instant, u32),
}

/// The connections to one address.
pub struct Connections {
    dialer: Dialer,
    address: SocketAddr,
    way: Way,
    /// More than one only where the other end limits what a connection carries.
    shared: RefCell<Vec<Common>>,
    dialling: tokio::sync::Mutex<()>,
    /// When it could not be dialled last, and why.
    failed: Cell<Option<(Instant, &'static str)>>,
    idle: RefCell<Vec<(Sender, Rc<Link>, Instant)>>,
    open: Rc<Cell<usize>>,
    /// Exchanges on one connection.
    most_used: Cell<u32>,
    idle_timeout: Cell<Duration>,
    most_old: Cell<Option<Duration>>,
    keepalive: Cell<Keepalive>,
}

impl Connections {
    pub fn new(dialer: Dialer, address: SocketAddr, way: Way) -> Rc<Self> {
        Rc::new(Self {
            dialer,
            address,
            way,
            shared: RefCell::default(),
            dialling: tokio::sync::Mutex::new(()),
            failed: Cell::new(None),
            idle: RefCell::default(),
            open: Rc::default(),
            most_used: Cell::new(u32::MAX),
            idle_timeout: Cell::new(IDLE),
            most_old: Cell::new(None),
            keepalive: Cell::default(),
        })
    }

    /// Keeps connections as long as these limits say. Backends that share an address share its pool; the last one to
    /// be configured is obeyed.
    pub fn obey(&self, limits: &Limits) {
        self.most_used
            .set(limits.requests_per_connection.unwrap_or(u32::MAX));
        self.idle_timeout.set(limits.idle_timeout.unwrap_or(IDLE));
        self.most_old.set(limits.max_connection);
        self.keepalive.set(limits.keepalive);
    }

    /// May another exchange begin on it?
    fn may_use(&self, link: &Link) -> bool {
        link.used.get() < self.most_used.get()
            && self.most_old.get().is_none_or(|most| link.since.elapsed() < most)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Sends a request. It may be sent twice, should a kept connection turn out to be stale: always when nothing of it
    /// was sent, otherwise if it is `repeatable`. A request that failed is given back where it is still whole.
    pub async fn send(
        self: &Rc<Self>,
        mut ready: Ready,
        mut request: Request,
        repeatable: bool,
    ) -> Result<(Response, Rc<Link>), Failed> {
        if ready.kept && ready.http == Http::One && !repeatable {
            // It cannot be sent twice, so the other end must not have closed meanwhile.
            let rested = ready.since.is_some_and(|since| since.elapsed() >= RESTED);
            if rested || ready.sender.has_ended() {
                ready = match Box::pin(self.connect(Http::One)).await {
                    Ok(another) => another,
                    Err(error) => {
                        return Err(Failed {
                            error,
                            request: Some(request),
                        });
                    }
                };
            }
        }
        let Ready {
            mut sender,
            mut link,
            mut kept,
            http,
            ..
        } = ready;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match sender.send(request, self.way.side()).await {
                Ok(response) if http == Http::One => {
                    let back = Back {
                        pool: Rc::downgrade(self),
                        sender: Some((sender, link.clone())),
                    };
                    return Ok((response.map(|body| body.holding(back)), link));
                }
                Ok(response) => return Ok((response, link)),
                Err(Failed {
                    error,
                    request: Some(again),
                }) if kept
                    && attempts < 4
                    && (error.unsent || repeatable)
                    // What went wrong beyond the peer is not the connection's fault.
                    && error.side == self.way.side() =>
                {
                    tracing::debug!(%error, "a kept connection was stale");
                    request = again;
                }
                Err(failed) => return Err(failed),
            }
            let next = match self.ready(http).await {
                Ok(next) => next,
                Err(error) => {
                    return Err(Failed {
                        error,
                        request: Some(request),
                    });
                }
            };
            (sender, link, kept) = (next.sender, next.link, next.kept);
        }
    }

    /// A connection ready for a request. Failing here, nothing of a request was sent.
    pub async fn ready(&self, http: Http) -> Result<Ready, Error> {
        let found = match http {
            Http::One => self.take_idle(),
            Http::Two => self.share(),
        };
        match found {
            Some(found) => Ok(found),
            // Rare, and large: boxed, so that requests do not carry it along.
            None => Box::pin(self.open(http)).await,
        }
    }

    async fn open(&self, http: Http) -> Result<Ready, Error> {
        if http == Http::One {
            return self.connect(http).await;
        }
        let asked = Instant::now();
        // One dials, the others wait for it, and for what comes of it.
        let _dialling = self.dialling.lock().await;
        if let Some(found) = self.share() {
            return Ok(found);
        }
        if let Some((_, reason)) = self.failed.get().filter(|(at, _)| *at >= asked) {
            return Err(Error::new(self.way.side(), reason).unsent());
        }
        let ready = self.connect(http).await.inspect_err(|error| {
            self.failed.set(Some((Instant::now(), error.reason)));
        })?;
        if let Some(sender) = ready.sender.share() {
            self.shared.borrow_mut().push(Common {
                sender,
                link: ready.link.clone(),
                quiet: (Instant::now(), 0),
            });
        }
        Ok(ready)
    }

    fn share(&self) -> Option<Ready> {
        let mut shared = self.shared.borrow_mut();
        // Exchanges under way finish on those that are left out.
        shared.retain(|common| !common.sender.is_closed() && self.may_use(&common.link));
        let (sender, link) = shared
            .iter()
            .find_map(|common| Some((common.sender.share()?, common.link.clone())))?;
        link.use_once();
        Some(Ready {
            sender,
            link,
            kept: true,
            since: None,
            http: Http::Two,
        })
    }

    /// How those that carry many exchanges came out, where there is one.
    pub fn link(&self) -> Option<Rc<Link>> {
        self.shared.borrow().first().map(|common| common.link.clone())
    }

    fn take_idle(&self) -> Option<Ready> {
        let mut idle = self.idle.borrow_mut();
        // The latest first: those that a quiet spell leaves over grow old and are swept.
        while let Some((sender, link, since)) = idle.pop() {
            if sender.is_ready() && self.may_use(&link) {
                link.use_once();
                return Some(Ready {
                    sender,
                    link,
                    kept: true,
                    since: Some(since),
                    http: Http::One,
                });
            }
        }
        None
    }

    async fn connect(&self, http: Http) -> Result<Ready, Error> {
        let (stream, link) = self.dial(Wanted::Requests(http)).await?;
        let protocol = match &self.way {
            Way::Mesh(_) if link.alpn == names::ALPN_MESH => Protocol::Mesh,
            Way::Mesh(_) => Protocol::Between,
            Way::Outside(_) | Way::Plain | Way::Own => Protocol::App(http),
        };
        let sender = Sender::connect(stream, protocol, self.open.clone()).await?;
        link.use_once();
        Ok(Ready {
            sender,
            link: Rc::new(link),
            kept: false,
            since: None,
            http,
        })
    }

    /// A connection of its own.
    pub async fn dial(&self, wanted: Wanted) -> Result<(Stream, Link), Error> {
        let dialled = self
            .dialer
            .dial(self.address, &self.way, wanted, self.keepalive.get());
        dialled.await
    }

    /// Closes what has been idle for too long.
    pub fn sweep(&self, now: Instant) {
        let most = self.idle_timeout.get();
        let over = |since: Instant| now.saturating_duration_since(since) >= most;
        self.idle
            .borrow_mut()
            .retain(|(sender, _, since)| !sender.is_closed() && !over(*since));
        self.shared.borrow_mut().retain_mut(|common| {
            let used = common.link.used.get();
            if common.quiet.1 == used {
                return !over(common.quiet.0);
            }
            common.quiet = (now, used);
            true
        });
    }
}

impl Link {
    fn use_once(&self) {
        self.used.set(self.used.get().saturating_add(1));
    }
}

/// Brings an HTTP/1.1 connection back to its pool when the answer's body is done with.
struct Back {
    pool: Weak<Connections>,
    sender: Option<(Sender, Rc<Link>)>,
}

impl Drop for Back {
    fn drop(&mut self) {
        if let (Some(pool), Some((sender, link))) = (self.pool.upgrade(), self.sender.take())
            && !sender.is_closed()
            && pool.may_use(&link)
        {
            let mut idle = pool.idle.borrow_mut();
            if idle.len() >= MOST_IDLE {
                idle.remove(0);
            }
            idle.push((sender, link, Instant::now()));
        }
    }
}

/// May the request be sent again though it perhaps was received? (Its method says so; bodies are another matter.)
pub fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// A copy of a request's head. Extensions belong to one exchange and stay behind.
pub fn copy_head(head: &Parts) -> Parts {
    let mut copy = http::Request::new(()).into_parts().0;
    copy.method.clone_from(&head.method);
    copy.uri.clone_from(&head.uri);
    copy.version = head.version;
    copy.headers.clone_from(&head.headers);
    copy
}
