//! The codecs by name: which protocol is spoken on a connection, serving it, sending on it.

use std::{cell::Cell, future::Future, rc::Rc};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Ended, Error, Failed, Request, Response, Side, http1,
    http2::{self, Other},
    mesh,
};
use crate::drain::Drain;

/// Which HTTP an app speaks on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Http {
    One,
    Two,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// With an app.
    App(Http),
    /// HTTP/2 with another proxy.
    Between,
    /// The mesh's own, with another proxy.
    Mesh,
}

/// Serves one connection until it ends; when the worker drains, after the requests under way.
pub async fn serve<IO, H, F>(io: IO, protocol: Protocol, drain: Drain, handle: H) -> Result<(), Ended>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    // Boxed, so that an idle connection holds room for what is spoken on it, and not for the largest of all.
    match protocol {
        Protocol::App(Http::One) => Box::pin(http1::server::serve(io, drain, handle)).await,
        Protocol::App(Http::Two) => Ok(Box::pin(http2::serve(io, Other::App, drain, handle)).await?),
        Protocol::Between => Ok(Box::pin(http2::serve(io, Other::Proxy, drain, handle)).await?),
        Protocol::Mesh => Box::pin(mesh::serve(io, drain, handle)).await,
    }
}

/// An open connection that requests can be sent on.
pub enum Sender {
    One(http1::client::Sender),
    Two(http2::Sender),
    Mesh(mesh::Sender),
}

impl Sender {
    /// Speaks `protocol` on a fresh connection. `open` counts the connection while it lives.
    pub async fn connect<IO>(io: IO, protocol: Protocol, open: Rc<Cell<usize>>) -> Result<Self, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        open.set(open.get() + 1);
        let (other, side) = match protocol {
            Protocol::App(Http::One) => return Ok(Self::One(http1::client::Sender::new(io, open))),
            Protocol::Mesh => return Ok(Self::Mesh(mesh::Sender::new(io, open))),
            Protocol::App(Http::Two) => (Other::App, Side::Server),
            Protocol::Between => (Other::Proxy, Side::Mesh),
        };
        match http2::Sender::connect(io, other, open).await {
            Ok(sender) => Ok(Self::Two(sender)),
            Err(error) => Err(Error::new(side, "handshake-failed").unsent().because(error)),
        }
    }

    /// Another handle on a connection that carries many exchanges at once.
    pub fn share(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(s) => s.share().map(Self::Two),
            Self::Mesh(s) => s.share().map(Self::Mesh),
        }
    }

    pub fn is_ready(&self) -> bool {
        match self {
            Self::One(s) => s.is_ready(),
            shared => !shared.is_closed(),
        }
    }

    /// Has the other end closed an idle connection, though the runtime may not have heard of it yet?
    pub fn has_ended(&self) -> bool {
        match self {
            Self::One(s) => s.has_ended(),
            shared => shared.is_closed(),
        }
    }

    pub fn is_closed(&self) -> bool {
        match self {
            Self::One(s) => s.is_closed(),
            Self::Two(s) => s.is_closed(),
            Self::Mesh(s) => s.is_closed(),
        }
    }

    /// Sends a request and waits for the head of its response. `side` is who is called.
    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        match self {
            Self::One(s) => s.send(request, side).await,
            Self::Two(s) => s.send(request, side).await,
            Self::Mesh(s) => s.send(request, side).await,
        }
    }
}
