//! A stream of which some bytes were read already: by whoever looked at what is spoken, or ahead of TLS, which by itself
//! asks the socket for small pieces.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Two and a half of the largest TLS records.
const AHEAD: usize = 40 * 1024;

thread_local! {
    /// Shared by a worker's connections: most often all that was read is wanted at once.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; AHEAD].into_boxed_slice());
}

/// Gives what was read already, then the rest; writes go straight through.
#[derive(Debug)]
pub struct Buffered<IO> {
    rest: Bytes,
    io: IO,
    ahead: bool,
}

impl<IO> Buffered<IO> {
    pub fn new(rest: Bytes, io: IO) -> Self {
        Self {
            rest,
            io,
            ahead: false,
        }
    }

    /// Takes all that has come in one call, for readers that ask for little at a time.
    #[must_use]
    pub fn reading_ahead(mut self) -> Self {
        self.ahead = true;
        self
    }

    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// Is there nothing that was read already?
    pub fn is_silent(&self) -> bool {
        self.rest.is_empty()
    }

    /// The stream alone, for where nothing was read yet.
    pub fn into_inner(self) -> IO {
        debug_assert!(self.is_silent(), "what was read would be lost");
        self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Buffered<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            if !this.ahead || buf.remaining() >= AHEAD {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            }
            return SCRATCH.with_borrow_mut(|scratch| {
                let mut ahead = ReadBuf::new(scratch);
                ready!(Pin::new(&mut this.io).poll_read(cx, &mut ahead))?;
                let (now, rest) = ahead.filled().split_at(ahead.filled().len().min(buf.remaining()));
                buf.put_slice(now);
                if !rest.is_empty() {
                    this.rest = Bytes::copy_from_slice(rest);
                }
                Poll::Ready(Ok(()))
            });
        }
        let n = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..n]);
        this.rest.advance(n);
        if this.rest.is_empty() {
            // Its memory is not held for as long as the connection lives.
            this.rest = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Buffered<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_read_comes_first_and_small_readers_get_it_all() {
        for ahead in [false, true] {
            let mut stream = Buffered::new(Bytes::from_static(b"one "), &b"two three"[..]);
            if ahead {
                stream = stream.reading_ahead();
            }
            let mut pieces = Vec::new();
            let mut piece = [0; 3];
            loop {
                let n = stream.read(&mut piece).await.unwrap();
                if n == 0 {
                    break;
                }
                pieces.extend_from_slice(&piece[..n]);
            }
            assert_eq!(pieces, b"one two three");
            assert!(stream.is_silent());
        }
    }
}
