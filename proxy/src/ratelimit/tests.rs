use http::{HeaderMap, Method, Uri};
use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn limit(change: impl FnOnce(&mut wire::RateLimit)) -> RateLimit {
    let mut limit = wire::RateLimit {
        source: "ratelimit/shop/web".into(),
        requests: 10,
        interval_ms: 1000,
        ..Default::default()
    };
    change(&mut limit);
    limit.try_into().unwrap()
}

fn admitted(limit: &RateLimit, caller: &str, now: u64, tries: usize) -> usize {
    let (method, uri, headers) = (Method::GET, Uri::from_static("/"), HeaderMap::new());
    let view = RequestView {
        method: &method,
        uri: &uri,
        headers: &headers,
    };
    (0..tries)
        .filter(|_| limit.admit(Some(&view), caller, now).is_ok())
        .count()
}

#[test]
fn a_burst_then_the_rate() {
    let limit = limit(|_| {});
    assert_eq!(admitted(&limit, "a", 5 * SECOND, 50), 10);
    assert_eq!(admitted(&limit, "b", 5 * SECOND, 50), 0, "all callers share");
    assert_eq!(admitted(&limit, "a", 5 * SECOND + SECOND / 2, 50), 5);
    assert_eq!(
        admitted(&limit, "a", 500 * SECOND, 50),
        10,
        "it does not overflow"
    );
}

#[test]
fn the_refused_learn_how_long_to_wait() {
    let bucket = Bucket::default();
    let rate = Rate::new(2, Duration::from_secs(1), 1).unwrap();
    assert_eq!(bucket.take(rate, 0), Ok(()));
    assert_eq!(bucket.take(rate, 0), Err(Duration::from_millis(500)));
    assert_eq!(bucket.take(rate, SECOND / 2), Ok(()));
}

#[test]
fn callers_for_themselves_in_bounded_memory() {
    let limit = limit(|l| l.per_caller = true);
    assert_eq!(admitted(&limit, "a", 0, 50), 10);
    assert_eq!(admitted(&limit, "b", 0, 50), 10);
    for n in 0..2 * MOST_CALLERS {
        admitted(&limit, &format!("caller-{n}"), 0, 1);
    }
    let held = |limit: &RateLimit| limit.callers.as_ref().unwrap().lock().unwrap().len();
    assert_eq!(held(&limit), MOST_CALLERS);
    admitted(&limit, "late", 10 * SECOND, 1);
    assert_eq!(held(&limit), 1, "full buckets are forgotten");
}

#[test]
fn a_change_of_something_else_does_not_refill() {
    let old = limit(|_| {});
    assert_eq!(admitted(&old, "a", SECOND, 10), 10);
    let mut same = limit(|_| {});
    same.inherit(&mut vec![&old]);
    assert_eq!(admitted(&same, "a", SECOND, 10), 0);
    let mut other = limit(|l| l.requests = 20);
    other.inherit(&mut vec![&old]);
    assert_eq!(admitted(&other, "a", SECOND, 50), 20);
}

#[test]
fn impossible_rates_are_rejected() {
    for (requests, interval_ms) in [(0, 1000), (1, 0)] {
        let limit = wire::RateLimit {
            requests,
            interval_ms,
            ..Default::default()
        };
        assert!(RateLimit::try_from(limit).is_err());
    }
}

proptest! {
    /// In any run of requests, no more pass than the burst and what the rate gives in that time.
    #[test]
    fn never_more_than_promised(
        requests in 1u64..50,
        burst in 1u64..20,
        gaps in proptest::collection::vec(0u64..200_000_000, 1..200),
    ) {
        let rate = Rate::new(requests, Duration::from_secs(1), burst).unwrap();
        let bucket = Bucket::default();
        let (mut now, mut passed) = (SECOND, 0);
        for gap in gaps {
            now += gap;
            passed += u64::from(bucket.take(rate, now).is_ok());
        }
        prop_assert!(passed <= burst + (now - SECOND) / rate.cost + 1);
        prop_assert!(passed >= 1);
    }
}
