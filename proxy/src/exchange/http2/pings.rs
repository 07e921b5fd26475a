//! Asks the other end now and then whether it is still there.
//!
//! Between proxies only. An app is in the same pod, where the kernel tells when it is gone, and gRPC servers close
//! connections that ping more often than they like.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

use super::Other;

const INTERVAL: Duration = Duration::from_secs(30);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Pings(Option<Asking>);

struct Asking {
    line: PingPong,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    patience: Duration,
    waiting: bool,
}

impl Pings {
    pub fn new(other: Other, line: Option<PingPong>) -> Self {
        let line = line.filter(|_| other == Other::Proxy);
        Self(line.map(|line| Asking::new(line, INTERVAL, PATIENCE)))
    }

    /// Ready when the other end does not answer any more.
    pub fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Pending, |asking| asking.poll(cx))
    }
}

impl Asking {
    fn new(line: PingPong, interval: Duration, patience: Duration) -> Self {
        Self {
            line,
            timer: Box::pin(tokio::time::sleep(interval)),
            interval,
            patience,
            waiting: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting && self.line.poll_pong(cx).is_ready() {
                self.waiting = false;
                self.timer.as_mut().reset(Instant::now() + self.interval);
            }
            ready!(self.timer.as_mut().poll(cx));
            if self.waiting {
                return Poll::Ready(());
            }
            // Fails only where the connection has ended, which it tells by itself.
            let _ = self.line.send_ping(Ping::opaque());
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.patience);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    /// Both ends of a connection, whose called side runs or stands still; says whether the calling side gives it up.
    async fn gives_up(runs: bool) -> bool {
        let (near, far) = tokio::io::duplex(1024);
        let (client, server) = tokio::join!(h2::client::handshake(near), h2::server::handshake(far));
        let ((_requests, mut client), mut server): ((h2::client::SendRequest<Bytes>, _), _) =
            (client.unwrap(), server.unwrap());
        let mut asking = Asking::new(client.ping_pong().unwrap(), SHORT, SHORT * 20);
        let (mut asked, mut before) = (0, false);
        poll_fn(|cx| {
            if runs {
                let _ = server.poll_accept(cx);
            }
            let _ = Pin::new(&mut client).poll(cx);
            let given_up = asking.poll(cx).is_ready();
            asked += u32::from(asking.waiting && !before);
            before = asking.waiting;
            if given_up || asked == 4 {
                Poll::Ready(given_up)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_answers_is_asked_again_and_who_does_not_is_given_up() {
        assert!(!gives_up(true).await);
        assert!(gives_up(false).await);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn apps_are_not_asked() {
        for (other, asks) in [(Other::App, false), (Other::Proxy, true)] {
            let (near, _far) = tokio::io::duplex(1024);
            let (_requests, mut client) = h2::client::handshake(near).await.unwrap();
            assert_eq!(Pings::new(other, client.ping_pong()).0.is_some(), asks);
        }
    }
}
