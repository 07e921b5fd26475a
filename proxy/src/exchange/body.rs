//! Bodies: streamed, never collected, watched on their way.
//!
//! A tunnel (what follows an upgrade or a CONNECT) is a body like any other, in each direction one.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::{AppReset, Error, Interim, Side, grpc_trailers, http1, http2, mesh};

/// How a body came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was passed on.
    Complete,
    /// Whoever should send it broke off.
    Broken,
    /// The deadline passed.
    TimedOut,
    /// Whoever should take it went away.
    Abandoned,
}

/// Told once when a body ends, however it ends.
pub trait Observer {
    fn trailers(&mut self, trailers: &HeaderMap);
    fn ended(&mut self, outcome: Outcome, bytes: u64);
}

enum Content {
    Empty,
    Full(Bytes),
    Http1(http1::Incoming),
    Http2(http2::Incoming),
    Mesh(mesh::Incoming),
    /// Any other, watched or made on the way: replayed, copied, timed.
    Other(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error>>>),
}

/// A body on its way through the proxy.
pub struct Body {
    content: Content,
    side: Side,
    bytes: u64,
    /// Bytes so far, for whoever asks while it streams.
    tally: Option<Rc<Cell<u64>>>,
    observer: Option<Box<dyn Observer>>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Whatever must live as long as the body, as a pooled connection does.
    held: Option<Box<dyn std::any::Any>>,
    tunnel: bool,
    interim: Option<Rc<dyn Interim>>,
}

impl Body {
    pub fn empty() -> Self {
        Self::new(Content::Empty, Side::Client)
    }

    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::new(Content::Full(bytes.into()), Side::Client)
    }

    /// A body as a codec receives it; `side` is who sends it.
    pub fn http1(incoming: http1::Incoming, side: Side) -> Self {
        Self::new(Content::Http1(incoming), side)
    }

    pub fn mesh(incoming: mesh::Incoming, side: Side) -> Self {
        Self::new(Content::Mesh(incoming), side)
    }

    pub fn http2(incoming: http2::Incoming, side: Side) -> Self {
        Self::new(Content::Http2(incoming), side)
    }

    /// A body made from another.
    pub fn wrap(body: impl http_body::Body<Data = Bytes, Error = Error> + 'static, side: Side) -> Self {
        Self::new(Content::Other(Box::pin(body)), side)
    }

    /// Bytes as they come.
    #[cfg(test)]
    pub fn piped(bytes: tokio::sync::mpsc::Receiver<Bytes>, side: Side) -> Self {
        let frames = futures_util::stream::unfold(bytes, async |mut bytes| {
            let data = bytes.recv().await?;
            Some((Ok(Frame::data(data)), bytes))
        });
        Self::wrap(http_body_util::StreamBody::new(frames), side)
    }

    fn new(content: Content, side: Side) -> Self {
        Self {
            content,
            side,
            bytes: 0,
            tally: None,
            observer: None,
            deadline: None,
            held: None,
            tunnel: false,
            interim: None,
        }
    }

    /// What comes is no longer HTTP.
    #[must_use]
    pub fn as_tunnel(mut self) -> Self {
        self.tunnel = true;
        self
    }

    pub fn is_tunnel(&self) -> bool {
        self.tunnel
    }

    /// Where interim answers to this request can be sent.
    #[must_use]
    pub fn answered_to(mut self, caller: Option<Rc<dyn Interim>>) -> Self {
        self.interim = caller;
        self
    }

    pub fn interim(&self) -> Option<Rc<dyn Interim>> {
        self.interim.clone()
    }

    /// The bytes of a body that was made of bytes.
    pub fn take_full(&mut self) -> Bytes {
        match std::mem::replace(&mut self.content, Content::Empty) {
            Content::Full(bytes) => bytes,
            other => {
                self.content = other;
                Bytes::new()
            }
        }
    }

    #[must_use]
    pub fn counted(mut self, tally: Rc<Cell<u64>>) -> Self {
        self.tally = Some(tally);
        self
    }

    #[must_use]
    pub fn observed(mut self, observer: Box<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    #[must_use]
    pub fn until(mut self, deadline: Option<Instant>) -> Self {
        if !self.tunnel && !self.is_over() {
            self.deadline = deadline.map(|at| Box::pin(tokio::time::sleep_until(at)));
        }
        self
    }

    #[must_use]
    pub fn holding(mut self, held: impl std::any::Any) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    fn is_over(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full(bytes) => bytes.is_empty(),
            Content::Http1(incoming) => incoming.is_over(),
            Content::Http2(incoming) => incoming.is_over(),
            Content::Mesh(incoming) => incoming.is_over(),
            Content::Other(body) => body.is_end_stream(),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.deadline = None;
        self.held = None;
        if let Some(mut observer) = self.observer.take() {
            observer.ended(outcome, self.bytes);
        }
    }

    fn passed(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(tally) = &self.tally {
            tally.set(tally.get() + bytes as u64);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let polled = match &mut this.content {
            Content::Empty => {
                this.end(Outcome::Complete);
                return Poll::Ready(None);
            }
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                this.passed(bytes.len());
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Content::Http1(incoming) => incoming
                .poll_frame(cx)
                .map_err(|e| Error::new(this.side, "body-reset").because(e)),
            Content::Http2(incoming) => {
                let side = this.side;
                incoming.poll_frame(cx).map_err(|e| incoming.broken_off(side, e))
            }
            Content::Mesh(incoming) => incoming.poll_frame(cx),
            Content::Other(body) => body.as_mut().poll_frame(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.passed(data.len());
                } else if let (Some(trailers), Some(observer)) = (frame.trailers_ref(), &mut this.observer) {
                    observer.trailers(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                if let (Some(_), Some(observer)) = (AppReset::of(&error), &mut this.observer) {
                    // Clients of gRPC take it for a status.
                    observer.trailers(&grpc_trailers(&error));
                }
                this.end(if error.reason == "timeout" {
                    Outcome::TimedOut
                } else {
                    Outcome::Broken
                });
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                this.end(Outcome::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(deadline) = &mut this.deadline else {
                    return Poll::Pending;
                };
                match deadline.as_mut().poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => {
                        this.end(Outcome::TimedOut);
                        Poll::Ready(Some(Err(Error::new(this.side, "timeout"))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Http1(incoming) => hint(incoming.left()),
            Content::Http2(incoming) => hint(incoming.left()),
            Content::Mesh(incoming) if incoming.is_over() => SizeHint::with_exact(0),
            Content::Mesh(_) => SizeHint::default(),
            Content::Other(body) => body.size_hint(),
        }
    }
}

fn hint(left: Option<u64>) -> SizeHint {
    left.map_or_else(SizeHint::default, SizeHint::with_exact)
}

impl Drop for Body {
    fn drop(&mut self) {
        // Codecs do not poll a body again whose end they can tell.
        let outcome = if self.is_over() {
            Outcome::Complete
        } else {
            Outcome::Abandoned
        };
        self.end(outcome);
    }
}
