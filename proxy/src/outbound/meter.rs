//! Counts bytes while they pass, not only when their connection ends: some connections live for days.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::copy;
use crate::metrics::Edge;

/// Why a pair ends of which one side broke off.
const RESET: &str = "reset";

/// How a joined pair of connections went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub sent: u64,
    pub received: u64,
    /// Empty when both ends have ended well.
    pub reason: &'static str,
}

impl Passed {
    /// Nothing passed.
    pub fn failed(reason: &'static str) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    /// Did one end break off? Then the other must not take it for a good end.
    pub fn is_broken(&self) -> bool {
        self.reason == RESET
    }
}

/// Copies both ways until both have ended, passing half-closes on; ends early when nothing passes for `idle`, or with
/// the reason that `ended` gives. What broke off ([`Passed::is_broken`]) is for the caller to break off, too.
pub async fn join<A, B>(
    near: &mut A,
    far: &mut B,
    edge: &Edge,
    idle: Option<Duration>,
    ended: impl Future<Output = &'static str>,
) -> Passed
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let meter = Meter {
        edge,
        sent: Cell::new(0),
        received: Cell::new(0),
        last: Cell::new(Instant::now()),
    };
    let reason = {
        let mut far = Metered {
            io: far,
            meter: &meter,
        };
        tokio::select! {
            whole = copy::both_ways(near, &mut far) => if whole { "" } else { RESET },
            () = meter.silent_for(idle) => "idle-timeout",
            reason = ended => reason,
        }
    };
    Passed {
        sent: meter.sent.get(),
        received: meter.received.get(),
        reason,
    }
}

struct Meter<'a> {
    edge: &'a Edge,
    sent: Cell<u64>,
    received: Cell<u64>,
    last: Cell<Instant>,
}

impl Meter<'_> {
    fn sent(&self, n: usize) {
        self.last.set(Instant::now());
        self.sent.set(self.sent.get() + n as u64);
        self.edge.count(|c| c.bytes_sent += n as u64);
    }

    fn received(&self, n: usize) {
        self.last.set(Instant::now());
        self.received.set(self.received.get() + n as u64);
        self.edge.count(|c| c.bytes_received += n as u64);
    }

    async fn silent_for(&self, idle: Option<Duration>) {
        let Some(idle) = idle else {
            return std::future::pending().await;
        };
        loop {
            let due = self.last.get() + idle;
            if Instant::now() >= due {
                return;
            }
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

/// The far end: what is written to it was sent, what is read from it received.
struct Metered<'a, IO> {
    io: &'a mut IO,
    meter: &'a Meter<'a>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Metered<'_, IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut *self.io).poll_read(cx, buf);
        let n = buf.filled().len() - before;
        if n > 0 {
            self.meter.received(n);
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Metered<'_, IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = polled {
            self.meter.sent(n);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.io).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(n)) = polled {
            self.meter.sent(n);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn bytes_count_while_the_connection_lives_and_silence_may_end_it() {
        let edge = Edge::default();
        let ((mut app, mut near), (mut far, mut server)) = (duplex(64), duplex(64));
        let idle = Some(Duration::from_millis(50));
        let talk = async {
            app.write_all(b"hello").await.unwrap();
            let mut heard = [0; 5];
            server.read_exact(&mut heard).await.unwrap();
            server.write_all(b"hi").await.unwrap();
            app.read_exact(&mut heard[..2]).await.unwrap();
            let mut so_far = (0, 0);
            edge.count(|c| so_far = (c.bytes_sent, c.bytes_received));
            assert_eq!(so_far, (5, 2), "counted already");
            (app, server)
        };
        let (passed, _open) = tokio::join!(
            join(&mut near, &mut far, &edge, idle, std::future::pending()),
            talk
        );
        assert_eq!(
            passed,
            Passed {
                sent: 5,
                received: 2,
                reason: "idle-timeout"
            }
        );
    }
}
