//! For tests: a caller that remembers which interim answer it has heard last.

use std::cell::Cell;

use http::{HeaderMap, StatusCode};

use super::Interim;

#[derive(Default)]
pub struct Heard(Cell<u16>);

impl Heard {
    pub fn last(&self) -> u16 {
        self.0.get()
    }
}

impl Interim for Heard {
    fn send(&self, status: StatusCode, _: &HeaderMap) {
        self.0.set(status.as_u16());
    }
}
