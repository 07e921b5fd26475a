//! One HTTP/1 connection: its socket, what was read ahead, what waits to be written. Shared by the loop that serves
//! or asks on it and the body that streams from it; a body reads the socket itself, so that back-pressure needs no
//! machinery: what nobody asks for is not read.

use std::{
    any::Any,
    cell::RefCell,
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    decode::{Decoder, Piece},
    encode,
    head::{self, Bad},
};
use crate::{connections::Stream, exchange::Interim};

/// What heads are read with; what bodies are read with grows with what is left of them.
const READ: usize = 16 * 1024;
const LEAST_BODY_READ: usize = 4 * 1024;
const MOST_BODY_READ: usize = 64 * 1024;

thread_local! {
    /// Heads are read into this first, so that an idle connection holds no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Anything that bytes can be read from and written to.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Any {}
impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Io for T {}

/// May the bytes after an upgrade request be read yet?
#[derive(Debug)]
pub enum Switch {
    /// There is nothing to switch to.
    None,
    /// The answer is not there yet.
    Waiting(Option<Waker>),
}

pub struct Wire {
    io: Box<dyn Io>,
    pub inbox: BytesMut,
    pub outbox: BytesMut,
    pub decoder: Decoder,
    pub switch: Switch,
    /// The other end has finished sending.
    pub eof: bool,
    /// Counts messages, so that a body that outlives its own is not taken for the next one's.
    message: u32,
    /// Whoever should have read the body has left.
    abandoned: bool,
    /// Told when the body has been read, or abandoned.
    done: Option<Waker>,
    /// Whoever waits for more of the body.
    reader: Option<Waker>,
    /// The other end has been told to go on with its body.
    pub continued: bool,
}

/// A handle on a connection.
pub type Shared = Rc<RefCell<Wire>>;

/// Ends a connection with whoever serves it: a body that is still being passed on holds it, too, and would hold it for
/// ever where nothing more comes.
pub struct Served(pub Shared);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.borrow_mut().end();
    }
}

impl Wire {
    pub fn shared(io: impl Io + 'static) -> Shared {
        Rc::new(RefCell::new(Self {
            io: Box::new(io),
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            decoder: Decoder::Done,
            switch: Switch::None,
            eof: false,
            message: 0,
            abandoned: false,
            done: None,
            reader: None,
            continued: false,
        }))
    }

    /// Reads what there is, with a buffer that is given back at once. Zero bytes are the end.
    pub fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            self.eof |= read.is_empty();
            self.inbox.extend_from_slice(read);
            Poll::Ready(Ok(read.len()))
        })
    }

    /// Reads a body's bytes to where they will stay.
    fn fill_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wanted = match self.decoder.left() {
            Some(left) => usize::try_from(left).unwrap_or(MOST_BODY_READ),
            None => READ,
        };
        self.inbox.reserve(wanted.clamp(LEAST_BODY_READ, MOST_BODY_READ));
        let read = ready!(tokio_util::io::poll_read_buf(
            Pin::new(&mut self.io),
            cx,
            &mut self.inbox
        ))?;
        self.eof |= read == 0;
        Poll::Ready(Ok(read))
    }

    /// The same, for one who can be told when there will be nothing more.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let filled = self.fill_body(cx);
        let waits = filled.is_pending() && !self.reader.as_ref().is_some_and(|r| r.will_wake(cx.waker()));
        if waits {
            self.reader = Some(cx.waker().clone());
        }
        filled
    }

    /// Writes all that waits.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.outbox))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.advance(n);
        }
        // Nothing is kept for the next message, which may be long in coming.
        self.outbox = BytesMut::new();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    pub fn shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Is something there that was not asked for, or the end?
    pub fn is_disturbed(&mut self) -> bool {
        let mut cx = Context::from_waker(futures_util::task::noop_waker_ref());
        !self.inbox.is_empty() || self.eof || self.fill(&mut cx).is_ready()
    }

    /// The same, asked of the socket itself: the runtime knows only what there was when it last asked for all of them.
    pub fn has_ended(&self) -> bool {
        let io: &dyn Any = &*self.io;
        io.downcast_ref::<Stream>().is_some_and(|stream| {
            let peeked = SockRef::from(stream.socket()).peek(&mut [MaybeUninit::uninit()]);
            !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        })
    }

    /// Gets ready for the body of a message.
    pub fn begin(&mut self, decoder: Decoder) {
        self.decoder = decoder;
        self.message = self.message.wrapping_add(1);
        self.abandoned = false;
        self.done = None;
        self.continued = false;
    }

    /// Is there more of the body, which nobody will read?
    pub fn is_unwanted(&self) -> bool {
        self.abandoned && !self.decoder.is_done()
    }

    /// Nothing comes from here any more, whoever may still wait for it.
    fn end(&mut self) {
        self.switched(false);
        self.broken(BodyError::Cut);
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// Ready when the body has been read to its end, or will not be read.
    pub fn body_done(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.decoder.is_done() || self.abandoned {
            return Poll::Ready(());
        }
        self.done = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What an upgrade request asked for has been decided.
    pub fn switched(&mut self, agreed: bool) {
        if let Switch::Waiting(waker) = std::mem::replace(&mut self.switch, Switch::None) {
            if !agreed {
                self.decoder = Decoder::Done;
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn tell(&mut self) {
        if let Some(waker) = self.done.take() {
            waker.wake();
        }
    }
}

/// The body that is being read from a connection.
pub struct Incoming {
    wire: Shared,
    message: u32,
}

impl Incoming {
    pub fn new(wire: &Shared) -> Self {
        Self {
            wire: wire.clone(),
            message: wire.borrow().message,
        }
    }

    pub fn is_over(&self) -> bool {
        self.left() == Some(0)
    }

    /// How much is still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        let wire = self.wire.borrow();
        if wire.message == self.message {
            wire.decoder.left()
        } else {
            Some(0)
        }
    }

    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, BodyError>>> {
        let wire = &mut *self.wire.borrow_mut();
        if wire.message != self.message {
            return Poll::Ready(None);
        }
        if let Switch::Waiting(waker) = &mut wire.switch {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        loop {
            let taken = wire.decoder.take(&mut wire.inbox);
            if wire.decoder.is_done() {
                wire.tell();
            }
            match taken {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Piece::End) => return Poll::Ready(None),
                Err(bad) => return Poll::Ready(Some(Err(wire.broken(bad.into())))),
                Ok(Piece::More) if wire.abandoned => return Poll::Ready(Some(Err(BodyError::Cut))),
                Ok(Piece::More) => match ready!(wire.poll_more(cx)) {
                    Ok(0) if wire.decoder.close() => {
                        wire.tell();
                        return Poll::Ready(None);
                    }
                    Ok(0) => return Poll::Ready(Some(Err(wire.broken(BodyError::Cut)))),
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Some(Err(wire.broken(error.into())))),
                },
            }
        }
    }
}

impl Wire {
    /// After this nothing that comes can be told apart any more.
    fn broken(&mut self, error: BodyError) -> BodyError {
        self.eof = true;
        self.abandoned = true;
        self.tell();
        error
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        if wire.message == self.message {
            wire.abandoned = true;
            wire.tell();
        }
    }
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    Bad(#[from] Bad),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the connection ended in the middle of a body")]
    Cut,
}

/// Passes interim answers on to the caller.
pub struct Caller(pub Shared);

impl Interim for Caller {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut wire = self.0.borrow_mut();
        wire.continued |= status == StatusCode::CONTINUE;
        encode::interim(status, headers, &mut wire.outbox);
        // What cannot be written now goes out with the final answer.
        let mut cx = Context::from_waker(futures_util::task::noop_waker_ref());
        let _ = wire.flush(&mut cx);
    }
}

/// Skips the empty lines that some clients send after a body, then says where the head ends.
pub fn head_end(inbox: &mut BytesMut, looked_at: &mut usize) -> Result<Option<usize>, Bad> {
    while inbox.starts_with(b"\r\n") {
        inbox.advance(2);
        *looked_at = 0;
    }
    let end = head::end(inbox, *looked_at)?;
    *looked_at = inbox.len();
    Ok(end)
}
