//! How much is under way at a backend, against its limits: beyond them a request is refused at once, so that a
//! service that has fallen behind is not buried.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::config::Limits;

/// One worker's figures for one backend.
#[derive(Debug, Default)]
pub struct Gauge {
    requests: Cell<u32>,
    pending: Cell<u32>,
    connections: Cell<u32>,
    retries: Cell<u32>,
    freed: Notify,
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

/// Something that is counted until this is dropped.
#[derive(Debug)]
pub struct Permit {
    gauge: Rc<Gauge>,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Request,
    Pending,
    Connection,
    Retry,
}

impl Gauge {
    fn cell(&self, of: Of) -> &Cell<u32> {
        match of {
            Of::Request => &self.requests,
            Of::Pending => &self.pending,
            Of::Connection => &self.connections,
            Of::Retry => &self.retries,
        }
    }

    fn take(self: &Rc<Self>, of: Of, limit: Option<u32>) -> Result<Permit, Overflow> {
        let cell = self.cell(of);
        if limit.is_some_and(|limit| cell.get() >= limit) {
            return Err(Overflow);
        }
        cell.set(cell.get() + 1);
        Ok(Permit {
            gauge: self.clone(),
            of,
        })
    }

    pub fn request(self: &Rc<Self>, limits: &Limits) -> Result<Permit, Overflow> {
        self.take(Of::Request, limits.requests)
    }

    /// While there is no connection for a request yet.
    pub fn pending(self: &Rc<Self>, limits: &Limits) -> Result<Permit, Overflow> {
        self.take(Of::Pending, limits.pending)
    }

    pub fn connection(self: &Rc<Self>, limits: &Limits) -> Result<Permit, Overflow> {
        self.take(Of::Connection, limits.connections)
    }

    pub fn retry(self: &Rc<Self>, limits: &Limits) -> Result<Permit, Overflow> {
        self.take(Of::Retry, limits.retries)
    }

    /// A connection for an HTTP/1 request, which has it for itself, whatever carries it; waits for one to be freed
    /// where there may be pending requests. `deadline` ends the wait.
    pub async fn exclusive(
        self: &Rc<Self>,
        limits: &Limits,
        deadline: Option<Instant>,
    ) -> Result<Permit, Overflow> {
        let mut waiting = None;
        loop {
            let freed = self.freed.notified();
            if let Ok(permit) = self.connection(limits) {
                return Ok(permit);
            }
            if waiting.is_none() {
                waiting = Some(self.pending(limits)?);
            }
            let until = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(15));
            if tokio::time::timeout_at(until.into(), freed).await.is_err() {
                return Err(Overflow);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let cell = self.gauge.cell(self.of);
        cell.set(cell.get().saturating_sub(1));
        if self.of == Of::Connection {
            self.gauge.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn refuses_beyond_its_limits_and_lets_the_waiting_in_one_by_one() {
        let gauge = Rc::new(Gauge::default());
        let limits = Limits {
            connections: Some(1),
            pending: Some(1),
            requests: Some(2),
            ..Limits::default()
        };
        let (first, _second) = (gauge.request(&limits).unwrap(), gauge.request(&limits).unwrap());
        assert!(gauge.request(&limits).is_err());
        drop(first);
        assert!(gauge.request(&limits).is_ok());
        assert!(gauge.request(&Limits::default()).is_ok(), "no limit");

        let held = gauge.exclusive(&limits, None).await.unwrap();
        let waits = gauge.exclusive(&limits, None);
        let mut waits = std::pin::pin!(waits);
        assert!(
            tokio::time::timeout(Duration::from_millis(1), &mut waits)
                .await
                .is_err(),
            "one may wait"
        );
        assert_eq!(
            gauge.exclusive(&limits, None).await.unwrap_err(),
            Overflow,
            "not two"
        );
        drop(held);
        let held = waits.await.unwrap();
        assert_eq!(gauge.pending.get(), 0);
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(gauge.exclusive(&limits, Some(soon)).await.unwrap_err(), Overflow);
        drop(held);
        assert!(gauge.exclusive(&limits, None).await.is_ok());
    }
}
