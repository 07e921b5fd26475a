//! A request's body that may be sent more than once: what has passed is kept, up to a bound, for the next reader.
//!
//! ```text
//!   app's body ─► Replay ─┬─► reader of the first attempt
//!                  (64 KiB)├─► reader of the next, from the beginning
//!                          └─► mirror, once all of it is there
//! ```
//!
//! A body that outgrows the bound streams on, to the reader that has it; it is then too late for another.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::exchange::{Body, Error, Side};

/// Bytes kept of one body.
const KEPT: usize = 64 * 1024;

/// A body with its memory. Clones share both.
#[derive(Clone)]
pub struct Replay(Rc<RefCell<State>>);

struct State {
    source: Option<Body>,
    size: SizeHint,
    kept: Vec<Bytes>,
    bytes: usize,
    trailers: Option<HeaderMap>,
    /// How the source ended.
    ended: Option<Result<(), ()>>,
    overflown: bool,
    /// Nobody will ask for it again.
    settled: bool,
    /// The reader that may go on reading the source.
    newest: usize,
    waiting: Vec<Waker>,
}

impl Replay {
    pub fn new(body: Body) -> Self {
        Self(Rc::new(RefCell::new(State {
            size: http_body::Body::size_hint(&body),
            source: Some(body),
            kept: Vec::new(),
            bytes: 0,
            trailers: None,
            ended: None,
            overflown: false,
            settled: false,
            newest: 0,
            waiting: Vec::new(),
        })))
    }

    /// The body from its beginning, for one more attempt; earlier readers get no further. `None` when the beginning
    /// is gone, or the source is broken.
    pub fn reader(&self) -> Option<Body> {
        let mut state = self.0.borrow_mut();
        if state.overflown || state.ended == Some(Err(())) {
            return None;
        }
        state.newest += 1;
        let reader = Reader {
            state: self.0.clone(),
            number: state.newest,
            next: 0,
            over: false,
        };
        Some(Body::wrap(reader, Side::Client))
    }

    /// There will be no more attempts: what comes from now on is passed on and not kept.
    pub fn settle(&self) {
        self.0.borrow_mut().settled = true;
    }

    /// All of the body, once the attempts have read it; `None` when it is more than is kept, or broken.
    pub async fn whole(&self) -> Option<Body> {
        std::future::poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.overflown || state.ended == Some(Err(())) {
                return Poll::Ready(false);
            }
            if state.ended.is_some() {
                return Poll::Ready(true);
            }
            if Rc::strong_count(&self.0) == 1 {
                // Nobody reads any more.
                return Poll::Ready(false);
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
        .then(|| {
            let copy = Reader {
                state: self.0.clone(),
                number: 0,
                next: 0,
                over: false,
            };
            Body::wrap(copy, Side::Client)
        })
    }
}

impl State {
    fn wake(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    /// Reads the source once; keeps what fits.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let polled = http_body::Body::poll_frame(Pin::new(source), cx);
        let ended = match &polled {
            Poll::Pending => None,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes += data.len();
                    if self.bytes > KEPT || self.settled {
                        self.overflown = true;
                        self.kept = Vec::new();
                    } else {
                        self.kept.push(data.clone());
                    }
                }
                self.trailers = frame.trailers_ref().cloned();
                // Codecs do not poll a body again whose end they can tell.
                (frame.is_trailers() || http_body::Body::is_end_stream(source)).then_some(Ok(()))
            }
            Poll::Ready(end) => Some(if end.is_none() { Ok(()) } else { Err(()) }),
        };
        if ended.is_some() {
            self.ended = ended;
            self.source = None;
        }
        if self.overflown || ended.is_some() {
            self.wake();
        }
        polled
    }
}

struct Reader {
    state: Rc<RefCell<State>>,
    /// 0 only repeats what is there.
    number: usize,
    next: usize,
    over: bool,
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let mut state = this.state.borrow_mut();
        if let Some(bytes) = state.kept.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
        }
        match state.ended {
            Some(Ok(())) => {
                this.over = true;
                return Poll::Ready(state.trailers.clone().map(|t| Ok(Frame::trailers(t))));
            }
            Some(Err(())) => return Poll::Ready(Some(Err(Error::new(Side::Client, "body-reset")))),
            None => {}
        }
        if this.number != state.newest {
            // Another attempt has taken over.
            return Poll::Ready(Some(Err(Error::new(Side::Client, "superseded"))));
        }
        let polled = state.advance(cx);
        if let Poll::Ready(frame) = &polled {
            this.next += 1;
            this.over = match frame {
                Some(Ok(frame)) => frame.is_trailers(),
                Some(Err(_)) | None => true,
            };
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        if self.over {
            return true;
        }
        let state = self.state.borrow();
        match &state.source {
            Some(source) => self.next >= state.kept.len() && http_body::Body::is_end_stream(source),
            None => self.next >= state.kept.len() && state.trailers.is_none() && state.ended == Some(Ok(())),
        }
    }

    fn size_hint(&self) -> SizeHint {
        // Told before reading begins, which is when codecs ask.
        self.state.borrow().size
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Whoever waits for the end looks again whether anybody still reads.
        self.state.borrow_mut().wake();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A body of pieces, then trailers.
    struct Pieces(Vec<Frame<Bytes>>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Ready((!self.0.is_empty()).then(|| Ok(self.0.remove(0))))
        }
    }

    fn body(pieces: &[&'static [u8]]) -> Body {
        let mut frames: Vec<_> = pieces
            .iter()
            .map(|p| Frame::data(Bytes::from_static(p)))
            .collect();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", http::HeaderValue::from_static("1"));
        frames.push(Frame::trailers(trailers));
        Body::wrap(Pieces(frames), Side::Client)
    }

    async fn read(body: Body) -> Result<(Vec<u8>, bool), Error> {
        let all = body.collect().await?;
        let trailers = all.trailers().is_some();
        Ok((all.to_bytes().to_vec(), trailers))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_attempt_reads_from_the_beginning() {
        let replay = Replay::new(body(&[b"one", b"two"]));
        let mut first = replay.reader().unwrap();
        let frame = first.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        let second = replay.reader().unwrap();
        assert!(first.frame().await.unwrap().is_err(), "only the newest goes on");
        assert_eq!(read(second).await.unwrap(), (b"onetwo".to_vec(), true));
        assert_eq!(
            read(replay.reader().unwrap()).await.unwrap(),
            (b"onetwo".to_vec(), true)
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_outgrows_its_bound_streams_on_and_cannot_be_repeated() {
        static LARGE: [u8; KEPT] = [7; KEPT];
        let replay = Replay::new(body(&[&LARGE, b"x", &LARGE]));
        let first = replay.reader().unwrap();
        assert_eq!(read(first).await.unwrap().0.len(), 2 * KEPT + 1);
        assert!(replay.reader().is_none());
        assert!(replay.whole().await.is_none());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_mirror_gets_all_of_it_once_it_is_there() {
        let replay = Replay::new(body(&[b"one"]));
        let reader = replay.reader().unwrap();
        let mirror = replay.clone();
        drop(replay);
        let (read_it, copy) = tokio::join!(read(reader), mirror.whole());
        assert_eq!(read_it.unwrap().0, b"one");
        assert_eq!(read(copy.unwrap()).await.unwrap(), (b"one".to_vec(), true));

        let replay = Replay::new(body(&[b"one"]));
        let reader = replay.reader().unwrap();
        drop(reader);
        assert!(replay.whole().await.is_none(), "nobody reads any more");
    }
}
