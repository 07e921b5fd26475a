//! How many retries there may be: a share of the requests of the last ten seconds, and a few more in quiet times.
//! Without one, retries multiply the load of a service exactly when it can bear it least.

use std::{cell::RefCell, time::Instant};

use crate::config::RetryBudget;

const SECONDS: usize = 10;

/// One worker's account for one backend.
#[derive(Debug)]
pub struct Budget(RefCell<Account>);

#[derive(Debug)]
struct Account {
    began: Instant,
    /// The second that the newest slot is of.
    second: u64,
    /// Requests and retries of each of the last seconds.
    slots: [(u32, u32); SECONDS],
}

impl Budget {
    pub fn new(now: Instant) -> Self {
        Self(RefCell::new(Account {
            began: now,
            second: 0,
            slots: [(0, 0); SECONDS],
        }))
    }

    /// A request, not counting its retries.
    pub fn deposit(&self, now: Instant) {
        let mut account = self.0.borrow_mut();
        account.slot(now).0 += 1;
    }

    /// May there be one more retry? If so, it is counted.
    pub fn withdraw(&self, budget: RetryBudget, now: Instant) -> bool {
        let mut account = self.0.borrow_mut();
        account.slot(now);
        let sum = |of: fn(&(u32, u32)) -> u32| account.slots.iter().map(|s| u64::from(of(s))).sum::<u64>();
        let (requests, retries) = (sum(|s| s.0), sum(|s| s.1));
        let allowed =
            requests * u64::from(budget.percent) / 100 + u64::from(budget.min_per_second) * SECONDS as u64;
        let granted = retries < allowed;
        if granted {
            account.slot(now).1 += 1;
        }
        granted
    }
}

impl Account {
    fn slot(&mut self, now: Instant) -> &mut (u32, u32) {
        let second = now.saturating_duration_since(self.began).as_secs();
        for passed in self.second + 1..=second.min(self.second + SECONDS as u64) {
            self.slots[passed as usize % SECONDS] = (0, 0);
        }
        if second > self.second + SECONDS as u64 {
            self.slots = [(0, 0); SECONDS];
        }
        self.second = self.second.max(second);
        &mut self.slots[self.second as usize % SECONDS]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const TENTH: RetryBudget = RetryBudget {
        percent: 10,
        min_per_second: 0,
    };

    #[test]
    fn a_share_of_recent_requests() {
        let now = Instant::now();
        let budget = Budget::new(now);
        assert!(!budget.withdraw(TENTH, now));
        for _ in 0..100 {
            budget.deposit(now);
        }
        let granted = |at: Instant| (0..50).filter(|_| budget.withdraw(TENTH, at)).count();
        assert_eq!(granted(now), 10);
        assert_eq!(
            granted(now + Duration::from_secs(9)),
            0,
            "still within ten seconds"
        );
        assert_eq!(
            granted(now + Duration::from_mins(1)),
            0,
            "the requests are forgotten, too"
        );
    }

    #[test]
    fn a_few_in_quiet_times() {
        let now = Instant::now();
        let budget = Budget::new(now);
        let quiet = RetryBudget {
            percent: 0,
            min_per_second: 2,
        };
        let granted = |at: Instant| (0..50).filter(|_| budget.withdraw(quiet, at)).count();
        assert_eq!(granted(now), 20);
        assert_eq!(granted(now + Duration::from_secs(20)), 20);
    }

    proptest! {
        /// However requests and retries fall, retries stay within their share of all requests so far.
        #[test]
        fn never_more_than_the_share(steps in proptest::collection::vec((0u64..1500, any::<bool>()), 1..500)) {
            let start = Instant::now();
            let (budget, mut now) = (Budget::new(start), start);
            let (mut requests, mut retries) = (0u32, 0u32);
            for (millis, retry) in steps {
                now += Duration::from_millis(millis);
                if retry {
                    retries += u32::from(budget.withdraw(TENTH, now));
                } else {
                    budget.deposit(now);
                    requests += 1;
                }
                prop_assert!(retries * 10 <= requests);
            }
        }
    }
}
