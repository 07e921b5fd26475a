//! Peers that ask and break off at once, again and again: each such request is work for everybody behind us, and no
//! limit on what is open at once is ever reached ("rapid reset").

use std::{cell::Cell, rc::Rc};

use tokio::sync::Notify;

/// So many broken off before their answers began, if they are most of all, are too many on one connection.
const MOST: u32 = 500;

/// The requests of one connection.
#[derive(Default)]
pub struct Hasty {
    begun: Cell<u32>,
    broken_off: Cell<u32>,
    too_often: Notify,
}

/// A request whose answer has not begun yet.
pub struct Begun(Option<Rc<Hasty>>);

impl Hasty {
    pub fn begin(self: &Rc<Self>) -> Begun {
        self.begun.set(self.begun.get().saturating_add(1));
        Begun(Some(self.clone()))
    }

    pub async fn too_often(&self) {
        self.too_often.notified().await;
    }
}

impl Begun {
    pub fn answered(&mut self) {
        self.0 = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(hasty) = self.0.take() {
            let broken_off = hasty.broken_off.get().saturating_add(1);
            hasty.broken_off.set(broken_off);
            if broken_off >= MOST && broken_off > hasty.begun.get() / 2 {
                hasty.too_often.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn run(answered_of_ten: u32) -> bool {
        let hasty = Rc::new(Hasty::default());
        for n in 0..MOST * 4 {
            let mut begun = hasty.begin();
            if n % 10 < answered_of_ten {
                begun.answered();
            }
        }
        hasty.too_often().now_or_never().is_some()
    }

    #[test]
    fn who_breaks_off_most_requests_is_told_from_who_breaks_off_some() {
        assert!(run(0) && run(4));
        assert!(!run(6) && !run(10));
    }
}
