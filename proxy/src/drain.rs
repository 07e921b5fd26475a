//! The graceful end: who is under way is counted, and told when to finish.

use std::{cell::Cell, rc::Rc, time::Duration};

use tokio::sync::watch;

/// One worker's view of the end. Clones count the same connections.
#[derive(Clone, Debug)]
pub struct Drain {
    signal: watch::Receiver<bool>,
    open: Rc<Cell<usize>>,
}

impl Drain {
    pub fn new(signal: watch::Receiver<bool>) -> Self {
        Self {
            signal,
            open: Rc::default(),
        }
    }

    pub fn is_draining(&self) -> bool {
        *self.signal.borrow()
    }

    /// Returns when draining has begun.
    pub async fn begun(&self) {
        let mut signal = self.signal.clone();
        // A sender that is gone is an end, too.
        let _ = signal.wait_for(|draining| *draining).await;
    }

    /// Counts a connection as under way until the guard is dropped.
    pub fn under_way(&self) -> UnderWay {
        self.open.set(self.open.get() + 1);
        UnderWay(self.open.clone())
    }

    /// Waits until nothing is under way, at most for `grace`; returns how many are left.
    pub async fn finished(&self, grace: Duration) -> usize {
        let wait = async {
            while self.open.get() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(grace, wait).await;
        self.open.get()
    }
}

#[derive(Debug)]
pub struct UnderWay(Rc<Cell<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn waits_for_those_under_way_and_no_longer_than_allowed() {
        let (signal, receiver) = watch::channel(false);
        let drain = Drain::new(receiver);
        let guard = drain.under_way();
        assert!(!drain.is_draining());
        signal.send(true).unwrap();
        drain.begun().await;
        assert_eq!(drain.finished(Duration::from_secs(1)).await, 1);
        drop(guard);
        assert_eq!(drain.finished(Duration::from_secs(1)).await, 0);
    }
}
