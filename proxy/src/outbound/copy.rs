//! Bytes from one connection to another, both ways, as if nobody stood between them.
//!
//! An idle pair holds no buffer: what is read goes through one that all of a worker's share, and only what could not be
//! written at once is kept. How an end comes matters as much as what comes before it:
//!
//! ```text
//!   end of what one side says ─► end of what the other hears; the other way goes on
//!   one side breaks off       ─► both do
//!   one side takes no more    ─► what it has still to say passes; what the other says is nobody's any more
//! ```
//!
//! The last is how a server refuses that answers and closes while its caller still sends.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Read in one call.
const PIECE: usize = 64 * 1024;
/// Who goes on sending to nobody is heard for so long, so that it gets the last of what it was told.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Copies until both ways have ended; says whether they ended well.
pub async fn both_ways<A, B>(near: &mut A, far: &mut B) -> bool
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut linger: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let broken = up.poll(cx, near, far).is_err() || down.poll(cx, far, near).is_err();
        if broken || (up.is_refused() && down.is_refused()) {
            return Poll::Ready(false);
        }
        match (&up.state, &down.state) {
            (State::Over, State::Over) => Poll::Ready(true),
            (State::Over, State::Refused) | (State::Refused, State::Over) => {
                let due = linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
                due.as_mut().poll(cx).map(|()| true)
            }
            _ => Poll::Pending,
        }
    })
    .await
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Read and not yet written.
    rest: Bytes,
    /// Written and perhaps not yet sent.
    unsent: bool,
    state: State,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The end has come, and must be passed on.
    Ending,
    /// The other side takes no more; what still comes is dropped.
    Refused,
    Over,
}

impl Way {
    fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn is_refused(&self) -> bool {
        self.state == State::Refused
    }

    /// Passes on what there is. Fails only where what is read breaks off.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.is_over() {
            let step = match self.state {
                State::Refused => self.drop_some(cx, from)?,
                _ => match self.write(cx, to) {
                    Poll::Ready(Ok(())) if self.is_over() => return Ok(()),
                    Poll::Ready(Ok(())) => self.read(cx, from, to)?,
                    Poll::Ready(Err(_)) => {
                        self.refuse();
                        continue;
                    }
                    Poll::Pending => Poll::Pending,
                },
            };
            if step.is_pending() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn refuse(&mut self) {
        self.rest = Bytes::new();
        self.state = State::Refused;
    }

    /// Writes what is left of the last piece, and the end.
    fn write(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let n = ready!(Pin::new(&mut *to).poll_write(cx, &self.rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(n);
        }
        // Its memory is not held for as long as the connection lives.
        self.rest = Bytes::new();
        if self.state == State::Ending {
            ready!(Pin::new(to).poll_shutdown(cx))?;
            self.state = State::Over;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads a piece, and writes of it what can be written at once.
    fn read<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<Poll<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut piece = ReadBuf::new(scratch);
            match Pin::new(from).poll_read(cx, &mut piece) {
                Poll::Pending => {
                    if self.unsent {
                        match Pin::new(to).poll_flush(cx) {
                            Poll::Ready(Ok(())) => self.unsent = false,
                            Poll::Ready(Err(_)) => {
                                self.refuse();
                                return Ok(Poll::Ready(()));
                            }
                            Poll::Pending => {}
                        }
                    }
                    return Ok(Poll::Pending);
                }
                Poll::Ready(read) => read?,
            }
            let piece = piece.filled();
            if piece.is_empty() {
                self.state = State::Ending;
                return Ok(Poll::Ready(()));
            }
            self.unsent = true;
            match Pin::new(to).poll_write(cx, piece) {
                Poll::Ready(Ok(n)) => self.rest = kept(&piece[n..]),
                Poll::Ready(Err(_)) => self.refuse(),
                Poll::Pending => self.rest = kept(piece),
            }
            Ok(Poll::Ready(()))
        })
    }

    /// Reads what nobody wants, so that whoever says it is not held up.
    fn drop_some(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Poll<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut piece = ReadBuf::new(scratch);
            let Poll::Ready(read) = Pin::new(from).poll_read(cx, &mut piece) else {
                return Ok(Poll::Pending);
            };
            read?;
            if piece.filled().is_empty() {
                self.state = State::Over;
            }
            Ok(Poll::Ready(()))
        })
    }
}

fn kept(piece: &[u8]) -> Bytes {
    if piece.is_empty() {
        Bytes::new()
    } else {
        Bytes::copy_from_slice(piece)
    }
}
