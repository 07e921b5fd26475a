//! Connections that a change of configuration may end: plaintext ones when their port becomes strict, those of bytes and
//! what an upgrade has opened when a policy now refuses them. Other requests need no such thing, for each is asked about
//! itself.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::request::Parts;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;

use super::{
    Arrival, NOT_STRICT,
    policy::{self, DENIED},
};
use crate::{
    config::{Inbound, MtlsMode, RequestView},
    exchange::{Body, Error, Side},
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
    what: What,
    end: oneshot::Sender<&'static str>,
}

/// What is open.
pub enum What {
    /// A connection that brings requests.
    Requests,
    /// One of which only bytes are seen.
    Bytes,
    /// What such a request has opened: WebSocket, CONNECT.
    Tunnel(Box<Parts>),
}

impl What {
    /// Would it be let in now?
    fn is_admitted(&self, inbound: &Inbound, arrival: &Arrival) -> bool {
        match self {
            Self::Requests => true,
            Self::Bytes => policy::still_admits(inbound, arrival, None),
            Self::Tunnel(head) => policy::still_admits(inbound, arrival, Some(RequestView::of(head))),
        }
    }
}

/// Keeps a connection on the list for as long as it lives.
pub struct Held {
    worker: Rc<Worker>,
    id: u64,
    /// Until it has been told.
    end: Option<oneshot::Receiver<&'static str>>,
}

impl Open {
    pub fn enter(worker: &Rc<Worker>, arrival: &Arrival, what: What) -> Held {
        let open = &worker.inbound.open;
        let id = open.next.get();
        open.next.set(id + 1);
        let (sender, end) = oneshot::channel();
        let entry = Entry {
            arrival: arrival.clone(),
            what,
            end: sender,
        };
        open.entries.borrow_mut().insert(id, entry);
        Held {
            worker: worker.clone(),
            id,
            end: Some(end),
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
            let Entry { arrival, what, .. } = entry;
            if arrival.caller.is_none() && inbound.mtls(arrival.app.port()) == MtlsMode::Strict {
                return Some(NOT_STRICT);
            }
            (!what.is_admitted(inbound, arrival)).then_some(DENIED)
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
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let Some(end) = &mut self.end else {
            return Poll::Pending;
        };
        let Poll::Ready(told) = Pin::new(end).poll(cx) else {
            return Poll::Pending;
        };
        self.end = None;
        told.map_or(Poll::Pending, Poll::Ready)
    }

    /// The bytes that a tunnel brings back, for as long as it may be open.
    pub fn watch(self, body: Body) -> Body {
        Body::wrap(Watched { body, held: self }, Side::Mesh).as_tunnel()
    }
}

struct Watched {
    body: Body,
    held: Held,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(reason) = this.held.poll_ended(cx) {
            // Closes the app's end of it.
            this.body = Body::empty();
            return Poll::Ready(Some(Err(Error::new(Side::Mesh, reason))));
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.worker.inbound.open.entries.borrow_mut().remove(&self.id);
    }
}
