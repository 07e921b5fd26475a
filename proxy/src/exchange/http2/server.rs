//! The called side of HTTP/2: a task for each stream.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    CONNECTION_WINDOW, HEAD, MOST_FIELDS, Other, PIECES, SEND_BUFFER, STREAM_WINDOW, STREAMS,
    hasty::{Begun, Hasty},
    pings::Pings,
    stream::{Broken, Incoming, send_body},
    translate, tunnel,
};
use crate::{
    drain::Drain,
    exchange::{Body, Interim, Request, Response, Side, error_response, is_grpc},
};

/// Serves one connection until it ends; when the worker drains, after the requests under way.
pub async fn serve<IO, H, F>(io: IO, other: Other, drain: Drain, handle: H) -> Result<(), h2::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(PIECES);
    if other == Other::Proxy {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake(io).await?;
    let handle = Rc::new(handle);
    let hasty = Rc::new(Hasty::default());
    let mut pings = Pings::new(other, connection.ping_pong());
    let mut ending = pin!(drain.begun());
    let mut too_often = pin!(hasty.too_often());
    let (mut is_ending, mut is_over) = (false, false);
    loop {
        let accepted = poll_fn(|cx| {
            if !is_ending && ending.as_mut().poll(cx).is_ready() {
                is_ending = true;
                connection.graceful_shutdown();
            }
            if !is_over && too_often.as_mut().poll(cx).is_ready() {
                is_over = true;
                tracing::info!("a peer breaks off most of its requests before they are answered: its connection is closed");
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            if pings.poll_silent(cx).is_ready() {
                return Poll::Ready(None);
            }
            connection.poll_accept(cx)
        })
        .await;
        let Some(accepted) = accepted else {
            return Ok(());
        };
        let (request, respond) = accepted?;
        let stream = Stream {
            other,
            respond: Rc::new(Respond(RefCell::new(respond))),
            begun: hasty.begin(),
        };
        // Boxed, as it is large, and the runtime moves what it is given more than once.
        tokio::task::spawn_local(Box::pin(stream.serve(handle.clone(), request)));
    }
}

/// A stream whose answer has not begun.
struct Stream {
    other: Other,
    respond: Rc<Respond>,
    begun: Begun,
}

struct Respond(RefCell<SendResponse<Bytes>>);

impl Interim for Respond {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut interim = http::Response::new(());
        *interim.status_mut() = status;
        *interim.headers_mut() = headers.clone();
        translate::strip_hop_by_hop(interim.headers_mut());
        // A caller that has left needs none.
        let _ = self.0.borrow_mut().send_informational(interim);
    }
}

impl Stream {
    async fn serve<H, F>(mut self, handle: Rc<H>, request: http::Request<RecvStream>)
    where
        H: Fn(Request) -> F,
        F: Future<Output = Response>,
    {
        let Some(response) = self.exchange(&*handle, request).await else {
            return;
        };
        self.begun.answered();
        if let Err(error) = self.answer(response).await {
            tracing::debug!(%error, "an answer broke off");
        }
    }

    /// The answer, unless the caller breaks off before.
    async fn exchange<H, F>(&self, handle: &H, request: http::Request<RecvStream>) -> Option<Response>
    where
        H: Fn(Request) -> F,
        F: Future<Output = Response>,
    {
        let (mut parts, stream) = request.into_parts();
        if parts.headers.len() > MOST_FIELDS {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Some(error_response(status, "head-too-large", is_grpc(&parts.headers)));
        }
        let connects = parts.method == Method::CONNECT;
        if self.other == Other::Proxy {
            translate::from_proxy(&mut parts);
            if connects {
                tunnel::from_connect(&mut parts);
            }
        }
        let body = if stream.is_end_stream() && !connects {
            Body::empty()
        } else {
            Body::http2(Incoming::new(stream, &parts.headers), Side::Client)
        };
        let body = if connects { body.as_tunnel() } else { body };
        let body = body.answered_to(Some(self.respond.clone()));
        let mut response = {
            let mut handling = pin!(handle(Request::from_parts(parts, body)));
            poll_fn(|cx| {
                if let Poll::Ready(response) = handling.as_mut().poll(cx) {
                    return Poll::Ready(Some(response));
                }
                let broken_off = self.respond.0.borrow_mut().poll_reset(cx).is_ready();
                if broken_off {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                }
            })
            .await?
        };
        if connects {
            tunnel::answer(&mut response, self.other == Other::Proxy);
        }
        translate::strip_hop_by_hop(response.headers_mut());
        Some(response)
    }

    async fn answer(self, response: Response) -> Result<(), crate::exchange::Ended> {
        let (mut parts, body) = response.into_parts();
        let end = body.is_end_stream() && !body.is_tunnel();
        if !end && let Some(length) = body.size_hint().exact() {
            parts
                .headers
                .entry(header::CONTENT_LENGTH)
                .or_insert_with(|| HeaderValue::from(length));
        }
        // Another proxy must see that it broke off; it tells its app.
        let broken = if self.other == Other::App && is_grpc(&parts.headers) {
            Broken::Grpc
        } else {
            Broken::Reset(Reason::INTERNAL_ERROR)
        };
        let head = http::Response::from_parts(parts, ());
        let stream = self.respond.0.borrow_mut().send_response(head, end)?;
        // The body's end is told to whoever counts.
        if end {
            return Ok(());
        }
        send_body(stream, body, broken).await
    }
}
