//! One exchange on a mesh connection: what has come for it, what may still be sent, and who waits.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode, response};
use http_body::{Body as _, Frame as BodyFrame};
use tokio::task::AbortHandle;

use super::{
    connection::Shared,
    frame::{self, PIECE, Reason, SMALL, Violation, WINDOW},
    head,
};
use crate::exchange::{Body, Ended, Error, Interim, Side};

/// What is kept of interim answers that nobody has taken yet.
const MOST_INTERIM: usize = 16;

pub struct Stream {
    pub id: u32,
    pub connection: Shared,
    inner: RefCell<Inner>,
}

struct Inner {
    interim: VecDeque<(StatusCode, HeaderMap)>,
    head: Option<(response::Parts, bool)>,
    data: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// The other end has said all.
    ended: bool,
    /// We have said all.
    finished: bool,
    reset: Option<Reason>,
    /// Nobody reads what comes.
    unwanted: bool,
    /// What the other end may send at once, and may still send.
    width: u32,
    granted: u32,
    /// What has been read and not been granted again.
    owed: u32,
    /// What we may still send.
    window: u32,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The task that serves the exchange.
    task: Option<AbortHandle>,
}

impl Stream {
    pub fn new(connection: Shared, id: u32, ended: bool) -> Rc<Self> {
        Rc::new(Self {
            id,
            connection,
            inner: RefCell::new(Inner {
                interim: VecDeque::new(),
                head: None,
                data: VecDeque::new(),
                trailers: None,
                ended,
                finished: false,
                reset: None,
                unwanted: false,
                width: WINDOW,
                granted: WINDOW,
                owed: 0,
                window: WINDOW,
                reader: None,
                writer: None,
                task: None,
            }),
        })
    }

    pub fn served_by(&self, task: AbortHandle) {
        self.inner.borrow_mut().task = Some(task);
    }

    // What the connection's driver tells.

    pub fn got_head(&self, parts: response::Parts, tunnel: bool, end: bool) -> Result<(), Violation> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.head.is_some() || inner.ended {
            return Err(Violation("two heads"));
        }
        inner.head = Some((parts, tunnel));
        inner.ended = end;
        wake(&mut inner.reader);
        Ok(())
    }

    pub fn got_interim(&self, status: StatusCode, headers: HeaderMap) {
        let inner = &mut *self.inner.borrow_mut();
        if inner.interim.len() < MOST_INTERIM {
            inner.interim.push_back((status, headers));
        }
        wake(&mut inner.reader);
    }

    pub fn got_data(&self, data: Bytes, end: bool) -> Result<(), Violation> {
        let inner = &mut *self.inner.borrow_mut();
        let length = data.len() as u32;
        if inner.ended {
            return Err(Violation("data after the end"));
        }
        inner.granted = inner
            .granted
            .checked_sub(length)
            .ok_or(Violation("more data than was asked for"))?;
        inner.ended = end;
        if length > 0 && !inner.unwanted {
            match inner.data.back_mut() {
                Some(last) if last.len() + data.len() <= SMALL => join(last, &data),
                _ => inner.data.push_back(data),
            }
        }
        wake(&mut inner.reader);
        Ok(())
    }

    pub fn got_trailers(&self, trailers: HeaderMap) -> Result<(), Violation> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.ended {
            return Err(Violation("trailers after the end"));
        }
        inner.ended = true;
        inner.trailers = Some(trailers);
        wake(&mut inner.reader);
        Ok(())
    }

    pub fn got_window(&self, more: u32) -> Result<(), Violation> {
        let inner = &mut *self.inner.borrow_mut();
        inner.window = inner
            .window
            .checked_add(more)
            .ok_or(Violation("a window that is too large"))?;
        wake(&mut inner.writer);
        Ok(())
    }

    /// The stream is over before its time. What was complete already stays so.
    pub fn got_reset(&self, reason: Reason) {
        let inner = &mut *self.inner.borrow_mut();
        inner.reset = Some(reason);
        wake(&mut inner.reader);
        wake(&mut inner.writer);
        if let Some(task) = inner.task.take() {
            task.abort();
        }
    }

    /// Has everything been said, both ways?
    pub fn is_over(&self) -> bool {
        let inner = self.inner.borrow();
        inner.reset.is_some() || (inner.ended && inner.finished)
    }

    /// We have said all there is to say.
    pub fn finished(&self) {
        self.inner.borrow_mut().finished = true;
        self.settle();
    }

    /// Breaks the stream off from our side, unless both sides are done with it.
    pub fn reset(&self, reason: Reason) {
        if self.is_over() {
            return self.settle();
        }
        {
            let inner = &mut *self.inner.borrow_mut();
            inner.reset = Some(reason);
            // Whoever still passes the other direction on.
            wake(&mut inner.reader);
            wake(&mut inner.writer);
        }
        self.connection
            .write(|out| frame::put_reset(out, self.id, reason));
        self.settle();
    }

    /// After a response: is the rest of the request still to come, though nobody wants it?
    pub fn stop(&self) {
        let still_coming = {
            let inner = self.inner.borrow();
            !inner.ended && inner.unwanted
        };
        if still_coming {
            self.reset(Reason::Cancelled);
        }
    }

    fn settle(&self) {
        if self.is_over() {
            self.connection.forget(self.id);
        }
    }

    /// Sends a body and its trailers, as fast as the reader's window and the connection allow.
    pub async fn send_body(&self, mut body: Body) -> Result<(), Ended> {
        let mut rest = Bytes::new();
        std::future::poll_fn(|cx| {
            loop {
                if let Some(reason) = self.inner.borrow().reset {
                    return Poll::Ready(Err(Ended::Exchange(lost(Side::Mesh, reason))));
                }
                if !rest.is_empty() {
                    let window = self.inner.borrow().window as usize;
                    if window == 0 {
                        self.inner.borrow_mut().writer = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    ready!(self.connection.poll_room(cx));
                    let n = rest.len().min(window).min(PIECE);
                    self.inner.borrow_mut().window -= n as u32;
                    let end = n == rest.len() && body.is_end_stream();
                    self.connection
                        .write(|out| frame::put_data(out, self.id, &rest[..n], end));
                    rest.advance(n);
                    if end {
                        return Poll::Ready(Ok(()));
                    }
                    continue;
                }
                match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => rest = data,
                        Err(frame) => {
                            let trailers = frame.into_trailers().unwrap_or_default();
                            self.connection.write(|out| {
                                frame::put_trailers(out, self.id, |out| {
                                    head::put_fields(&trailers, false, out);
                                });
                            });
                            return Poll::Ready(Ok(()));
                        }
                    },
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Ended::Exchange(error))),
                    Poll::Ready(None) => {
                        self.connection
                            .write(|out| frame::put_data(out, self.id, &[], true));
                        return Poll::Ready(Ok(()));
                    }
                    // A tunnel's end may be waited for while the stream is broken off.
                    Poll::Pending => {
                        self.inner.borrow_mut().writer = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            }
        })
        .await?;
        self.finished();
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.narrow(self.inner.get_mut().width);
    }
}

/// Makes one piece of two: each alone would hold more than its bytes, and a peer that sends single ones far more.
fn join(piece: &mut Bytes, more: &[u8]) {
    let whole = std::mem::take(piece).try_into_mut();
    let mut whole = whole.unwrap_or_else(BytesMut::from);
    whole.extend_from_slice(more);
    *piece = whole.freeze();
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// What a stream that was broken off means for an exchange.
pub fn lost(side: Side, reason: Reason) -> Error {
    match reason {
        Reason::Cancelled => Error::new(side, "reset").because("the peer broke it off"),
        Reason::Refused => Error::new(side, "reset")
            .unsent()
            .because("the peer did not take it"),
        Reason::Lost => Error::new(side, "reset").because("the mesh connection was lost"),
        Reason::Broken => Error::new(beyond(side), "reset").because("the other side of the peer broke off"),
        Reason::App(said) => Error::new(beyond(side), "reset").because(said),
        Reason::Unreached => Error::new(beyond(side), "connect-failed")
            .unsent()
            .because("the app behind the peer does not take it"),
    }
}

/// Who is to blame where the peer itself, and the connection to it, are well.
fn beyond(side: Side) -> Side {
    match side {
        Side::Mesh => Side::Server,
        other => other,
    }
}

impl Interim for Stream {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        self.connection.write(|out| {
            frame::put_interim(out, self.id, |out| head::put_status(status, headers, false, out));
        });
    }
}

/// The side of a stream that is read. Whoever stops reading breaks the stream off; the called side only after its answer.
pub struct Incoming {
    stream: Rc<Stream>,
    calling: bool,
}

/// What comes before a body.
pub enum Head {
    Interim(StatusCode, HeaderMap),
    Final(response::Parts, bool),
}

impl Incoming {
    pub fn new(stream: Rc<Stream>, calling: bool) -> Self {
        Self { stream, calling }
    }

    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Reason>> {
        let inner = &mut *self.stream.inner.borrow_mut();
        if let Some((status, headers)) = inner.interim.pop_front() {
            return Poll::Ready(Ok(Head::Interim(status, headers)));
        }
        if let Some((parts, tunnel)) = inner.head.take() {
            return Poll::Ready(Ok(Head::Final(parts, tunnel)));
        }
        if let Some(reason) = inner.reset {
            return Poll::Ready(Err(reason));
        }
        inner.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub fn is_over(&self) -> bool {
        let inner = self.stream.inner.borrow();
        inner.ended && inner.data.is_empty() && inner.trailers.is_none()
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Error>>> {
        let inner = &mut *self.stream.inner.borrow_mut();
        if let Some(data) = inner.data.pop_front() {
            inner.owed += data.len() as u32;
            if inner.owed >= inner.width / 2 && !inner.ended {
                // Whoever reads may be sent more at once, as long as all of them together do not want too much.
                let wider = self.stream.connection.widen(inner.width);
                inner.width += wider;
                let more = std::mem::take(&mut inner.owed) + wider;
                inner.granted += more;
                self.stream
                    .connection
                    .write(|out| frame::put_window(out, self.stream.id, more));
            }
            return Poll::Ready(Some(Ok(BodyFrame::data(data))));
        }
        if let Some(trailers) = inner.trailers.take() {
            return Poll::Ready(Some(Ok(BodyFrame::trailers(trailers))));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        if let Some(reason) = inner.reset {
            return Poll::Ready(Some(Err(lost(Side::Mesh, reason))));
        }
        inner.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let (was_read, answered) = {
            let mut inner = self.stream.inner.borrow_mut();
            inner.unwanted = true;
            inner.data.clear();
            (inner.ended, inner.finished)
        };
        // A request is broken off only once its answer is out, which else would be lost.
        if !was_read && (self.calling || answered) {
            self.stream.reset(Reason::Cancelled);
        }
    }
}
