//! How many requests the app is to be bothered with: token buckets, counted in this proxy alone.
//!
//! A bucket is one number, the time at which it will be full again (GCRA): all workers take from it with a single
//! compare-and-swap, and no timer fills it. Buckets survive a change of configuration that leaves their rate as it is.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mesh_api::wire;

use crate::config::{ConfigError, RequestMatch, RequestView, bad, list};

/// Callers counted apart per limit; those beyond share one bucket.
const MOST_CALLERS: usize = 10_000;

/// One limit with its state.
#[derive(Debug)]
pub struct RateLimit {
    pub source: Arc<str>,
    matches: Vec<RequestMatch>,
    rate: Rate,
    /// The bucket of all, or of callers beyond [`MOST_CALLERS`].
    shared: Arc<Bucket>,
    callers: Option<Callers>,
}

type Callers = Arc<Mutex<HashMap<Box<str>, Arc<Bucket>>>>;

/// In nanoseconds: what one request costs, and how much may be used up at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    cost: u64,
    depth: u64,
}

impl Rate {
    pub fn new(requests: u64, interval: Duration, burst: u64) -> Option<Self> {
        let interval = u64::try_from(interval.as_nanos()).ok()?;
        let cost = interval.checked_div(requests)?.max(1);
        let burst = if burst == 0 { requests } else { burst };
        Some(Self {
            cost,
            depth: cost.saturating_mul(burst),
        })
    }
}

/// When it will be full, in nanoseconds since the process began to count.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes for one request at `now`, or says how long to wait.
    pub fn take(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let mut full_at = self.0.load(Ordering::Relaxed);
        loop {
            let after = full_at.max(now).saturating_add(rate.cost);
            let over = after.saturating_sub(now.saturating_add(rate.depth));
            if over > 0 {
                return Err(Duration::from_nanos(over));
            }
            match self
                .0
                .compare_exchange_weak(full_at, after, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(found) => full_at = found,
            }
        }
    }

    fn is_full(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}

impl RateLimit {
    /// Takes for one request of `caller`, or for a connection of bytes; refused ones learn how long to wait.
    pub fn admit(&self, request: Option<&RequestView<'_>>, caller: &str, now: u64) -> Result<(), Duration> {
        let matches = || request.is_some_and(|r| self.matches.iter().any(|m| m.matches(r)));
        if !(self.matches.is_empty() || matches()) {
            return Ok(());
        }
        match &self.callers {
            None => self.shared.take(self.rate, now),
            Some(callers) => self.bucket_of(callers, caller, now).take(self.rate, now),
        }
    }

    fn bucket_of(&self, callers: &Callers, caller: &str, now: u64) -> Arc<Bucket> {
        let mut callers = callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = callers.get(caller) {
            return bucket.clone();
        }
        if callers.len() >= MOST_CALLERS {
            // A full bucket is as good as a new one.
            callers.retain(|_, bucket| !bucket.is_full(now));
        }
        if callers.len() >= MOST_CALLERS {
            return self.shared.clone();
        }
        callers.entry(caller.into()).or_default().clone()
    }

    /// Goes on with the buckets of the limit it replaces, and takes that out of `old`.
    pub fn inherit(&mut self, old: &mut Vec<&Self>) {
        let same = |o: &&Self| {
            o.source == self.source && o.rate == self.rate && o.callers.is_some() == self.callers.is_some()
        };
        if let Some(at) = old.iter().position(same) {
            let before = old.remove(at);
            self.shared = before.shared.clone();
            self.callers.clone_from(&before.callers);
        }
    }
}

/// Nanoseconds since the first call.
pub fn clock() -> u64 {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl TryFrom<wire::RateLimit> for RateLimit {
    type Error = ConfigError;

    fn try_from(limit: wire::RateLimit) -> Result<Self, ConfigError> {
        let interval = Duration::from_millis(limit.interval_ms);
        let Some(rate) = Rate::new(limit.requests, interval, limit.burst).filter(|_| limit.interval_ms > 0)
        else {
            return bad(format!("{}: a rate of no requests, or in no time", limit.source));
        };
        Ok(Self {
            source: limit.source.into(),
            matches: list(limit.matches)?,
            rate,
            shared: Arc::default(),
            callers: limit.per_caller.then(Arc::default),
        })
    }
}
