//! Endpoints that fail are left out for a while, the longer the more often.
//!
//! ```text
//!   in ── too many errors in a row, or too large a share in one interval ──► out for `base` × times
//!    ▲                                                                        │
//!    └──────────────── time is up (one step milder per good interval) ────────┘
//! ```

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use crate::config::Ejection;

/// However often an endpoint failed, it is tried again after this.
const LONGEST: Duration = Duration::from_mins(5);

/// What came of a request, as far as its endpoint is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// An error of the app's.
    Error,
    /// 502, 503, 504, a time-out, no connection.
    Gateway,
}

/// What is held against one endpoint.
#[derive(Debug, Default)]
pub struct Record {
    out_until: Cell<Option<Instant>>,
    history: RefCell<History>,
}

#[derive(Debug, Default)]
struct History {
    in_a_row: u32,
    gateway_in_a_row: u32,
    interval: Option<Instant>,
    total: u32,
    errors: u32,
    times: u32,
}

impl Record {
    pub fn is_out(&self, now: Instant) -> bool {
        self.out_until.get().is_some_and(|until| now < until)
    }

    /// Notes an outcome; says whether the endpoint should be left out now. [`Self::leave_out`] does so.
    pub fn note(&self, rules: &Ejection, verdict: Verdict, now: Instant) -> bool {
        let mut history = self.history.borrow_mut();
        let history = &mut *history;
        let over = history
            .interval
            .is_none_or(|began| now.saturating_duration_since(began) >= rules.interval);
        if over {
            // A good interval makes the next ejection shorter.
            if history.interval.is_some() && history.errors == 0 && !self.is_out(now) {
                history.times = history.times.saturating_sub(1);
            }
            (history.interval, history.total, history.errors) = (Some(now), 0, 0);
        }
        history.total += 1;
        match verdict {
            Verdict::Good => (history.in_a_row, history.gateway_in_a_row) = (0, 0),
            Verdict::Error => {
                history.errors += 1;
                history.in_a_row += 1;
                history.gateway_in_a_row = 0;
            }
            Verdict::Gateway => {
                history.errors += 1;
                history.in_a_row += 1;
                history.gateway_in_a_row += 1;
            }
        }
        let reached = |limit: u32, count: u32| limit > 0 && count >= limit;
        verdict != Verdict::Good
            && !self.is_out(now)
            && (reached(rules.consecutive_errors, history.in_a_row)
                || reached(rules.consecutive_gateway_errors, history.gateway_in_a_row)
                || (rules.error_percent > 0
                    && history.total >= rules.min_requests.max(1)
                    && u64::from(history.errors) * 100
                        >= u64::from(rules.error_percent) * u64::from(history.total)))
    }

    pub fn leave_out(&self, rules: &Ejection, now: Instant) {
        let mut history = self.history.borrow_mut();
        history.times += 1;
        let out = (rules.base * history.times).min(LONGEST.max(rules.base));
        self.out_until.set(Some(now + out));
        *history = History {
            times: history.times,
            ..History::default()
        };
    }
}

/// May one more of `all` endpoints be left out? One always may, where there are others.
pub fn may_leave_out(rules: &Ejection, out: usize, all: usize) -> bool {
    let most = (all * rules.max_percent as usize / 100).max(1);
    out < most && (all > 1 || rules.max_percent >= 100)
}

/// With too few endpoints left, who is out is not heeded: better a bad answer than none.
pub fn is_panic(rules: &Ejection, fit: usize, all: usize) -> bool {
    fit * 100 < rules.min_healthy_percent as usize * all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> Ejection {
        Ejection {
            interval: Duration::from_secs(10),
            base: Duration::from_secs(30),
            max_percent: 50,
            ..Ejection::default()
        }
    }

    fn run(rules: &Ejection, verdicts: &[Verdict]) -> usize {
        let (record, now) = (Record::default(), Instant::now());
        verdicts
            .iter()
            .position(|v| record.note(rules, *v, now))
            .map_or(0, |at| at + 1)
    }

    #[test]
    fn errors_in_a_row() {
        use Verdict::{Error, Gateway, Good};
        let five = Ejection {
            consecutive_errors: 3,
            ..rules()
        };
        assert_eq!(run(&five, &[Error, Gateway, Error]), 3);
        assert_eq!(run(&five, &[Error, Error, Good, Error, Error]), 0);
        let gateway = Ejection {
            consecutive_gateway_errors: 2,
            ..rules()
        };
        assert_eq!(run(&gateway, &[Gateway, Error, Gateway, Gateway]), 4);
        assert_eq!(run(&rules(), &[Error; 100]), 0, "switched off");
    }

    #[test]
    fn a_share_of_errors_once_there_are_enough_requests() {
        use Verdict::{Error, Good};
        let half = Ejection {
            error_percent: 50,
            min_requests: 4,
            ..rules()
        };
        assert_eq!(run(&half, &[Error, Error, Error, Error]), 4);
        assert_eq!(run(&half, &[Good, Good, Error, Error]), 4);
        assert_eq!(run(&half, &[Good, Good, Good, Error, Error]), 0);
        let (record, now) = (Record::default(), Instant::now());
        for _ in 0..3 {
            assert!(!record.note(&half, Error, now));
        }
        assert!(
            !record.note(&half, Error, now + Duration::from_secs(11)),
            "a new interval"
        );
    }

    #[test]
    fn longer_each_time_and_milder_after_good_intervals() {
        let one = Ejection {
            consecutive_errors: 1,
            ..rules()
        };
        let (record, mut now) = (Record::default(), Instant::now());
        for times in 1..4 {
            assert!(record.note(&one, Verdict::Error, now));
            record.leave_out(&one, now);
            assert!(!record.note(&one, Verdict::Error, now), "it is out already");
            let nearly = one.base * times;
            assert!(record.is_out(now + nearly.mul_f64(0.99)));
            assert!(!record.is_out(now + one.base * times));
            now += one.base * times;
        }
        for _ in 0..5 {
            now += one.interval;
            assert!(!record.note(&one, Verdict::Good, now));
        }
        assert!(record.note(&one, Verdict::Error, now));
        record.leave_out(&one, now);
        assert!(!record.is_out(now + one.base), "as long as the first time");
    }

    #[test]
    fn not_too_many_at_once_and_not_when_too_few_are_left() {
        assert!(may_leave_out(&rules(), 0, 2) && !may_leave_out(&rules(), 1, 2));
        let tenth = Ejection {
            max_percent: 10,
            ..rules()
        };
        assert!(may_leave_out(&tenth, 0, 3), "one always may");
        assert!(!may_leave_out(&tenth, 0, 1), "but not the only one");
        let panic = Ejection {
            min_healthy_percent: 50,
            ..rules()
        };
        assert!(is_panic(&panic, 4, 10) && !is_panic(&panic, 5, 10));
        assert!(!is_panic(&rules(), 0, 10), "switched off");
    }

    proptest! {
        /// However endpoints fail, no more are out at once than may be, and none for ever.
        #[test]
        fn never_too_many_and_never_for_ever(
            max_percent in 1u32..=100,
            steps in proptest::collection::vec((0usize..7, 0u64..20_000, 0u8..3), 1..300),
        ) {
            let rules = Ejection {
                consecutive_errors: 2,
                error_percent: 60,
                min_requests: 5,
                max_percent,
                ..rules()
            };
            let records: Vec<Record> = (0..7).map(|_| Record::default()).collect();
            let mut now = Instant::now();
            let most = (7 * max_percent as usize / 100).max(1);
            for (which, millis, verdict) in steps {
                now += Duration::from_millis(millis);
                let verdict = [Verdict::Good, Verdict::Error, Verdict::Gateway][usize::from(verdict)];
                let out = records.iter().filter(|r| r.is_out(now)).count();
                if records[which].note(&rules, verdict, now) && may_leave_out(&rules, out, 7) {
                    records[which].leave_out(&rules, now);
                    prop_assert!(records[which].is_out(now));
                    prop_assert!(!records[which].is_out(now + LONGEST));
                }
                prop_assert!(records.iter().filter(|r| r.is_out(now)).count() <= most);
            }
        }
    }
}
