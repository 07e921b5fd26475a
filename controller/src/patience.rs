//! How long to wait between attempts.

use std::time::Duration;

/// Doubles from a fifth of a second to five seconds; never gives up. Used where the other end is expected back:
/// the API server, or a kind that is not installed yet.
#[derive(Debug, Default)]
pub struct Patience(u32);

impl Patience {
    pub fn next(&mut self) -> Duration {
        let wait = Duration::from_millis(200 << self.0.min(5)).min(Duration::from_secs(5));
        self.0 += 1;
        wait
    }

    pub fn reset(&mut self) {
        self.0 = 0;
    }
}
