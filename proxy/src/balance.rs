//! Which endpoint, which backend: the choices made for every request. Pure; the clock is handed in.

pub mod budget;
pub mod ejection;
pub mod gauge;
pub mod groups;
pub mod ring;

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use crate::config::Balancer;

/// Smooth weighted round-robin: shares are exact over any run of `sum of weights` choices, and never bunched.
#[derive(Debug, Clone)]
pub struct Shares {
    weights: Vec<i64>,
    current: Vec<i64>,
    total: i64,
}

impl Shares {
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let weights: Vec<i64> = weights.into_iter().map(i64::from).collect();
        Self {
            total: weights.iter().sum(),
            current: vec![0; weights.len()],
            weights,
        }
    }

    /// The next choice; `None` when there is nothing with a weight.
    pub fn next_index(&mut self) -> Option<usize> {
        if self.total == 0 {
            return None;
        }
        for (current, weight) in self.current.iter_mut().zip(&self.weights) {
            *current += weight;
        }
        // The first of the greatest, among those that have a share at all.
        let mut best: Option<usize> = None;
        for (i, current) in self.current.iter().enumerate() {
            if self.weights[i] > 0 && best.is_none_or(|b| *current > self.current[b]) {
                best = Some(i);
            }
        }
        self.current[best?] -= self.total;
        best
    }
}

/// How long a slow answer is remembered.
const DECAY: Duration = Duration::from_secs(10);
/// What an endpoint that nothing is known of counts as, in seconds: quick, so that it is tried.
const UNKNOWN: f64 = 0.001;
/// What a failed connection counts as: slow enough to be avoided until it decays.
const FAILURE: Duration = Duration::from_secs(5);

/// What one worker knows of one endpoint.
#[derive(Debug)]
pub struct Load {
    pending: Cell<u32>,
    /// Seconds; jumps up to a slow answer at once, and comes down slowly.
    cost: Cell<f64>,
    stamp: Cell<Instant>,
}

impl Load {
    pub fn new(now: Instant) -> Self {
        Self {
            pending: Cell::new(0),
            cost: Cell::new(UNKNOWN),
            stamp: Cell::new(now),
        }
    }

    pub fn pending(&self) -> u32 {
        self.pending.get()
    }

    /// Peak-sensitive, exponentially weighted latency times what is queued there.
    fn score(&self, now: Instant) -> f64 {
        let idle = now.saturating_duration_since(self.stamp.get()).as_secs_f64();
        let cost = UNKNOWN + (self.cost.get() - UNKNOWN).max(0.0) * (-idle / DECAY.as_secs_f64()).exp();
        cost * f64::from(self.pending.get() + 1)
    }

    pub fn began(&self) {
        self.pending.set(self.pending.get() + 1);
    }

    /// An answer came after `latency`.
    pub fn answered(&self, latency: Duration, now: Instant) {
        self.observe(latency.as_secs_f64(), now);
        self.pending.set(self.pending.get().saturating_sub(1));
    }

    /// No answer came: the caller went away.
    pub fn abandoned(&self) {
        self.pending.set(self.pending.get().saturating_sub(1));
    }

    /// No connection, or it broke.
    pub fn failed(&self, now: Instant) {
        self.answered(FAILURE, now);
    }

    fn observe(&self, seconds: f64, now: Instant) {
        let cost = self.cost.get();
        let since = now.saturating_duration_since(self.stamp.get()).as_secs_f64();
        self.stamp.set(now);
        self.cost.set(if seconds > cost {
            seconds
        } else {
            let weight = (-since / DECAY.as_secs_f64()).exp();
            cost * weight + seconds * (1.0 - weight)
        });
    }
}

/// Picks one of `n` endpoints, of those that are `fit` only; `None` when none is. `load` tells what is known of one,
/// `turn` is the round-robin's memory, `dice` gives a number below its argument. A ring hash without a key picks at
/// random.
pub fn pick<'a>(
    balancer: Balancer,
    n: usize,
    load: impl Fn(usize) -> &'a Load,
    fit: impl Fn(usize) -> bool,
    turn: &Cell<usize>,
    now: Instant,
    mut dice: impl FnMut(usize) -> usize,
) -> Option<usize> {
    let fitting = (0..n).filter(|i| fit(*i)).count();
    // Nearly always all are fit, and nothing has to be searched.
    let nth = |k: usize| {
        if fitting == n {
            k
        } else {
            (0..n).filter(|i| fit(*i)).nth(k).unwrap_or(0)
        }
    };
    let mut two = |score: &dyn Fn(usize) -> f64| {
        let a = dice(fitting);
        let b = (a + 1 + dice(fitting - 1)) % fitting;
        let (a, b) = (nth(a), nth(b));
        if score(b) < score(a) { b } else { a }
    };
    match (fitting, balancer) {
        (0, _) => None,
        (1, _) => Some(nth(0)),
        (_, Balancer::RoundRobin) => {
            turn.set(turn.get().wrapping_add(1));
            Some(nth(turn.get() % fitting))
        }
        (_, Balancer::Random | Balancer::RingHash) => Some(nth(dice(fitting))),
        (_, Balancer::LeastRequest) => Some(two(&|i| f64::from(load(i).pending()))),
        (_, Balancer::PeakEwma) => Some(two(&|i| load(i).score(now))),
    }
}

#[cfg(test)]
mod tests;
