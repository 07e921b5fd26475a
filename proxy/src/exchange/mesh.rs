//! The mesh's own protocol: many exchanges at once over one mutual TLS connection between two of our proxies.
//!
//! ```text
//!   calling proxy                                   called proxy
//!   Sender::send ─► Stream ─► frames ═ TLS ═► driver ─► Stream ─► task: handler, response
//!   Response     ◄─ Stream ◄─ driver ═ TLS ═ frames ◄──────────────────┘
//! ```
//!
//! It exists because HTTP/2 between the hops costs too much: heads need no compression on a network this near, and a
//! proxy that gathers all frames of a turn into one write spends half of the processor time. Each stream has a
//! window of its own, so that a slow reader holds up nobody but itself; together they are bounded, too
//! ([`connection`]). What is sent first is a frame, there are no settings: the ALPN name carries the version.

mod connection;
mod driver;
mod frame;
mod head;
mod stream;
#[cfg(test)]
mod tests;

use std::{cell::Cell, future::Future, rc::Rc};

use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

pub use frame::Violation;
pub use stream::Incoming;

use self::{
    connection::{Connection, Shared},
    driver::{Driver, Serve},
    frame::Reason,
    stream::{Head, Stream, lost},
};
use super::{AppReset, Body, Ended, Error, Failed, Request, Response, Side, Undelivered};
use crate::drain::Drain;

/// Serves a connection until it ends; when the worker drains, until the exchanges under way have ended.
pub async fn serve<IO, H, F>(io: IO, drain: Drain, handle: H) -> Result<(), Ended>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    let handle = Rc::new(handle);
    let serve: Serve = Box::new(move |stream, parts, tunnel, end| {
        let body = if end {
            Body::empty()
        } else {
            Body::mesh(Incoming::new(stream.clone(), false), Side::Client)
        };
        let body = if tunnel { body.as_tunnel() } else { body };
        let request = Request::from_parts(parts, body.answered_to(Some(stream.clone())));
        // Boxed, as it is large, and the runtime moves what it is given more than once.
        let answer = Box::pin(answer(stream.clone(), handle.clone(), request));
        let task = tokio::task::spawn_local(answer);
        stream.served_by(task.abort_handle());
    });
    Driver::new(io, Connection::new(), Some(serve))
        .run(drain.begun())
        .await
}

/// The handler's future is made in here, where it will stay: it is too large to be moved about.
async fn answer<H, F>(stream: Rc<Stream>, handle: Rc<H>, request: Request)
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let (parts, mut body) = handle(request).await.into_parts();
    if let Some(undelivered) = parts.extensions.get::<Undelivered>() {
        // Said in a word, the caller's proxy still has the request and may try elsewhere.
        body.take_full();
        drop(body);
        return stream.reset(match undelivered {
            Undelivered::Unsent => Reason::Unreached,
            Undelivered::Cut => Reason::Broken,
            Undelivered::Reset(reset) => Reason::App(*reset),
        });
    }
    let end = body.is_end_stream();
    let tunnel = body.is_tunnel();
    stream.connection.write(|out| {
        frame::put_head(out, stream.id, end, |out| head::put_response(&parts, tunnel, out));
    });
    if end {
        // Its end is told to whoever counts.
        drop(body);
        stream.finished();
    } else if let Err(error) = stream.send_body(body).await {
        tracing::debug!(%error, "an answer broke off");
        let said = match &error {
            Ended::Exchange(error) => AppReset::of(error),
            _ => None,
        };
        return stream.reset(said.map_or(Reason::Broken, Reason::App));
    }
    if !tunnel {
        stream.stop();
    }
}

/// An open connection, on the calling side. The connection ends when no sender and no exchange is left.
pub struct Sender {
    connection: Shared,
    /// Dropped with the last of them.
    in_use: Rc<InUse>,
}

struct InUse(Shared);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Sender {
    /// Begins to speak on a fresh connection. `open` counts the connection while it lives.
    pub fn new<IO>(io: IO, open: Rc<Cell<usize>>) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let connection = Connection::new();
        let driver = Driver::new(io, connection.clone(), None);
        tokio::task::spawn_local(async move {
            if let Err(error) = driver.run(std::future::pending()).await {
                tracing::debug!(%error, "a mesh connection ended");
            }
            open.set(open.get().saturating_sub(1));
        });
        Self {
            in_use: Rc::new(InUse(connection.clone())),
            connection,
        }
    }

    /// Another handle, unless the connection can take no more.
    pub fn share(&self) -> Option<Self> {
        self.connection.is_open().then(|| Self {
            connection: self.connection.clone(),
            in_use: self.in_use.clone(),
        })
    }

    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Bytes that wait to be taken.
    #[cfg(test)]
    fn pending(&self) -> usize {
        self.connection.state.borrow().out.len()
    }

    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        let Some(stream) = self.connection.open() else {
            return Err(Failed {
                error: Error::new(side, "reset").unsent(),
                request: Some(request),
            });
        };
        let (parts, body) = request.into_parts();
        let interim = body.interim();
        let tunnel = body.is_tunnel();
        let end = body.is_end_stream() && !tunnel;
        stream.connection.write(|out| {
            frame::put_head(out, stream.id, end, |out| head::put_request(&parts, tunnel, out));
        });
        let mut incoming = Incoming::new(stream.clone(), true);
        let (mut pump, whole) = if end {
            stream.finished();
            (None, Some(body))
        } else {
            (Some(Box::pin(pump(stream.clone(), body))), None)
        };
        loop {
            let head = std::future::poll_fn(|cx| {
                if let Some(under_way) = &mut pump
                    && under_way.as_mut().poll(cx).is_ready()
                {
                    pump = None;
                }
                incoming.poll_head(cx)
            })
            .await;
            match head {
                Ok(Head::Interim(status, headers)) => {
                    if let Some(caller) = &interim {
                        caller.send(status, &headers);
                    }
                }
                Ok(Head::Final(head, switched)) => {
                    if let Some(pump) = pump {
                        // Where a tunnel was declined nothing is left to send.
                        if tunnel && !switched {
                            stream.finished();
                        } else {
                            tokio::task::spawn_local(pump);
                        }
                    }
                    let body = if incoming.is_over() {
                        Body::empty()
                    } else {
                        Body::mesh(incoming, side)
                    };
                    let body = if switched { body.as_tunnel() } else { body };
                    return Ok(Response::from_parts(head, body));
                }
                Err(reason) => {
                    return Err(Failed {
                        error: lost(side, reason),
                        request: whole.map(|body| Request::from_parts(parts, body)),
                    });
                }
            }
        }
    }
}

/// Sends a request's body; when it breaks off, so does the exchange.
async fn pump(stream: Rc<Stream>, body: Body) {
    if let Err(error) = stream.send_body(body).await {
        tracing::debug!(%error, "a request's body broke off");
        stream.reset(Reason::Broken);
    }
}
