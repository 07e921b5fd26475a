//! A body that must not stand still for too long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::exchange::{Body, Error, Side};

/// Ends a body with a time-out when `after` passes between two of its frames. Tunnels may be silent.
pub fn limit(body: Body, after: Option<Duration>, side: Side) -> Body {
    let Some(after) = after.filter(|_| !body.is_tunnel() && !http_body::Body::is_end_stream(&body)) else {
        return body;
    };
    let interim = body.interim();
    let timed = Timed {
        body,
        after,
        due: Box::pin(tokio::time::sleep(after)),
        side,
    };
    Body::wrap(timed, side).answered_to(interim)
}

struct Timed {
    body: Body,
    after: Duration,
    due: Pin<Box<Sleep>>,
    side: Side,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = http_body::Body::poll_frame(Pin::new(&mut this.body), cx) {
            this.due.as_mut().reset(Instant::now() + this.after);
            return Poll::Ready(frame);
        }
        match this.due.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Some(Err(Error::new(this.side, "timeout")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Says something once, then nothing.
    struct Stalled(bool);

    impl http_body::Body for Stalled {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_stalled_body_times_out() {
        let body = Body::wrap(Stalled(false), Side::Server);
        let mut body = limit(body, Some(Duration::from_millis(5)), Side::Server);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert_eq!(body.frame().await.unwrap().unwrap_err().reason, "timeout");
        let whole = limit(Body::full("x"), Some(Duration::from_secs(1)), Side::Server);
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "x");
    }
}
