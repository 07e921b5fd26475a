//! What drives a mesh connection: one task that alone reads and writes its socket.
//!
//! Whoever has something to send appends frames to one buffer and wakes the driver, which comes after all tasks that
//! are ready already; so everything that became ready in one turn of the loop leaves in one TLS record and one
//! `write`. When the driver itself made tasks ready by what it read, it lets them run first for the same reason.

use std::{
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
    connection::{ENOUGH, MOST_STREAMS, Shared},
    frame::{self, Frame, Reason, Violation},
    head,
    stream::Stream,
};
use crate::exchange::Ended;

const READ: usize = 32 * 1024;
/// Reads in one turn, so that one connection does not keep the others waiting.
const READS: usize = 8;
/// A caller that takes nothing of so much is not listened to until it does: each of its frames may be worth an answer.
const TOO_MUCH: usize = 1024 * 1024;
/// Streams that a caller may break off in a second; beyond them it is not listened to until the second is over.
const MOST_BROKEN: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);
/// A peer that was silent for so long is asked whether it is there; silent once more, it is given up.
const SILENCE: Duration = Duration::from_secs(30);

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
    /// Streams that the other end has broken off within the second.
    broken: (Instant, u32),
    silence: Pin<Box<Sleep>>,
    /// Ends the second, where too many were broken off in it.
    pause: Option<Pin<Box<Sleep>>>,
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
            broken: (Instant::now(), 0),
            pause: None,
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
        let full = self.is_full();
        let held_back = full || self.is_paused(cx);
        let read = if held_back { Read::Nothing } else { self.read(cx)? };
        let woke = match read {
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
        let written = self.flush(cx)?;
        if full && !self.is_full() {
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

    /// Does the caller take too little of what it is told? The calling side reads always, so that this comes to an end.
    fn is_full(&self) -> bool {
        self.serve.is_some() && self.connection.state.borrow().out.len() >= TOO_MUCH
    }

    /// Has the caller broken off so many streams that it has to wait?
    fn is_paused(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pause) = &mut self.pause else {
            return false;
        };
        if pause.as_mut().poll(cx).is_ready() {
            self.pause = None;
        }
        self.pause.is_some()
    }

    /// Counts a stream that the other end broke off.
    fn was_broken_off(&mut self) {
        let (since, count) = &mut self.broken;
        if since.elapsed() >= SECOND {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count >= MOST_BROKEN && self.serve.is_some() && self.pause.is_none() {
            tracing::warn!("a caller breaks off too many requests and has to wait");
            self.pause = Some(Box::pin(tokio::time::sleep_until(*since + SECOND)));
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Read, Ended> {
        let mut read = Read::Nothing;
        for _ in 0..READS {
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
            if self.pause.is_some() {
                return Ok(Read::Some { again: true });
            }
            read = Read::Some { again: false };
        }
        Ok(Read::Some { again: true })
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
            Frame::Interim { .. } if self.serve.is_some() => {
                return Err(Violation("an answer to nothing that was asked"));
            }
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
                    self.was_broken_off();
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
            Frame::Ping => {
                let out = &mut self.connection.state.borrow_mut().out;
                // Who does not take what there is to hear needs no word that we are there.
                if out.len() < TOO_MUCH {
                    frame::put_ping(out, true);
                }
            }
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
