//! One request of the app's, from its head to the end of its answer.
//!
//! The order is fixed: route, cross-origin preflight, fault, redirect or direct answer, then on to an endpoint
//! ([`forward`]). Every way out passes [`Call::finish`], so that every request is counted once.

mod forward;
mod retry;

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, StatusCode, Version, header, request::Parts};
use tokio::net::TcpStream;

use super::{
    Followed, Member, Prepared,
    cors::{self, Grant, Looked},
    deadline, redirect,
};
use crate::{
    access_log::Entry,
    balance::gauge::Permit,
    buffered::Buffered,
    config::{AccessLog, RequestView, Route},
    connections::Link,
    exchange::{
        Body, ERROR_HEADER, GRPC_DEADLINE, Observer, Outcome, Request, Response, codec, codec::Http,
        error_response, grpc_response, grpc_status_of, is_grpc,
    },
    inbound,
    metrics::{Edge, Judge, Line, Live, Protocol, Recorder, is_long},
    trace::{self, Span},
    worker::Worker,
};

/// A connection of the app's.
struct Caller {
    worker: Rc<Worker>,
    followed: Rc<Followed>,
    from: IpAddr,
}

pub async fn serve(worker: Rc<Worker>, followed: Rc<Followed>, stream: Buffered<TcpStream>, http: Http) {
    let drain = worker.drain.clone();
    let from = stream.get_ref().peer_addr().ok();
    let caller = Rc::new(Caller {
        worker,
        followed,
        from: from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip().to_canonical()),
    });
    let handle = move |request: Request| {
        let caller = caller.clone();
        async move { call(&caller, request).await }
    };
    if let Err(error) = codec::serve(stream, codec::Protocol::App(http), drain, handle).await {
        tracing::debug!(%error, "the app's connection ended");
    }
}

/// What is known of a request on its whole way.
struct Call<'a> {
    worker: &'a Rc<Worker>,
    prepared: Rc<Prepared>,
    from: IpAddr,
    began: Instant,
    /// As the app sent it; its answer must be of the same.
    version: Version,
    grpc: bool,
    protocol: Protocol,
    sent: Rc<Cell<u64>>,
    injected: bool,
    deadline: Option<Instant>,
    /// What the answer shall carry for pages of another origin.
    grant: Option<Grant>,
    /// A cookie that brings the next request to the same endpoint.
    cookie: RefCell<Option<HeaderValue>>,
    /// What is counted as under way until the answer has ended.
    permits: RefCell<Vec<Permit>>,
    /// Where the bytes of a long exchange are counted while it goes on.
    live: RefCell<Option<Rc<Live>>>,
    /// Who wants to know how the answer ends.
    judge: RefCell<Option<Judge>>,
    retries: Cell<u32>,
    mirrored: Cell<u32>,
    log: Option<AccessLog>,
    span: Option<Span>,
    entry: Option<RefCell<Entry>>,
    /// Where it is now, should its caller leave: route, backend and endpoint.
    at: RefCell<(usize, Option<usize>, Option<Rc<Member>>)>,
    finished: Cell<bool>,
}

/// A caller that leaves before there is an answer is counted, too: else a service too slow for its callers would seem
/// to have none.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.finished.get() {
            return;
        }
        let (route, backend, member) = self.at.take();
        let leg = Leg {
            route,
            backend,
            member: member.as_deref(),
        };
        let line = self.line(leg, None);
        let mut recorder = self.recorder(self.edge(leg), StatusCode::OK, None, line);
        recorder.ended(Outcome::Abandoned, 0);
    }
}

/// Where an exchange was going, for its counters.
#[derive(Clone, Copy)]
struct Leg<'a> {
    route: usize,
    backend: Option<usize>,
    member: Option<&'a Member>,
}

impl Leg<'_> {
    fn nowhere(route: usize) -> Self {
        Self {
            route,
            backend: None,
            member: None,
        }
    }
}

async fn call(caller: &Caller, request: Request) -> Response {
    let began = Instant::now();
    let worker = &caller.worker;
    let grpc = is_grpc(request.headers());
    let prepared = match caller.followed.now(worker).await {
        Ok(prepared) => prepared,
        Err(no) => {
            worker.shard.event("refused", no.reason());
            return error_response(StatusCode::SERVICE_UNAVAILABLE, no.reason(), grpc);
        }
    };
    let version = request.version();
    let protocol = match version {
        Version::HTTP_2 if grpc => Protocol::Grpc,
        Version::HTTP_2 => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let mut call = Call {
        worker,
        prepared,
        from: caller.from,
        began,
        version,
        grpc,
        protocol,
        sent: Rc::default(),
        injected: false,
        deadline: None,
        grant: None,
        cookie: RefCell::default(),
        permits: RefCell::default(),
        live: RefCell::default(),
        judge: RefCell::default(),
        retries: Cell::new(0),
        mirrored: Cell::new(0),
        log: worker.shared.access_log(),
        span: None,
        entry: None,
        at: RefCell::default(),
        finished: Cell::new(false),
    };
    let (mut parts, body) = request.into_parts();
    call.span = trace::begin(&mut parts.headers, &worker.shared.directory.behaviour());
    if call.log.is_some() || call.span.is_some() {
        let mut entry = Entry::default();
        entry.describe(&parts);
        call.entry = Some(RefCell::new(entry));
    }
    let body = body.counted(call.sent.clone());

    let index = call.route(&parts);
    call.at.get_mut().0 = index;
    let prepared = call.prepared.clone();
    let allowed = deadline::asked(&parts.headers).filter(|_| grpc);
    call.deadline = allowed.map(|t| began + t);
    let Some(route) = prepared.route(index) else {
        if prepared.pod.is_some() {
            return call.forward(&Route::default(), index, None, parts, body).await;
        }
        return call.local(index, StatusCode::NOT_FOUND, "no-route");
    };
    let limits = [route.request_timeout, allowed];
    call.deadline = limits.into_iter().flatten().min().map(|t| began + t);
    if let Some(rules) = &route.cors {
        match cors::look(rules, &parts) {
            Looked::Nothing => {}
            Looked::Allowed(grant) => call.grant = Some(grant),
            Looked::Preflight(answer) => return call.finish(Leg::nowhere(index), answer, &Link::default()),
        }
    }
    if let Some(answer) = call.fault(route, index, &parts).await {
        return answer;
    }
    let direct = route
        .redirect
        .as_ref()
        .map(|r| redirect::answer(r, &parts))
        .or_else(|| {
            let direct = route.direct_response.as_ref()?;
            let mut answer = Response::new(Body::full(direct.body.clone()));
            *answer.status_mut() = direct.status;
            Some(answer)
        });
    if let Some(mut answer) = direct {
        route.response_headers.apply(answer.headers_mut());
        return call.finish(Leg::nowhere(index), answer, &Link::default());
    }
    let backend = prepared
        .routes
        .get(index)
        .and_then(|r| r.shares.borrow_mut().next_index());
    call.forward(route, index, backend, parts, body).await
}

impl Call<'_> {
    /// The first route that takes the request; beyond the last when none does.
    fn route(&self, parts: &Parts) -> usize {
        let view = RequestView::of(parts);
        let mut index = 0;
        while let Some(route) = self.prepared.route(index) {
            if route.applies(&view) {
                break;
            }
            index += 1;
        }
        index
    }

    async fn fault(&mut self, route: &Route, index: usize, parts: &Parts) -> Option<Response> {
        let fault = route.fault.as_ref()?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64);
        let injection = fault.decide(&RequestView::of(parts), now, |below| fastrand::u32(..below));
        self.injected = injection.delay.is_some() || injection.abort;
        if let Some(delay) = injection.delay {
            let until = self
                .deadline
                .map_or(self.began + delay, |d| d.min(self.began + delay));
            tokio::time::sleep_until(until.into()).await;
            if self.deadline.is_some_and(|d| Instant::now() >= d) {
                return Some(self.local(index, StatusCode::GATEWAY_TIMEOUT, "timeout"));
            }
        }
        if !injection.abort {
            return None;
        }
        let answer = match fault.abort_grpc {
            Some(status) => grpc_response(status, "fault-injected"),
            None => error_response(fault.abort_status, "fault-injected", self.grpc),
        };
        Some(self.finish(Leg::nowhere(index), answer, &Link::default()))
    }

    /// An answer of our own.
    fn local(&self, index: usize, status: StatusCode, reason: &'static str) -> Response {
        self.failure(Leg::nowhere(index), status, reason)
    }

    fn failure(&self, leg: Leg<'_>, status: StatusCode, reason: &'static str) -> Response {
        let answer = if self.grpc && reason == "timeout" {
            grpc_response(GRPC_DEADLINE, reason)
        } else {
            error_response(status, reason, self.grpc)
        };
        self.failed(leg, answer)
    }

    fn failed(&self, leg: Leg<'_>, answer: Response) -> Response {
        // Of an endpoint that does not answer it is still known how it is reached.
        let link = leg.member.and_then(|m| m.connections.link()).unwrap_or_default();
        self.finish(leg, answer, &link)
    }

    fn edge(&self, leg: Leg<'_>) -> Rc<Edge> {
        self.prepared
            .edge(self.worker, leg.route, leg.backend, leg.member, self.protocol)
    }

    /// The only way out: makes the answer fit for the app, and sees that the exchange is counted.
    fn finish(&self, leg: Leg<'_>, mut response: Response, link: &Link) -> Response {
        self.finished.set(true);
        *response.version_mut() = self.version;
        if let Some(grant) = &self.grant {
            grant.apply(response.headers_mut());
        }
        if let Some(cookie) = self.cookie.take() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let reason = response.headers().get(ERROR_HEADER).map(HeaderValue::as_bytes);
        let said = |word: &str| reason == Some(word.as_bytes());
        let (denied, rate_limited) = (said(inbound::DENIED), said(inbound::RATE_LIMITED));
        let line = self.line(leg, reason);
        let edge = self.edge(leg);
        edge.count(|c| c.mirrored += u64::from(self.mirrored.take()));
        let over = http_body::Body::is_end_stream(response.body());
        if is_long(response.headers(), over) {
            self.watch(&edge);
        }
        if let Some(live) = &*self.live.borrow() {
            response = response.map(|body| body.counted(live.received()));
        }
        let grpc = grpc_status_of(response.headers());
        let recorder = Recorder {
            denied,
            rate_limited,
            tls: link.tls.clone(),
            ..self.recorder(edge, response.status(), grpc, line)
        };
        response.map(|body| body.observed(Box::new(recorder)))
    }

    fn recorder(
        &self,
        edge: Rc<Edge>,
        status: StatusCode,
        grpc: Option<u32>,
        line: Option<Box<Line>>,
    ) -> Recorder {
        Recorder {
            edge,
            status,
            grpc: self.grpc.then_some(grpc),
            injected: self.injected,
            latency: self.began.elapsed(),
            sent: self.sent.clone(),
            tls: None,
            denied: false,
            rate_limited: false,
            live: self.live.take(),
            judge: self.judge.take(),
            line,
            held: self.permits.take(),
        }
    }

    /// Has the exchange counted while it goes on.
    fn watch(&self, edge: &Rc<Edge>) {
        let begin = || self.worker.shard.lives.begin(edge.clone(), self.sent.clone());
        self.live.borrow_mut().get_or_insert_with(begin);
    }

    fn line(&self, leg: Leg<'_>, reason: Option<&[u8]>) -> Option<Box<Line>> {
        let mut entry = self.entry.as_ref()?.take();
        entry.direction = "outbound";
        entry.protocol = self.protocol.name();
        entry.caller = self.worker.shared.settings.identity.to_string();
        entry.destination = self.prepared.describe();
        if let Some(route) = self.prepared.routes.get(leg.route) {
            entry.route.clone_from(&route.name);
            entry.backend = leg
                .backend
                .and_then(|b| route.backend_name(b))
                .unwrap_or_default()
                .into();
        }
        entry.upstream = leg
            .member
            .map(|m| m.endpoint.address.to_string())
            .unwrap_or_default();
        entry.reason = reason
            .map(|r| String::from_utf8_lossy(r).into_owned())
            .unwrap_or_default();
        entry.retries = self.retries.get();
        Some(Box::new(Line {
            shared: self.worker.shared.clone(),
            log: self.log,
            span: self.span,
            began: self.began,
            entry,
        }))
    }
}

/// A route that was accepted does to a request what it says, whatever the request; nothing of it is too much.
#[cfg(any(test, fuzzing))]
pub fn check_route(route: &Route, parts: &Parts) {
    let view = RequestView::of(parts);
    let _ = route.applies(&view);
    if let Some(fault) = &route.fault {
        let injection = fault.decide(&view, 0, |below| below - 1);
        assert!(!injection.abort || fault.abort_per_million >= 1_000_000);
    }
    if let Some(redirect) = &route.redirect {
        let answer = redirect::answer(redirect, parts);
        assert!(answer.headers().contains_key(header::LOCATION) || answer.status().is_client_error());
    }
    if let Some(rules) = &route.cors {
        cors::look(rules, parts);
    }
    let mut changed = crate::connections::copy_head(parts);
    for weighted in &route.backends {
        let (uri, headers) = (&mut changed.uri, &mut changed.headers);
        weighted.request_headers.apply_to_request(uri, headers);
        weighted.response_headers.apply(&mut changed.headers);
    }
    if let Some(rewrite) = &route.rewrite {
        rewrite.apply(&mut changed.uri, &mut changed.headers);
    }
    assert_eq!(changed.uri.authority().is_some(), parts.uri.authority().is_some());
    let mut shares = crate::balance::Shares::new(route.backends.iter().map(|b| b.weight));
    for _ in 0..8 {
        let chosen = shares.next_index();
        let weights = || route.backends.iter().map(|b| b.weight);
        assert_eq!(chosen.is_some(), weights().any(|w| w > 0));
    }
}
