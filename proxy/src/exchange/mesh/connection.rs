//! What drives a mesh connection: one task that alone reads and writes its socket.
//!
//! Whoever has something to send appends frames to one buffer and wakes the driver, which comes after all tasks that
//! are ready already; so everything that became ready in one turn of the loop leaves in one TLS record and one
//! `write`. When the driver itself made tasks ready by what it read, it lets them run first for the same reason.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use http::request;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep},
};

use super::{
    frame::{self, Frame, Reason, Violation},
    head,
    stream::Stream,
};
use crate::exchange::Ended;

/// Streams open at once.
pub const MOST_STREAMS: usize = 1024;
/// Bodies wait when so much is waiting to be written: heads of others shall not stand behind more.
const ENOUGH: usize = 64 * 1024;
const READ: usize = 32 * 1024;
/// Reads in one turn, so that one connection does not keep the others waiting.
const READS: usize = 8;
/// A peer that takes nothing of so much is not read from until it does: each of its frames may be worth an answer.
const TOO_MUCH: usize = 1024 * 1024;
/// A peer that was silent for so long is asked whether it is there; silent once more, it is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// What the driver and the streams share.
pub struct Connection {
    state: RefCell<State>,
}

pub type Shared = Rc<Connection>;

#[derive(Default)]
struct State {
    out: BytesMut,
    driver: Option<Waker>,
    /// Bodies that wait for room.
    waiting: VecDeque<Waker>,
    streams: HashMap<u32, Rc<Stream>>,
    /// The highest number used so far.
    last: u32,
    /// No streams are begun any more.
    going: bool,
    /// The calling side will not use it again.
    unused: bool,
    closed: bool,
}

impl Connection {
    pub fn new() -> Shared {
        Rc::new(Self {
            state: RefCell::default(),
        })
    }

    /// Appends frames, to be sent at the end of the loop's turn.
    pub fn write(&self, frames: impl FnOnce(&mut BytesMut)) {
        let state = &mut *self.state.borrow_mut();
        if !state.closed {
            frames(&mut state.out);
            wake(&mut state.driver);
        }
    }

    /// Ready when a piece of a body may be written. Those who wait get their turns in order.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.state.borrow_mut();
        if state.out.len() < ENOUGH || state.closed {
            return Poll::Ready(());
        }
        state.waiting.push_back(cx.waker().clone());
        Poll::Pending
    }

    /// Can another stream begin?
    pub fn is_open(&self) -> bool {
        let state = self.state.borrow();
        !state.closed && !state.going && state.streams.len() < MOST_STREAMS && state.last < u32::MAX
    }

    pub fn is_closed(&self) -> bool {
        let state = self.state.borrow();
        state.closed || state.going
    }

    /// Begins a stream; `None` when there can be no more.
    pub fn open(self: &Rc<Self>) -> Option<Rc<Stream>> {
        if !self.is_open() {
            return None;
        }
        let state = &mut *self.state.borrow_mut();
        state.last += 1;
        let stream = Stream::new(self.clone(), state.last, false);
        state.streams.insert(state.last, stream.clone());
        Some(stream)
    }

    pub fn forget(&self, stream: u32) {
        let state = &mut *self.state.borrow_mut();
        state.streams.remove(&stream);
        if state.streams.is_empty() && (state.unused || state.going) {
            wake(&mut state.driver);
        }
    }

    /// The connection may end when its streams have.
    pub fn leave(&self) {
        let state = &mut *self.state.borrow_mut();
        state.unused = true;
        wake(&mut state.driver);
    }

    fn may_end(&self) -> bool {
        let state = self.state.borrow();
        state.streams.is_empty() && (state.unused || state.going)
    }

    fn close(&self) {
        let (streams, waiting) = {
            let state = &mut *self.state.borrow_mut();
            state.closed = true;
            (
                std::mem::take(&mut state.streams),
                std::mem::take(&mut state.waiting),
            )
        };
        for stream in streams.into_values() {
            stream.got_reset(Reason::Lost);
        }
        for waker in waiting {
            waker.wake();
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// What a request brings to the called side. The calling side is called by nobody.
pub type Serve = Box<dyn Fn(Rc<Stream>, request::Parts, bool, bool)>;

pub struct Driver<IO> {
    io: IO,
    connection: Shared,
    serve: Option<Serve>,
    inbox: BytesMut,
    /// Tasks that the last turn made ready come first.
    deferred: bool,
    heard: bool,
    asked: bool,
    silence: Pin<Box<Sleep>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    pub fn new(io: IO, connection: Shared, serve: Option<Serve>) -> Self {
        Self {
            io,
            connection,
            serve,
            inbox: BytesMut::new(),
            deferred: false,
            heard: false,
            asked: false,
            silence: Box::pin(tokio::time::sleep(SILENCE)),
        }
    }

    /// Runs until the connection ends; after `drain`, until the streams that there are have ended.
    pub async fn run(mut self, drain: impl Future<Output = ()>) -> Result<(), Ended> {
        let mut drain = std::pin::pin!(drain);
        let mut draining = false;
        let result = std::future::poll_fn(|cx| {
            if !draining && drain.as_mut().poll(cx).is_ready() {
                draining = true;
                let state = &mut *self.connection.state.borrow_mut();
                state.going = true;
                let last = state.last;
                frame::put_go_away(&mut state.out, last);
            }
            self.poll(cx)
        })
        .await;
        self.connection.close();
        if result.is_ok() {
            let _ = std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await;
        }
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        {
            let state = &mut *self.connection.state.borrow_mut();
            if !state.driver.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                state.driver = Some(cx.waker().clone());
            }
        }
        let woke = match self.read(cx)? {
            Read::End => return Poll::Ready(Ok(())),
            Read::Some { again } => {
                if again {
                    cx.waker().wake_by_ref();
                }
                true
            }
            Read::Nothing => false,
        };
        if woke && !self.deferred {
            self.deferred = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.deferred = false;
        let held_back = self.holds_back();
        let written = self.flush(cx)?;
        if held_back && !self.holds_back() {
            cx.waker().wake_by_ref();
        }
        if self.connection.may_end() && written.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.silence.as_mut().poll(cx).is_ready() {
            self.listen(cx)?;
        }
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Read, Ended> {
        let mut read = Read::Nothing;
        for _ in 0..READS {
            if self.holds_back() {
                break;
            }
            self.inbox.reserve(READ);
            match tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut self.inbox) {
                Poll::Pending => return Ok(read),
                Poll::Ready(Ok(0)) if self.connection.state.borrow().streams.is_empty() => {
                    return Ok(Read::End);
                }
                Poll::Ready(Ok(0)) => return Err(Ended::Cut),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error.into()),
            }
            self.heard = true;
            while let Some(frame) = frame::take(&mut self.inbox)? {
                self.take(frame)?;
            }
            read = Read::Some { again: false };
        }
        Ok(match read {
            Read::Some { .. } if !self.holds_back() => Read::Some { again: true },
            read => read,
        })
    }

    fn holds_back(&self) -> bool {
        self.connection.state.borrow().out.len() >= TOO_MUCH
    }

    fn stream(&self, id: u32) -> Result<Option<Rc<Stream>>, Violation> {
        let state = self.connection.state.borrow();
        if id > state.last {
            return Err(Violation("a stream that was never begun"));
        }
        // One that is over already may still be spoken of.
        Ok(state.streams.get(&id).cloned())
    }

    fn take(&mut self, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Head { stream, head, end } => match &self.serve {
                Some(_) => self.begin(stream, head, end)?,
                None => {
                    if let Some(found) = self.stream(stream)? {
                        let (parts, tunnel) = head::take_response(head)?;
                        found.got_head(parts, tunnel, end)?;
                        self.settle(&found);
                    }
                }
            },
            Frame::Interim { stream, head } => {
                if let Some(found) = self.stream(stream)? {
                    let (parts, _) = head::take_response(head)?;
                    found.got_interim(parts.status, parts.headers);
                }
            }
            Frame::Data { stream, data, end } => {
                if let Some(found) = self.stream(stream)? {
                    found.got_data(data, end)?;
                    self.settle(&found);
                }
            }
            Frame::Trailers { stream, fields } => {
                if let Some(found) = self.stream(stream)? {
                    found.got_trailers(head::take_fields(fields)?)?;
                    self.settle(&found);
                }
            }
            Frame::Reset { stream, reason } => {
                if let Some(found) = self.stream(stream)? {
                    found.got_reset(reason);
                    self.settle(&found);
                }
            }
            Frame::Window { stream, more } => {
                if let Some(found) = self.stream(stream)? {
                    found.got_window(more)?;
                }
            }
            Frame::GoAway { last } => {
                let refused: Vec<_> = {
                    let state = &mut *self.connection.state.borrow_mut();
                    state.going = true;
                    let above = state.streams.values().filter(|s| s.id > last);
                    above.cloned().collect()
                };
                for stream in refused {
                    stream.got_reset(Reason::Refused);
                    self.settle(&stream);
                }
            }
            Frame::Ping => frame::put_ping(&mut self.connection.state.borrow_mut().out, true),
            Frame::Pong => {}
        }
        Ok(())
    }

    fn begin(&mut self, id: u32, head: bytes::Bytes, end: bool) -> Result<(), Violation> {
        let refused = {
            let state = &mut *self.connection.state.borrow_mut();
            if id <= state.last {
                return Err(Violation("a stream's number used again"));
            }
            let refused = state.going || state.streams.len() >= MOST_STREAMS;
            state.last = id;
            if refused {
                frame::put_reset(&mut state.out, id, Reason::Refused);
            }
            refused
        };
        let (parts, tunnel) = head::take_request(head)?;
        if !refused {
            let stream = Stream::new(self.connection.clone(), id, end);
            let streams = &mut self.connection.state.borrow_mut().streams;
            streams.insert(id, stream.clone());
            if let Some(serve) = &self.serve {
                serve(stream, parts, tunnel, end);
            }
        }
        Ok(())
    }

    fn settle(&self, stream: &Stream) {
        if stream.is_over() {
            self.connection.forget(stream.id);
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        let state = &mut *self.connection.state.borrow_mut();
        while !state.out.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &state.out))?;
            state.out.advance(n);
            if state.out.len() < ENOUGH {
                state.waiting.drain(..).for_each(Waker::wake);
            }
        }
        if state.out.capacity() > ENOUGH {
            state.out = BytesMut::new();
        } else {
            state.out.clear();
        }
        Pin::new(&mut self.io).poll_flush(cx).map_err(Into::into)
    }

    /// Time to look whether the peer is still there.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<(), Ended> {
        if !self.heard && self.inbox.is_empty() {
            // Nothing is held while nothing comes.
            self.inbox = BytesMut::new();
        }
        if self.heard {
            self.asked = false;
        } else if self.asked {
            return Err(Ended::Cut);
        } else {
            self.asked = true;
            frame::put_ping(&mut self.connection.state.borrow_mut().out, false);
            cx.waker().wake_by_ref();
        }
        self.heard = false;
        self.silence.as_mut().reset(Instant::now() + SILENCE);
        // Registers for the next time.
        let _ = self.silence.as_mut().poll(cx);
        Ok(())
    }
}

enum Read {
    Nothing,
    Some { again: bool },
    End,
}
