//! The calling side of HTTP/2: many exchanges at once on one connection.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use http::Method;
use http_body::Body as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};

use super::{
    CONNECTION_WINDOW, HEAD, MOST_FIELDS, Other, PIECES, SEND_BUFFER, STREAM_WINDOW,
    pings::Pings,
    stream::{Broken, Incoming, broken_off, send_body},
    translate, tunnel,
};
use crate::{
    connections::copy_head,
    exchange::{Body, Ended, Error, Failed, Request, Response, Side},
};

/// A handle on an open connection, which ends when no handle and no exchange is left.
pub struct Sender {
    requests: SendRequest<Bytes>,
    other: Other,
    /// Dropped after the last of them.
    line: Rc<Line>,
}

/// What handles know of their connection.
#[derive(Default)]
struct Line {
    closed: Cell<bool>,
    under_way: Cell<usize>,
    unused: Rc<Notify>,
}

/// An exchange, until its answer's body has ended.
pub struct UnderWay(Rc<Line>);

impl UnderWay {
    fn begin(line: &Rc<Line>) -> Self {
        line.under_way.set(line.under_way.get() + 1);
        Self(line.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get().saturating_sub(1));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.unused.notify_one();
    }
}

/// What becomes of a request's body while the answer is waited for.
type Pump = Pin<Box<dyn Future<Output = Result<(), Ended>>>>;

impl Sender {
    /// Speaks HTTP/2 on a fresh connection. `open` counts the connection while it lives.
    pub async fn connect<IO>(io: IO, other: Other, open: Rc<Cell<usize>>) -> Result<Self, h2::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let handshake = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .data_frame_budget(PIECES)
            .enable_push(false)
            .handshake(io)
            .await;
        let closed = move || open.set(open.get().saturating_sub(1));
        let (requests, mut connection) = handshake.inspect_err(|_| closed())?;
        let line = Rc::new(Line::default());
        let (handles, unused) = (Rc::downgrade(&line), line.unused.clone());
        let mut pings = Pings::new(other, connection.ping_pong());
        tokio::task::spawn_local(async move {
            let mut unused = std::pin::pin!(unused.notified());
            let mut told = false;
            let ended = poll_fn(|cx| {
                // Woken by the last handle, the connection finds out by itself that it is not needed.
                told = told || unused.as_mut().poll(cx).is_ready();
                if pings.poll_silent(cx).is_ready() {
                    return Poll::Ready(Err(h2::Error::from(Reason::CANCEL)));
                }
                Pin::new(&mut connection).poll(cx)
            })
            .await;
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            if let Some(line) = handles.upgrade() {
                line.closed.set(true);
            }
            closed();
        });
        Ok(Self {
            requests,
            other,
            line,
        })
    }

    /// Another handle, unless the other end takes no more exchanges for now: those beyond would wait for one to end, and
    /// some never do.
    pub fn share(&self) -> Option<Self> {
        let most = self.requests.current_max_send_streams().max(1);
        (self.line.under_way.get() < most).then(|| Self {
            requests: self.requests.clone(),
            other: self.other,
            line: self.line.clone(),
        })
    }

    pub fn is_closed(&self) -> bool {
        self.line.closed.get()
    }

    /// Sends a request and waits for the head of its response. `side` is who is called.
    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        if let Err(error) = poll_fn(|cx| self.requests.poll_ready(cx)).await {
            self.line.closed.set(true);
            return Err(Failed {
                error: Error::new(side, "reset").unsent().because(error),
                request: Some(request),
            });
        }
        let under_way = UnderWay::begin(&self.line);
        let (mut parts, body) = request.into_parts();
        let between = self.other == Other::Proxy;
        let (tunnel, connects) = (body.is_tunnel(), parts.method == Method::CONNECT);
        let end = body.is_end_stream() && !tunnel;
        let interim = body.interim();
        // Only what has no body can be given back.
        let copy = end.then(|| copy_head(&parts));
        if tunnel {
            tunnel::to_connect(&mut parts, between);
        } else {
            translate::to_http2(&mut parts, between);
        }
        let sent = self
            .requests
            .send_request(http::Request::from_parts(parts, ()), end);
        let (mut answer, stream) = match sent {
            Ok(both) => both,
            Err(error) => return Err(self.failed(side, error, None)),
        };
        let (mut pump, whole): (Option<Pump>, _) = if end {
            (None, Some(body))
        } else {
            (
                Some(Box::pin(send_body(stream, body, Broken::Reset(Reason::CANCEL)))),
                None,
            )
        };
        let answered = poll_fn(|cx| {
            if let Some(under_way) = &mut pump
                && let Poll::Ready(ended) = under_way.as_mut().poll(cx)
            {
                // An app may answer before it has read all; its answer counts.
                pump = None;
                if let Err(Ended::Exchange(error)) = ended {
                    return Poll::Ready(Err(Ended::Exchange(error)));
                }
            }
            while let Poll::Ready(Some(Ok(early))) = answer.poll_informational(cx) {
                if let Some(caller) = &interim {
                    caller.send(early.status(), early.headers());
                }
            }
            Pin::new(&mut answer).poll(cx).map_err(Ended::Http2)
        })
        .await;
        match answered {
            Ok(response) if response.headers().len() > MOST_FIELDS => Err(Failed {
                error: Error::new(side, "bad-response").because("a head with too many fields"),
                request: None,
            }),
            Ok(response) => {
                let (parts, stream) = response.into_parts();
                let incoming = Incoming::new(stream, &parts.headers).answering(self.other, under_way);
                let mut response = Response::from_parts(parts, Body::http2(incoming, side));
                let agreed = tunnel && tunnel::answered(&mut response, connects);
                match pump {
                    // Declined: what would have gone through the tunnel never comes.
                    Some(_) if tunnel && !agreed => {}
                    Some(pump) => {
                        tokio::task::spawn_local(async move {
                            if let Err(error) = pump.await {
                                tracing::debug!(%error, "a request's body was not taken");
                            }
                        });
                    }
                    None => {}
                }
                Ok(response.map(|body| if agreed { body.as_tunnel() } else { body }))
            }
            Err(Ended::Http2(error)) => {
                let request = copy
                    .zip(whole)
                    .map(|(head, body)| Request::from_parts(head, body));
                Err(self.failed(side, error, request))
            }
            // The caller broke off, or took too long; that is nothing the called app did.
            Err(Ended::Exchange(error)) => Err(Failed { error, request: None }),
            Err(other) => Err(Failed {
                error: Error::new(side, "reset").because(other),
                request: None,
            }),
        }
    }

    fn failed(&self, side: Side, cause: h2::Error, request: Option<Request>) -> Failed {
        if cause.is_go_away() || cause.is_io() {
            self.line.closed.set(true);
        }
        let error = Error {
            unsent: is_unseen(&cause),
            ..broken_off(self.other, side, "reset", cause)
        };
        Failed { error, request }
    }
}

/// The peer says that it has not looked at the request: refused, or begun after the last that a leaving peer takes.
fn is_unseen(error: &h2::Error) -> bool {
    let leaving = error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    leaving || error.reason() == Some(Reason::REFUSED_STREAM)
}
