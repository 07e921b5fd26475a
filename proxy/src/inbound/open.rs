//! Connections that a change of configuration may end: plaintext ones when their port becomes strict, those of bytes when
//! a policy now refuses them. Requests need no such thing, for each is asked about itself.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use tokio::sync::oneshot;

use super::{
    Arrival, NOT_STRICT,
    policy::{self, DENIED},
};
use crate::{
    config::{Inbound, MtlsMode},
    worker::Worker,
};

/// One worker's.
#[derive(Default)]
pub struct Open {
    entries: RefCell<HashMap<u64, Entry>>,
    next: Cell<u64>,
    /// The configuration that all of them were last held against.
    seen: RefCell<Option<Arc<Inbound>>>,
}

struct Entry {
    arrival: Arrival,
    /// Only bytes are seen of it.
    bytes: bool,
    end: oneshot::Sender<&'static str>,
}

/// Keeps a connection on the list for as long as it lives.
pub struct Held {
    worker: Rc<Worker>,
    id: u64,
    end: oneshot::Receiver<&'static str>,
}

impl Open {
    pub fn enter(worker: &Rc<Worker>, arrival: &Arrival, bytes: bool) -> Held {
        let open = &worker.inbound.open;
        let id = open.next.get();
        open.next.set(id + 1);
        let (sender, end) = oneshot::channel();
        let entry = Entry {
            arrival: arrival.clone(),
            bytes,
            end: sender,
        };
        open.entries.borrow_mut().insert(id, entry);
        Held {
            worker: worker.clone(),
            id,
            end,
        }
    }

    pub fn review(&self, worker: &Worker) {
        let inbound = worker.shared.directory.inbound();
        let Some(inbound) = &*inbound else { return };
        let before = self.seen.replace(Some(inbound.clone()));
        if before.is_some_and(|before| Arc::ptr_eq(&before, inbound)) {
            return;
        }
        let reason = |entry: &Entry| {
            let Entry { arrival, bytes, .. } = entry;
            if arrival.caller.is_none() && inbound.mtls(arrival.app.port()) == MtlsMode::Strict {
                return Some(NOT_STRICT);
            }
            (*bytes && !policy::still_admits(inbound, arrival)).then_some(DENIED)
        };
        let mut entries = self.entries.borrow_mut();
        let ending: Vec<_> = entries
            .iter()
            .filter_map(|(id, entry)| Some((*id, reason(entry)?)))
            .collect();
        for (id, reason) in ending {
            if let Some(entry) = entries.remove(&id) {
                tracing::info!(
                    from = %entry.arrival.from, port = entry.arrival.app.port(), reason,
                    "a connection is ended that would not be let in any more"
                );
                // Its end may be under way already.
                let _ = entry.end.send(reason);
            }
        }
    }
}

impl Held {
    /// Why the connection must end, once it must.
    pub async fn ended(&mut self) -> &'static str {
        match (&mut self.end).await {
            Ok(reason) => reason,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.worker.inbound.open.entries.borrow_mut().remove(&self.id);
    }
}
