//! Reads ahead of TLS, which by itself asks the socket for small pieces: what has come is taken in one call.

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

/// A stream that is read in large pieces; writes go straight through.
#[derive(Debug)]
pub struct ReadAhead<IO> {
    rest: Bytes,
    io: IO,
}

impl<IO> ReadAhead<IO> {
    pub fn new(io: IO) -> Self {
        Self {
            rest: Bytes::new(),
            io,
        }
    }

    pub fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ReadAhead<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            if buf.remaining() >= AHEAD {
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
            this.rest = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ReadAhead<IO> {
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
