//! What the driver of a mesh connection and its streams share: frames that wait to be written, room for bodies, and
//! who is there.
//!
//! A window for all streams together would let those that nobody reads hold up the others. Here each begins with a
//! small window of its own, and those that are read get wider ones out of what the connection has to spare: so all of
//! them together are sent no more than `MOST_STREAMS * WINDOW + SPARE` that nobody has read, and none waits for another.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;

use super::{
    frame::{Reason, SPARE, WIDEST, WINDOW},
    stream::Stream,
};

/// Streams open at once.
pub const MOST_STREAMS: usize = 1024;
/// Bodies wait when so much is waiting to be written: heads of others shall not stand behind more.
pub const ENOUGH: usize = 64 * 1024;

/// By number.
pub type Streams = HashMap<u32, Rc<Stream>, BuildHasherDefault<Spread>>;

/// Spreads numbers that count up: no more is needed where only [`MOST_STREAMS`] can be there.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What the driver and the streams share.
pub struct Connection {
    pub(super) state: RefCell<State>,
    /// How much wider windows may still become.
    spare: Cell<u32>,
}

pub type Shared = Rc<Connection>;

#[derive(Default)]
pub(super) struct State {
    pub out: BytesMut,
    pub driver: Option<Waker>,
    /// Bodies that wait for room.
    pub waiting: VecDeque<Waker>,
    pub streams: Streams,
    /// The highest number used so far.
    pub last: u32,
    /// No streams are begun any more.
    pub going: bool,
    /// The calling side will not use it again.
    pub unused: bool,
    pub closed: bool,
}

impl Connection {
    pub fn new() -> Shared {
        Rc::new(Self {
            state: RefCell::default(),
            spare: Cell::new(SPARE),
        })
    }

    /// Appends frames, to be sent at the end of the loop's turn.
    pub fn write(&self, frames: impl FnOnce(&mut BytesMut)) {
        let state = &mut *self.state.borrow_mut();
        if !state.closed {
            frames(&mut state.out);
            wake(&mut state.driver);
        }
    }

    /// Ready when a piece of a body may be written. Those who wait get their turns in order.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.state.borrow_mut();
        if state.out.len() < ENOUGH || state.closed {
            return Poll::Ready(());
        }
        state.waiting.push_back(cx.waker().clone());
        Poll::Pending
    }

    /// By how much a window may grow that is so wide: to twice that, while there is something to spare.
    pub fn widen(&self, width: u32) -> u32 {
        let wider = width.min(WIDEST - width).min(self.spare.get());
        self.spare.set(self.spare.get() - wider);
        wider
    }

    /// A window so wide is not needed any more.
    pub fn narrow(&self, width: u32) {
        self.spare.set(self.spare.get() + width - WINDOW);
    }

    /// Can another stream begin?
    pub fn is_open(&self) -> bool {
        let state = self.state.borrow();
        !state.closed && !state.going && state.streams.len() < MOST_STREAMS && state.last < u32::MAX
    }

    pub fn is_closed(&self) -> bool {
        let state = self.state.borrow();
        state.closed || state.going
    }

    /// Begins a stream; `None` when there can be no more.
    pub fn open(self: &Rc<Self>) -> Option<Rc<Stream>> {
        if !self.is_open() {
            return None;
        }
        let state = &mut *self.state.borrow_mut();
        state.last += 1;
        let stream = Stream::new(self.clone(), state.last, false);
        state.streams.insert(state.last, stream.clone());
        Some(stream)
    }

    pub fn forget(&self, stream: u32) {
        let state = &mut *self.state.borrow_mut();
        state.streams.remove(&stream);
        if state.streams.is_empty() && (state.unused || state.going) {
            wake(&mut state.driver);
        }
    }

    /// The connection may end when its streams have.
    pub fn leave(&self) {
        let state = &mut *self.state.borrow_mut();
        state.unused = true;
        wake(&mut state.driver);
    }

    pub(super) fn may_end(&self) -> bool {
        let state = self.state.borrow();
        state.streams.is_empty() && (state.unused || state.going)
    }

    pub(super) fn close(&self) {
        let (streams, waiting) = {
            let state = &mut *self.state.borrow_mut();
            state.closed = true;
            (
                std::mem::take(&mut state.streams),
                std::mem::take(&mut state.waiting),
            )
        };
        for stream in streams.into_values() {
            stream.got_reset(Reason::Lost);
        }
        for waker in waiting {
            waker.wake();
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
