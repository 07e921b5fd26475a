//! Exchanges that go on for long are counted while they do: an upgrade may live for days, a download for hours.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use http::{HeaderMap, header};

use super::Edge;

/// Bodies of fewer bytes are counted when they end.
const LONG: u64 = 256 * 1024;

/// What has passed of one exchange.
#[derive(Debug)]
pub struct Live {
    edge: Rc<Edge>,
    sent: Rc<Cell<u64>>,
    received: Rc<Cell<u64>>,
    /// Of each, what has been counted already.
    counted: Cell<(u64, u64)>,
}

/// All that go on in one worker.
#[derive(Debug, Default)]
pub struct Lives(RefCell<Vec<Weak<Live>>>);

/// Is a body with this head worth watching? What may be short is not.
pub fn is_long(headers: &HeaderMap, over: bool) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    !over && length.is_none_or(|length| length >= LONG)
}

impl Lives {
    pub fn begin(&self, edge: Rc<Edge>, sent: Rc<Cell<u64>>) -> Rc<Live> {
        let live = Rc::new(Live {
            edge,
            sent,
            received: Rc::default(),
            counted: Cell::default(),
        });
        self.0.borrow_mut().push(Rc::downgrade(&live));
        live
    }

    pub(super) fn count(&self) {
        self.0
            .borrow_mut()
            .retain(|live| live.upgrade().inspect(|live| live.count()).is_some());
    }
}

impl Live {
    /// Where what comes back is to be added up.
    pub fn received(&self) -> Rc<Cell<u64>> {
        self.received.clone()
    }

    /// What of these totals has not been counted yet.
    pub fn rest(&self, sent: u64, received: u64) -> (u64, u64) {
        let counted = self.counted.get();
        (sent.saturating_sub(counted.0), received.saturating_sub(counted.1))
    }

    fn count(&self) {
        let (sent, received) = (self.sent.get(), self.received.get());
        let (more_sent, more_received) = self.rest(sent, received);
        if more_sent + more_received > 0 {
            self.counted.set((sent, received));
            self.edge.count(|c| {
                c.bytes_sent += more_sent;
                c.bytes_received += more_received;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_counted_as_it_does_and_once() {
        let (lives, edge, sent) = (
            Lives::default(),
            Rc::<Edge>::default(),
            Rc::<Cell<u64>>::default(),
        );
        let live = lives.begin(edge.clone(), sent.clone());
        let totals = || {
            let mut totals = (0, 0);
            edge.count(|c| totals = (c.bytes_sent, c.bytes_received));
            totals
        };
        sent.set(10);
        lives.count();
        live.received().set(7);
        lives.count();
        lives.count();
        assert_eq!(totals(), (10, 7));
        sent.set(15);
        assert_eq!(live.rest(15, 7), (5, 0));
        drop(live);
        lives.count();
        assert!(lives.0.borrow().is_empty());
        assert_eq!(totals(), (10, 7), "the rest is counted with the end");
    }

    #[test]
    fn short_bodies_are_not_watched() {
        let head = |length: &str| {
            let value = http::HeaderValue::from_str(length).unwrap();
            HeaderMap::from_iter([(header::CONTENT_LENGTH, value)])
        };
        assert!(is_long(&HeaderMap::new(), false) && is_long(&head("10000000"), false));
        assert!(!is_long(&head("100"), false) && !is_long(&HeaderMap::new(), true));
    }
}
