//! Calls of a pod to itself, by way of its own Service: no sidecar stands between, but its policies do, as they would in
//! front of any other pod of the same Service.

use std::{net::SocketAddr, rc::Rc};

use http::request::Parts;

use super::{
    Arrival,
    open::{Held, Open, What},
    policy,
};
use crate::{
    authorization::Caller,
    config::{Protocol, RequestView},
    exchange::Response,
    worker::Worker,
};

fn arrival(worker: &Worker, app: SocketAddr) -> Arrival {
    let settings = &worker.shared.settings;
    Arrival {
        app,
        from: settings.pod_ip,
        who: Some(Caller::from(&settings.identity)),
        caller: Some(settings.identity.clone()),
        named: None,
        server_name: None,
        hint: Protocol::Detect,
    }
}

fn is_open(worker: &Worker) -> bool {
    let inbound = worker.shared.directory.inbound();
    let free = |i: &crate::config::Inbound| {
        i.authorization.is_empty() && i.rate_limits.is_empty() && i.tokens.is_empty()
    };
    inbound.as_deref().is_some_and(free)
}

/// Makes a request's head what the app is to see; or it is the answer to one that is not to reach the app.
pub fn refuses_request(worker: &Worker, app: SocketAddr, head: &mut Parts, grpc: bool) -> Option<Response> {
    if is_open(worker) {
        return None;
    }
    let ruling = policy::of_request(worker, &arrival(worker, app), RequestView::of(head));
    if let Some(token) = ruling.token {
        token.apply(&mut head.headers);
    }
    ruling.refusal.map(|refusal| refusal.response(grpc))
}

/// Why a connection of bytes is not to reach the app.
pub fn refuses_bytes(worker: &Worker, app: SocketAddr) -> Option<&'static str> {
    if is_open(worker) {
        return None;
    }
    let arrival = arrival(worker, app);
    let refusal = policy::of_bytes(worker, &arrival).refusal;
    let refusal = refusal.or_else(|| policy::limit_of_bytes(worker, &arrival)?.refusal);
    refusal.map(policy::Refusal::reason)
}

/// Keeps an eye on a connection of bytes, for as long as it lives.
pub fn hold_bytes(worker: &Rc<Worker>, app: SocketAddr) -> Held {
    Open::enter(worker, &arrival(worker, app), What::Bytes)
}

/// The same for what a request has opened.
pub fn hold_tunnel(worker: &Rc<Worker>, app: SocketAddr, head: Box<Parts>) -> Held {
    Open::enter(worker, &arrival(worker, app), What::Tunnel(head))
}
