//! HTTP at the edges of an exchange, by hyper: servers that hand out requests, clients that send them.

use std::{cell::Cell, future::Future, pin::pin, rc::Rc, time::Duration};

use hyper::{body::Incoming, client::conn, server, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Body, Error, Request, Response, Side};
use crate::drain::Drain;

/// Largest head of a request or response.
const HEAD: usize = 64 * 1024;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Streams a peer may have open at once on one connection.
const STREAMS: u32 = 1000;

/// Runs hyper's tasks on the worker they belong to.
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// Which HTTP is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Http {
    One,
    Two,
}

/// Serves one connection until it ends; when the worker drains, after the requests under way.
pub async fn serve<IO, H, F>(io: IO, http: Http, drain: Drain, handle: H) -> Result<(), hyper::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    let handle = Rc::new(handle);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let handle = handle.clone();
        async move {
            let request = request.map(|incoming| Body::stream(incoming, Side::Client));
            Ok::<_, std::convert::Infallible>(handle(request).await)
        }
    });
    match http {
        Http::One => {
            let mut builder = server::conn::http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(None)
                .max_buf_size(HEAD)
                .auto_date_header(false);
            let mut connection = pin!(
                builder
                    .serve_connection(TokioIo::new(io), service)
                    .with_upgrades()
            );
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = drain.begun() => connection.as_mut().graceful_shutdown(),
            }
            connection.await
        }
        Http::Two => {
            let mut builder = server::conn::http2::Builder::new(Local);
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(HEAD as u32)
                .keep_alive_interval(Duration::from_secs(30))
                .auto_date_header(false)
                .enable_connect_protocol();
            let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = drain.begun() => connection.as_mut().graceful_shutdown(),
            }
            connection.await
        }
    }
}

/// An open connection that requests can be sent on.
pub enum Sender {
    One(conn::http1::SendRequest<Body>),
    Two(conn::http2::SendRequest<Body>),
}

/// A request that failed; given back whole when not a byte of it was sent.
pub struct Failed {
    pub error: Error,
    pub request: Option<Request>,
}

impl Sender {
    /// Speaks `http` on a fresh connection. `open` counts the connection while it lives.
    pub async fn connect<IO>(io: IO, http: Http, open: Rc<Cell<usize>>) -> Result<Self, hyper::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(io);
        open.set(open.get() + 1);
        let closed = Closed(open);
        match http {
            Http::One => {
                let (sender, connection) = conn::http1::Builder::new()
                    .max_buf_size(HEAD)
                    .handshake(io)
                    .await?;
                tokio::task::spawn_local(async move {
                    let _closed = closed;
                    if let Err(error) = connection.with_upgrades().await {
                        tracing::debug!(%error, "connection ended");
                    }
                });
                Ok(Self::One(sender))
            }
            Http::Two => {
                let (sender, connection) = conn::http2::Builder::new(Local)
                    .timer(TokioTimer::new())
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .max_header_list_size(HEAD as u32)
                    .keep_alive_interval(Duration::from_secs(30))
                    .handshake(io)
                    .await?;
                tokio::task::spawn_local(async move {
                    let _closed = closed;
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "connection ended");
                    }
                });
                Ok(Self::Two(sender))
            }
        }
    }

    /// Another handle on a connection that carries many exchanges at once.
    pub fn share(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(s) => Some(Self::Two(s.clone())),
        }
    }

    pub fn is_ready(&self) -> bool {
        match self {
            Self::One(s) => s.is_ready(),
            Self::Two(s) => s.is_ready(),
        }
    }

    pub fn is_closed(&self) -> bool {
        match self {
            Self::One(s) => s.is_closed(),
            Self::Two(s) => s.is_closed(),
        }
    }

    /// Sends a request and waits for the head of its response. `side` is who is called.
    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        let sent = match self {
            Self::One(s) => s.try_send_request(request).await,
            Self::Two(s) => s.try_send_request(request).await,
        };
        match sent {
            Ok(response) => Ok(response.map(|incoming| Body::stream(incoming, side))),
            Err(mut failed) => {
                let request = failed.take_message();
                let cause = failed.into_error();
                let unsent = request.is_some() || refused(&cause);
                let error = Error {
                    side,
                    reason: "reset",
                    unsent,
                    source: Some(Box::new(cause)),
                };
                Err(Failed { error, request })
            }
        }
    }
}

struct Closed(Rc<Cell<usize>>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The peer says it has not looked at the request (REFUSED_STREAM).
fn refused(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|s| s.downcast_ref::<h2::Error>())
        .is_some_and(|e| e.reason() == Some(h2::Reason::REFUSED_STREAM))
}
