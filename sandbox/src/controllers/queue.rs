//! A work queue of keys: each key is worked on by one task at a time, once however often it was added meanwhile,
//! again after a failure with growing delay, and again at a time its controller asked for.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::Notify, time::Instant};

use super::cache::Key;

/// Keys worked on at the same time.
const CONCURRENCY: usize = 8;
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What came of one look at an object: look again after this long, if nothing happens before.
pub(super) type Outcome = Result<Option<Duration>, kube::Error>;

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Key>,
    /// Everything in `ready`.
    queued: HashSet<Key>,
    busy: HashSet<Key>,
    /// Busy keys that were added again.
    again: HashSet<Key>,
    later: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
}

impl State {
    fn add(&mut self, key: Key) {
        if self.busy.contains(&key) {
            self.again.insert(key);
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }
}

impl Queue {
    /// Asks for a look at an object.
    pub(super) fn add(&self, key: Key) {
        self.lock().add(key);
        self.wake.notify_one();
    }

    /// Works for ever.
    pub(super) async fn work<F: Future<Output = Outcome>>(&self, name: &str, reconcile: impl Fn(Key) -> F) {
        let mut running = FuturesUnordered::new();
        loop {
            let due = self.take_due();
            while running.len() < CONCURRENCY
                && let Some(key) = self.take()
            {
                let work = reconcile(key.clone());
                running.push(async move { (key, work.await) });
            }
            tokio::select! {
                Some((key, outcome)) = running.next() => self.finish(name, key, outcome),
                () = self.wake.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    fn take(&self) -> Option<Key> {
        let mut state = self.lock();
        let key = state.ready.pop_front()?;
        state.queued.remove(&key);
        state.busy.insert(key.clone());
        Some(key)
    }

    /// Makes ready what is due; says when the next will be.
    fn take_due(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        let due: Vec<_> = state.later.extract_if(|_, at| *at <= now).collect();
        for (key, _) in due {
            state.add(key);
        }
        state.later.values().min().copied()
    }

    fn finish(&self, name: &str, key: Key, outcome: Outcome) {
        let mut state = self.lock();
        state.busy.remove(&key);
        let delay = match outcome {
            Ok(delay) => {
                state.failures.remove(&key);
                delay
            }
            Err(error) => {
                let failures = state.failures.entry(key.clone()).or_default();
                *failures += 1;
                // Conflicts are everyday: somebody else wrote, and we will see it.
                if !matches!(&error, kube::Error::Api(status) if status.code == 409) {
                    tracing::warn!(controller = name, namespace = key.namespace, name = key.name, %error, "will try again");
                }
                let factor = 1 << (*failures - 1).min(16);
                Some((FIRST_RETRY * factor).min(LAST_RETRY))
            }
        };
        match delay {
            Some(delay) => {
                state.later.insert(key.clone(), Instant::now() + delay);
            }
            None => {
                state.later.remove(&key);
            }
        }
        if state.again.remove(&key) {
            state.add(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Works until a condition holds.
    async fn until(work: impl Future<Output = ()>, condition: impl Fn() -> bool) {
        let holds = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let both = async {
            tokio::select! { () = work => {}, () = holds => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_added_while_it_is_worked_on_is_looked_at_again_but_not_at_the_same_time() {
        let queue = Queue::default();
        let (looks, at_once, most, others) = Default::default();
        let (looks, at_once, most, others): (&AtomicUsize, &AtomicUsize, &AtomicUsize, &AtomicUsize) =
            (&looks, &at_once, &most, &others);
        let (a, b) = (Key::new("default", "a"), Key::new("default", "b"));
        for _ in 0..5 {
            queue.add(a.clone());
        }
        let work = queue.work("test", |key| {
            let (queue, a, b) = (&queue, &a, &b);
            async move {
                if key == *b {
                    others.fetch_add(1, SeqCst);
                    return Ok(None);
                }
                most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                if looks.fetch_add(1, SeqCst) == 0 {
                    queue.add(a.clone());
                    queue.add(a.clone());
                    queue.add(b.clone());
                    // The other key is not kept waiting.
                    while others.load(SeqCst) == 0 {
                        tokio::task::yield_now().await;
                    }
                } else {
                    queue.add(b.clone());
                }
                at_once.fetch_sub(1, SeqCst);
                Ok(None)
            }
        });
        until(work, || others.load(SeqCst) == 2).await;
        assert_eq!((looks.load(SeqCst), most.load(SeqCst)), (2, 1));
    }

    #[tokio::test]
    async fn failures_are_retried_with_growing_delay_and_wishes_are_honoured() {
        let queue = Queue::default();
        queue.add(Key::new("default", "a"));
        let times = Mutex::new(Vec::new());
        let work = queue.work("test", |_| {
            let mut times = times.lock().unwrap();
            times.push(Instant::now());
            let count = times.len();
            async move {
                match count {
                    1..=3 => Err(kube::Error::LinesCodecMaxLineLengthExceeded),
                    4 => Ok(Some(Duration::from_millis(100))),
                    _ => Ok(None),
                }
            }
        });
        until(work, || times.lock().unwrap().len() == 5).await;
        let times = times.lock().unwrap();
        let waits: Vec<_> = times.windows(2).map(|w| (w[1] - w[0]).as_millis()).collect();
        for (wait, least) in waits.iter().zip([5, 10, 20, 100]) {
            assert!(*wait >= least, "{waits:?}");
        }
    }
}
