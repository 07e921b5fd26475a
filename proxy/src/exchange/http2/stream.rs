//! Bodies on an HTTP/2 stream: reading one, writing one. What is read makes room for more only once somebody takes it.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, header};
use http_body::{Body as _, Frame};

use super::{Other, client::UnderWay};
use crate::exchange::{AppReset, Body, Ended, Error, Side, grpc_trailers};

/// The body that is being read from a stream.
pub struct Incoming {
    stream: RecvStream,
    /// What is still to come, where the head has said so.
    left: Option<u64>,
    only_trailers: bool,
    /// Of an answer: who gives it, and what counts its exchange.
    answer: Option<(Other, UnderWay)>,
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let length = headers.get(header::CONTENT_LENGTH);
        Self {
            stream,
            left: length.and_then(|l| l.to_str().ok()?.parse().ok()),
            only_trailers: false,
            answer: None,
        }
    }

    pub(super) fn answering(mut self, other: Other, under_way: UnderWay) -> Self {
        self.answer = Some((other, under_way));
        self
    }

    /// Why it broke off.
    pub fn broken_off(&self, side: Side, cause: h2::Error) -> Error {
        let other = self.answer.as_ref().map_or(Other::Proxy, |(other, _)| *other);
        broken_off(other, side, "body-reset", cause)
    }

    pub fn is_over(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// How much is still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        if self.is_over() { Some(0) } else { self.left }
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.only_trailers {
            match ready!(self.stream.poll_data(cx)) {
                // Some end a body with an empty frame.
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    // Fails only where the stream has ended, and then nobody needs room.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(end(error)),
                None => self.only_trailers = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|t| Ok(Frame::trailers(t)))),
            Err(error) => Poll::Ready(end(error)),
        }
    }
}

/// A stream that is reset without an error has said all it wanted to.
fn end<T>(error: h2::Error) -> Option<Result<T, h2::Error>> {
    (error.reason() != Some(Reason::NO_ERROR)).then_some(Err(error))
}

/// An exchange that `other` does not go on with. An app's own word is kept; a proxy's says nothing of the app behind it.
pub fn broken_off(other: Other, side: Side, reason: &'static str, cause: h2::Error) -> Error {
    let said = cause.reason().filter(|_| cause.is_reset() && cause.is_remote());
    match said {
        Some(said) if other == Other::App => Error::new(side, reason).because(AppReset(said)),
        _ => Error::new(side, reason).because(cause),
    }
}

/// What the other end is told of a body that breaks off.
#[derive(Clone, Copy)]
pub enum Broken {
    /// A reset: for the reason that an app gave, or else this one.
    Reset(Reason),
    /// A status, as of a server that is gone: a reset would be an error of the call, which clients do not repeat.
    Grpc,
}

impl Broken {
    fn tell(self, to: &mut SendStream<Bytes>, error: &Error) -> Result<(), h2::Error> {
        match self {
            Self::Reset(reason) => to.send_reset(AppReset::of(error).map_or(reason, |said| said.0)),
            Self::Grpc => to.send_trailers(grpc_trailers(error))?,
        }
        Ok(())
    }
}

/// Sends a body and its trailers, as fast as they are read. Of a body that breaks off the other end hears as `broken` says.
pub async fn send_body(mut to: SendStream<Bytes>, mut body: Body, broken: Broken) -> Result<(), Ended> {
    let mut waiting: Option<(Bytes, bool)> = None;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(reason) = to.poll_reset(cx)? {
                return Poll::Ready(Err(Ended::Http2(reason.into())));
            }
            if let Some((data, last)) = waiting.take() {
                while to.capacity() == 0 {
                    match to.poll_capacity(cx)? {
                        Poll::Ready(Some(_)) => {}
                        Poll::Ready(None) => return Poll::Ready(Err(Ended::Cut)),
                        Poll::Pending => {
                            waiting = Some((data, last));
                            return Poll::Pending;
                        }
                    }
                }
                to.send_data(data, last)?;
                if last {
                    return Poll::Ready(Ok(()));
                }
            }
            match ready!(Pin::new(&mut body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => match (data.is_empty(), body.is_end_stream()) {
                        (true, false) => {}
                        (true, true) => {
                            to.send_data(data, true)?;
                            return Poll::Ready(Ok(()));
                        }
                        (false, last) => {
                            // Asked for only now: room that a silent stream holds is room that others lack.
                            to.reserve_capacity(1);
                            waiting = Some((data, last));
                        }
                    },
                    Err(frame) => {
                        to.reserve_capacity(0);
                        to.send_trailers(frame.into_trailers().unwrap_or_default())?;
                        return Poll::Ready(Ok(()));
                    }
                },
                Some(Err(error)) => {
                    to.reserve_capacity(0);
                    broken.tell(&mut to, &error)?;
                    return Poll::Ready(Err(Ended::Exchange(error)));
                }
                None => {
                    to.send_data(Bytes::new(), true)?;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    })
    .await
}
