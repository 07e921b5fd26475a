//! HTTP/2 at the edges of an exchange, by hyper: for apps that speak it, and for proxies that do not know the mesh's
//! own protocol.

mod hasty;
mod translate;
mod tunnel;

use std::{cell::Cell, future::Future, pin::pin, rc::Rc, time::Duration};

use http::{StatusCode, header};
use hyper::{body::Incoming, client::conn::http2, server, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use self::hasty::Hasty;
use super::{Body, Error, Failed, Request, Response, Side, error_response, is_grpc};
use crate::drain::Drain;

/// Largest head of a request or response.
const HEAD: usize = 64 * 1024;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Fields in one head; the mesh's own protocol takes a few more, for those that we add.
const MOST_FIELDS: usize = 200;
/// Held for one stream whose reader is slow.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams a peer may have open at once on one connection.
const STREAMS: u32 = 1000;

/// Runs hyper's tasks on the worker they belong to.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    App,
    /// One of our proxies, which tells what HTTP/2 cannot.
    Proxy,
}

/// Serves one connection until it ends; when the worker drains, after the requests under way.
pub async fn serve<IO, H, F>(io: IO, other: Other, drain: Drain, handle: H) -> Result<(), hyper::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    let handle = Rc::new(handle);
    let hasty = Rc::new(Hasty::default());
    let watched = hasty.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (handle, mut begun) = (handle.clone(), watched.begin());
        // Boxed where it is made: hyper and the runtime hand it on several times, and it is large.
        Box::pin(async move {
            let response = exchange(&*handle, request, other).await;
            begun.answered();
            Ok::<_, std::convert::Infallible>(response)
        })
    });
    let mut builder = server::conn::http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD as u32)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(Duration::from_secs(30))
        .auto_date_header(false);
    if other == Other::Proxy {
        builder.enable_connect_protocol();
    }
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = hasty.too_often() => {
            tracing::info!("a peer breaks off most of its requests before they are answered: its connection is closed");
            return Ok(());
        }
        () = drain.begun() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn exchange<H, F>(handle: &H, mut request: http::Request<Incoming>, other: Other) -> Response
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    if request.headers().len() > MOST_FIELDS {
        let grpc = is_grpc(request.headers());
        return error_response(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head-too-large",
            grpc,
        );
    }
    let near = (request.method() == http::Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
    let (mut parts, incoming) = request.into_parts();
    if other == Other::Proxy {
        translate::from_proxy(&mut parts);
    }
    if let Some(near) = near {
        if other == Other::Proxy {
            tunnel::from_connect(&mut parts);
        }
        let (up, body) = tunnel::pipe(Side::Client);
        let response = handle(Request::from_parts(parts, body)).await;
        return tunnel::answer(response, near, up, other == Other::Proxy);
    }
    let body = Body::stream(incoming, Side::Client);
    let mut response = handle(Request::from_parts(parts, body)).await;
    translate::strip_hop_by_hop(response.headers_mut());
    response
}

/// An open connection that carries many exchanges at once.
#[derive(Clone)]
pub struct Sender {
    sender: http2::SendRequest<Body>,
    other: Other,
}

impl Sender {
    /// Speaks HTTP/2 on a fresh connection. `open` counts the connection while it lives.
    pub async fn connect<IO>(io: IO, other: Other, open: Rc<Cell<usize>>) -> Result<Self, hyper::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let handshake = http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD as u32)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(Duration::from_secs(30))
            .handshake(TokioIo::new(io))
            .await;
        let (sender, connection) = match handshake {
            Ok(both) => both,
            Err(error) => {
                open.set(open.get().saturating_sub(1));
                return Err(error);
            }
        };
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            open.set(open.get().saturating_sub(1));
        });
        Ok(Self { sender, other })
    }

    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its response. `side` is who is called.
    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        let (mut parts, mut body) = request.into_parts();
        let mut up = None;
        let connects = parts.method == http::Method::CONNECT;
        if body.is_tunnel() {
            tunnel::to_connect(&mut parts, self.other == Other::Proxy);
            up = Some(std::mem::replace(&mut body, Body::empty()));
        } else {
            translate::to_http2(&mut parts, self.other == Other::Proxy);
            // hyper passes on no interim answers; without one a caller that expects it would wait.
            if parts.headers.remove(header::EXPECT).is_some()
                && let Some(caller) = body.interim()
            {
                caller.send(StatusCode::CONTINUE, &http::HeaderMap::new());
            }
        }
        match self
            .sender
            .try_send_request(Request::from_parts(parts, body))
            .await
        {
            Ok(response) if response.headers().len() > MOST_FIELDS => Err(Failed {
                error: Error::new(side, "bad-response").because("a head with too many fields"),
                request: None,
            }),
            Ok(mut response) => {
                let far = up.is_some().then(|| hyper::upgrade::on(&mut response));
                let response = response.map(|incoming| Body::stream(incoming, side));
                Ok(match far.zip(up) {
                    Some((far, up)) => tunnel::answered(response, far, up, side, connects),
                    None => response,
                })
            }
            Err(mut failed) => {
                let request = failed.take_message().filter(|_| up.is_none());
                let cause = failed.into_error();
                let error = Error {
                    side,
                    reason: "reset",
                    unsent: request.is_some() || refused(&cause),
                    source: Some(Box::new(cause)),
                };
                Err(Failed { error, request })
            }
        }
    }
}

/// The peer says it has not looked at the request (REFUSED_STREAM).
fn refused(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|s| s.downcast_ref::<h2::Error>())
        .is_some_and(|e| e.reason() == Some(h2::Reason::REFUSED_STREAM))
}
