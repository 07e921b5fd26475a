//! The called side of HTTP/1: requests out of a connection, responses into it, one after the other.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use http::{Method, StatusCode, Version, header};
use http_body::Body as _;
use tokio::time::Sleep;

use super::{
    decode::Decoder,
    encode::{self, Asked, Encoder, Follows},
    head::{self, Bad, Framing, RequestHead},
    wire::{Caller, Incoming, Io, Served, Shared, Switch, Wire, head_end},
};
use crate::{
    drain::Drain,
    exchange::{Body, Ended, Interim, Request, Response, Side, error_response},
};

/// How long callers are waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For a head, from its first byte to its last.
    pub head: Duration,
    /// While nothing passes, for a caller that sends nothing more: it may have closed only its half, or be gone, and then
    /// nobody should go on working for it.
    pub gone: Duration,
}

const PATIENCE: Patience = Patience {
    head: Duration::from_secs(30),
    gone: Duration::from_secs(2),
};
/// Written at the latest when so much waits.
const FLUSH: usize = 64 * 1024;
/// How long a caller whose message we do not read to its end may go on sending it, and how long it may pause.
const LINGER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// Serves one connection until it ends; when the worker drains, after the request under way.
pub async fn serve<H, F>(io: impl Io + 'static, drain: Drain, handle: H) -> Result<(), Ended>
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    serve_within(io, drain, PATIENCE, handle).await
}

pub(super) async fn serve_within<H, F>(
    io: impl Io + 'static,
    drain: Drain,
    patience: Patience,
    handle: H,
) -> Result<(), Ended>
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let wire = Wire::shared(io);
    let _served = Served(wire.clone());
    let mut draining = pin!(drain.begun());
    loop {
        let head = match next(&wire, &drain, draining.as_mut(), patience.head).await? {
            None => return Ok(()),
            Some(Ok(head)) => head,
            Some(Err(bad)) => {
                refuse(&wire, bad).await?;
                return Err(bad.into());
            }
        };
        let asked = Asked {
            head_only: head.parts.method == Method::HEAD,
            http11: head.parts.version == Version::HTTP_11,
            keep_alive: head.keep_alive,
        };
        let manner = Manner {
            tunnel: head.tunnel,
            waits: asked.http11 && waits(&head),
        };
        // Boxed, as an idle connection would otherwise hold room for the next request's work: several kilobytes.
        let handled = Box::pin(handle(request(&wire, head)));
        let response = attended(&wire, handled, patience.gone).await;
        let Some(response) = response else {
            return Err(Ended::Gone);
        };
        if !answer(&wire, response, asked, manner, &drain, patience.gone).await? {
            return Ok(());
        }
    }
}

/// The next request's head; `None` when the connection may end.
async fn next(
    wire: &Shared,
    drain: &Drain,
    mut draining: Pin<&mut impl Future<Output = ()>>,
    slow_head: Duration,
) -> Result<Option<Result<RequestHead, Bad>>, Ended> {
    let mut looked_at = 0;
    let mut slow = None;
    poll_fn(|cx| {
        let wire = &mut *wire.borrow_mut();
        loop {
            match head_end(&mut wire.inbox, &mut looked_at) {
                Err(bad) => return Poll::Ready(Ok(Some(Err(bad)))),
                Ok(Some(end)) => {
                    let head = take(&mut wire.inbox, end);
                    return Poll::Ready(Ok(Some(head::request(&head))));
                }
                Ok(None) => {}
            }
            match wire.fill(cx) {
                Poll::Ready(Ok(0)) if wire.inbox.is_empty() => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Ended::Cut)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending if wire.inbox.is_empty() => {
                    if drain.is_draining() || draining.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(None));
                    }
                    return Poll::Pending;
                }
                Poll::Pending => {
                    let slow = slow.get_or_insert_with(|| Box::pin(tokio::time::sleep(slow_head)));
                    ready!(slow.as_mut().poll(cx));
                    return Poll::Ready(Err(Ended::SlowHead));
                }
            }
        }
    })
    .await
}

/// The response, unless its caller leaves meanwhile.
async fn attended(
    wire: &Shared,
    mut handled: Pin<Box<impl Future<Output = Response>>>,
    patience: Duration,
) -> Option<Response> {
    let mut caller = Attendance::new(patience);
    poll_fn(|cx| {
        if let Poll::Ready(response) = handled.as_mut().poll(cx) {
            return Poll::Ready(Some(response));
        }
        caller.poll_gone(&mut wire.borrow_mut(), cx).map(|()| None)
    })
    .await
}

/// Looks whether a caller that waits for its answer is still there.
struct Attendance {
    patience: Duration,
    gone: Option<Pin<Box<Sleep>>>,
}

impl Attendance {
    fn new(patience: Duration) -> Self {
        Self { patience, gone: None }
    }

    fn poll_gone(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<()> {
        // Whoever reads a request's body hears of the end by itself; what comes after it waits for its turn.
        if !wire.decoder.is_done() || !wire.inbox.is_empty() {
            return Poll::Pending;
        }
        if !wire.eof {
            match ready!(wire.fill(cx)) {
                Ok(0) => {}
                Ok(_) => return Poll::Pending,
                // Broken off, not only closed.
                Err(_) => return Poll::Ready(()),
            }
        }
        let patience = self.patience;
        let gone = self
            .gone
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        gone.as_mut().poll(cx)
    }

    /// Something passes.
    fn there(&mut self) {
        self.gone = None;
    }
}

/// The first `end` bytes; no buffer stays behind when there are no others.
fn take(inbox: &mut BytesMut, end: usize) -> bytes::Bytes {
    if inbox.len() == end {
        std::mem::take(inbox).freeze()
    } else {
        inbox.split_to(end).freeze()
    }
}

fn request(wire: &Shared, head: RequestHead) -> Request {
    let body = if head.tunnel {
        {
            let mut wire = wire.borrow_mut();
            wire.begin(Decoder::UntilClose);
            wire.switch = Switch::Waiting(None);
        }
        Body::http1(Incoming::new(wire), Side::Client).as_tunnel()
    } else {
        wire.borrow_mut().begin(Decoder::new(head.framing));
        match head.framing {
            Framing::Empty => Body::empty(),
            _ => Body::http1(Incoming::new(wire), Side::Client),
        }
    };
    // HTTP/1.0 knows no interim answers: one would be taken for the final one.
    let caller =
        (head.parts.version == Version::HTTP_11).then(|| Rc::new(Caller(wire.clone())) as Rc<dyn Interim>);
    Request::from_parts(head.parts, body.answered_to(caller))
}

/// How a request goes on after its head.
#[derive(Clone, Copy)]
struct Manner {
    tunnel: bool,
    /// With a body that is sent only once that is asked for.
    waits: bool,
}

/// Does the caller send its body only once it is told to?
fn waits(head: &RequestHead) -> bool {
    if matches!(head.framing, Framing::Empty | Framing::UntilClose) {
        return false;
    }
    let expected = head.parts.headers.get(header::EXPECT);
    expected.is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Writes a response; says whether another request may follow.
async fn answer(
    wire: &Shared,
    response: Response,
    asked: Asked,
    manner: Manner,
    drain: &Drain,
    patience: Duration,
) -> Result<bool, Ended> {
    let (parts, mut body) = response.into_parts();
    let tunnel = manner.tunnel && body.is_tunnel();
    let follows = Follows {
        size: body.size_hint().exact(),
        tunnel,
    };
    let (mut encoder, mut keep_alive, unsent) = {
        let mut wire = wire.borrow_mut();
        if manner.tunnel {
            wire.switched(tunnel);
        }
        // Nobody can tell what comes next from a caller that was not told to go on: its body or another request.
        let unsent = manner.waits && !wire.continued && !wire.decoder.is_done() && wire.inbox.is_empty();
        let asked = Asked {
            keep_alive: asked.keep_alive && !drain.is_draining() && !unsent && !wire.is_unwanted(),
            ..asked
        };
        let (encoder, keep_alive) = encode::response(&parts, follows, asked, &mut wire.outbox);
        (encoder, keep_alive, unsent)
    };
    drop(parts);
    if encoder == Encoder::Nothing {
        body = Body::empty();
    }
    let mut trailers = None;
    let mut pinned = Pin::new(&mut body);
    let mut caller = Attendance::new(patience);
    poll_fn(|cx| {
        loop {
            if wire.borrow().outbox.len() >= FLUSH {
                ready!(wire.borrow_mut().flush(cx))?;
            }
            match pinned.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    caller.there();
                    match frame.into_data() {
                        Ok(data) => encoder.data(&data, &mut wire.borrow_mut().outbox)?,
                        Err(frame) => trailers = frame.into_trailers().ok(),
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    // The caller gets what there was, and a broken connection in place of an end.
                    let _ = wire.borrow_mut().flush(cx);
                    return Poll::Ready(Err(Ended::Exchange(error)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let wire = &mut *wire.borrow_mut();
                    ready!(wire.flush(cx))?;
                    // Each direction of a tunnel ends by itself.
                    if tunnel {
                        return Poll::Pending;
                    }
                    return caller.poll_gone(wire, cx).map(|()| Err(Ended::Gone));
                }
            }
        }
    })
    .await?;
    encoder.end(trailers.as_ref(), &mut wire.borrow_mut().outbox)?;
    poll_fn(|cx| wire.borrow_mut().flush(cx)).await?;
    if tunnel {
        // One direction has ended; the other may go on.
        poll_fn(|cx| wire.borrow_mut().shutdown(cx)).await?;
        poll_fn(|cx| wire.borrow_mut().body_done(cx)).await;
        return Ok(false);
    }
    if !unsent {
        // An app may answer before it has read all of a request, and read on.
        poll_fn(|cx| wire.borrow_mut().body_done(cx)).await;
    }
    keep_alive &= wire.borrow().decoder.is_done();
    if !keep_alive {
        linger(wire).await;
    }
    Ok(keep_alive)
}

/// Tells the caller why its message is not taken.
async fn refuse(wire: &Shared, bad: Bad) -> io::Result<()> {
    let reason = match bad.status() {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "head-too-large",
        _ => "bad-request",
    };
    let mut response = error_response(bad.status(), reason, false);
    let body = response.body_mut().take_full();
    let (parts, _) = response.into_parts();
    {
        let mut wire = wire.borrow_mut();
        let follows = Follows {
            size: Some(body.len() as u64),
            tunnel: false,
        };
        let asked = Asked {
            head_only: false,
            http11: true,
            keep_alive: false,
        };
        encode::response(&parts, follows, asked, &mut wire.outbox);
        wire.outbox.extend_from_slice(&body);
    }
    poll_fn(|cx| wire.borrow_mut().flush(cx)).await?;
    linger(wire).await;
    Ok(())
}

/// Ends a connection so that the caller gets our last answer, though it may still be sending: closing with bytes
/// unread would reset the connection, and our answer with it.
async fn linger(wire: &Shared) {
    let rest = async {
        poll_fn(|cx| wire.borrow_mut().shutdown(cx)).await?;
        while !wire.borrow().eof {
            let more = poll_fn(|cx| {
                let mut wire = wire.borrow_mut();
                wire.inbox.clear();
                wire.fill(cx)
            });
            tokio::time::timeout(PAUSE, more).await??;
        }
        Ok::<_, io::Error>(())
    };
    let _ = tokio::time::timeout(LINGER, rest).await;
}
