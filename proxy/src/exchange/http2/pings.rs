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
    waiting: bool,
}

impl Pings {
    pub fn new(other: Other, line: Option<PingPong>) -> Self {
        let line = line.filter(|_| other == Other::Proxy);
        Self(line.map(|line| Asking {
            line,
            timer: Box::pin(tokio::time::sleep(INTERVAL)),
            waiting: false,
        }))
    }

    /// Ready when the other end does not answer any more.
    pub fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(asking) = &mut self.0 else {
            return Poll::Pending;
        };
        if asking.waiting && asking.line.poll_pong(cx).is_ready() {
            asking.waiting = false;
            asking.timer.as_mut().reset(Instant::now() + INTERVAL);
        }
        loop {
            ready!(asking.timer.as_mut().poll(cx));
            if asking.waiting {
                return Poll::Ready(());
            }
            // Fails only where the connection has ended, which it tells by itself.
            let _ = asking.line.send_ping(Ping::opaque());
            asking.waiting = true;
            asking.timer.as_mut().reset(Instant::now() + PATIENCE);
            if asking.line.poll_pong(cx).is_ready() {
                asking.waiting = false;
            }
        }
    }
}
