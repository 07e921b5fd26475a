//! The calling side of HTTP/1: one exchange at a time on a connection that is kept for the next.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
};

use bytes::Buf;
use http::Method;
use http_body::Body as _;

use super::{
    decode::Decoder,
    encode::{self, Encoder, Follows},
    head::{self, Framing, ResponseHead},
    wire::{Incoming, Io, Shared, Wire, head_end},
};
use crate::exchange::{Body, Ended, Error, Failed, Request, Response, Side};

const FLUSH: usize = 64 * 1024;

/// An open connection.
pub struct Sender {
    wire: Shared,
    /// Between exchanges, with nothing left of the last one.
    idle: Cell<bool>,
    open: Rc<Cell<usize>>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}

/// What becomes of a request's body while the answer is waited for.
type Pump = Pin<Box<dyn Future<Output = Result<(), Ended>>>>;

impl Sender {
    /// `open` counts the connection while it lives.
    pub fn new(io: impl Io + 'static, open: Rc<Cell<usize>>) -> Self {
        Self {
            wire: Wire::shared(io),
            idle: Cell::new(true),
            open,
        }
    }

    /// Another exchange cannot begin here, now or ever.
    pub fn is_closed(&self) -> bool {
        !self.idle.get() || self.wire.borrow().eof || !self.wire.borrow().decoder.is_done()
    }

    /// Looks whether the other end has closed, or says what it was not asked.
    pub fn is_ready(&self) -> bool {
        !self.is_closed() && !self.wire.borrow_mut().is_disturbed()
    }

    /// The same, asked of the kernel.
    pub fn has_ended(&self) -> bool {
        self.is_closed() || self.wire.borrow().has_ended()
    }

    pub async fn send(&mut self, request: Request, side: Side) -> Result<Response, Failed> {
        self.idle.set(false);
        let (parts, body) = request.into_parts();
        let follows = Follows {
            size: body.size_hint().exact(),
            tunnel: body.is_tunnel(),
        };
        let interim = body.interim();
        let encoder = encode::request(&parts, follows, &mut self.wire.borrow_mut().outbox);
        let mut pump: Option<Pump> = None;
        let mut whole = None;
        if encoder == Encoder::Length(0) {
            let size = self.wire.borrow().outbox.len();
            if let Err(error) = poll_fn(|cx| self.wire.borrow_mut().flush(cx)).await {
                let nothing_sent = self.wire.borrow().outbox.len() == size;
                return Err(Failed {
                    error: failure(side, error.into(), nothing_sent),
                    request: Some(Request::from_parts(parts, body)),
                });
            }
            whole = Some(body);
        } else {
            pump = Some(Box::pin(pump_body(self.wire.clone(), encoder, body)));
        }

        loop {
            let head = poll_fn(|cx| {
                if let Some(under_way) = &mut pump
                    && let Poll::Ready(ended) = under_way.as_mut().poll(cx)
                {
                    // An app may answer and close before it has read all; its answer counts.
                    pump = None;
                    if let Err(Ended::Exchange(error)) = ended {
                        return Poll::Ready(Err(Ended::Exchange(error)));
                    }
                }
                poll_head(&self.wire, &parts.method, cx)
            })
            .await;
            let head = match head {
                Ok(head) => head,
                Err(error) => {
                    return Err(Failed {
                        error: failure(side, error, false),
                        request: whole.map(|body| Request::from_parts(parts, body)),
                    });
                }
            };
            if head.parts.status.is_informational() && !head.switched {
                if let Some(caller) = &interim {
                    caller.send(head.parts.status, &head.parts.headers);
                }
                continue;
            }
            if head.switched && !follows.tunnel {
                // Nobody asked for it.
                return Err(Failed {
                    error: Error::new(side, "unexpected-switch"),
                    request: None,
                });
            }
            return Ok(self.response(head, pump, follows.tunnel, side));
        }
    }

    fn response(&self, head: ResponseHead, pump: Option<Pump>, tunnel: bool, side: Side) -> Response {
        let mut keep = head.keep_alive;
        match pump {
            // Declined: what would have gone through the tunnel never comes.
            Some(_) if tunnel && !head.switched => {}
            Some(pump) => {
                keep = false;
                tokio::task::spawn_local(async move {
                    if let Err(error) = pump.await {
                        tracing::debug!(%error, "a request's body was not taken");
                    }
                });
            }
            None => {}
        }
        self.idle.set(keep);
        self.wire.borrow_mut().begin(Decoder::new(head.framing));
        let body = match head.framing {
            Framing::Empty => Body::empty(),
            _ => Body::http1(Incoming::new(&self.wire), side),
        };
        let body = if head.switched { body.as_tunnel() } else { body };
        Response::from_parts(head.parts, body)
    }
}

fn poll_head(
    wire: &Shared,
    method: &Method,
    cx: &mut std::task::Context<'_>,
) -> Poll<Result<ResponseHead, Ended>> {
    let wire = &mut *wire.borrow_mut();
    // Heads come whole but for rare cases, in which they are looked through again.
    loop {
        let mut looked_at = 0;
        let end = match head_end(&mut wire.inbox, &mut looked_at) {
            Err(head::BARE_LINE_FEED) => {
                if let Some((end, head)) = head::with_line_feeds(&wire.inbox)? {
                    wire.inbox.advance(end);
                    return Poll::Ready(Ok(head::response(&head, method)?));
                }
                None
            }
            found => found?,
        };
        if let Some(end) = end {
            let head = if wire.inbox.len() == end {
                std::mem::take(&mut wire.inbox).freeze()
            } else {
                wire.inbox.split_to(end).freeze()
            };
            return Poll::Ready(Ok(head::response(&head, method)?));
        }
        if ready!(wire.fill(cx))? == 0 {
            return Poll::Ready(Err(Ended::Cut));
        }
    }
}

/// Writes a request's head and body. For a tunnel the end of the body is the end of this direction.
async fn pump_body(wire: Shared, mut encoder: Encoder, mut body: Body) -> Result<(), Ended> {
    let mut trailers = None;
    poll_fn(|cx| {
        loop {
            if wire.borrow().outbox.len() >= FLUSH {
                ready!(wire.borrow_mut().flush(cx))?;
            }
            match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => encoder.data(&data, &mut wire.borrow_mut().outbox)?,
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Ended::Exchange(error))),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(wire.borrow_mut().flush(cx))?;
                    return Poll::Pending;
                }
            }
        }
    })
    .await?;
    encoder.end(trailers.as_ref(), &mut wire.borrow_mut().outbox)?;
    poll_fn(|cx| wire.borrow_mut().flush(cx)).await?;
    if encoder == Encoder::Raw {
        poll_fn(|cx| wire.borrow_mut().shutdown(cx)).await?;
    }
    Ok(())
}

fn failure(side: Side, cause: Ended, unsent: bool) -> Error {
    let (reason, source): (_, Box<dyn std::error::Error + Send + Sync>) = match cause {
        // The caller broke off, or took too long; that is nothing the called app did.
        Ended::Exchange(error) => return error,
        Ended::Bad(bad) => ("bad-response", Box::new(bad)),
        other => ("reset", Box::new(other)),
    };
    Error {
        side,
        reason,
        unsent,
        source: Some(source),
    }
}
