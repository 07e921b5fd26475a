//! What tests of speed share: time that is our own, and not what a busy machine adds to it.

use std::time::Duration;

/// How long a condition is waited for in vain before it is looked at again.
pub const PAUSE: Duration = Duration::from_millis(5);

/// How long it took until a condition held, in time that this thread worked or rested: not time in which others did
/// although it was ready to go on. Everything that is measured must happen on this thread.
pub async fn own_time(worked_before: Duration, condition: impl AsyncFn() -> bool) -> Duration {
    let mut rested = Duration::ZERO;
    while !condition().await {
        tokio::time::sleep(PAUSE).await;
        rested += PAUSE;
        assert!(rested < Duration::from_secs(5), "in vain");
    }
    rested + worked().saturating_sub(worked_before)
}

/// How long this thread has worked so far.
pub fn worked() -> Duration {
    let statistics =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("statistics of the thread");
    let worked = statistics.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(worked.expect("a number"))
}
