//! One request of the app's, from its head to the end of its answer.
//!
//! The order is fixed: route, fault, redirect or direct answer, header changes and rewrite, backend by its share,
//! endpoint by the balancer, attempt, perhaps another attempt, answer. Every way out passes [`Call::finish`], so
//! that every request is counted once.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, StatusCode, Version, request::Parts};
use mesh_api::names;
use tokio::net::TcpStream;

use super::{Followed, Member, Prepared, redirect};
use crate::{
    config::{RequestView, Retry, Route},
    connections::{Link, Way, copy_head, is_idempotent},
    exchange::{
        Body, ERROR_HEADER, Error, Request, Response, Side, codec,
        codec::Http,
        error_response, grpc_response, grpc_status_of, is_grpc,
        translate::{self, ORIGINAL_VERSION},
        upgrade,
    },
    inbound,
    metrics::{Edge, Protocol, Recorder},
    sniff::Prefixed,
    worker::Worker,
};

/// Other endpoints tried when one cannot be reached; nothing was sent to it, so this is safe for every request.
const RECONNECTS: u32 = 2;

/// A connection of the app's.
struct Caller {
    worker: Rc<Worker>,
    followed: Rc<Followed>,
}

pub async fn serve(worker: Rc<Worker>, followed: Rc<Followed>, stream: Prefixed<TcpStream>, http: Http) {
    let drain = worker.drain.clone();
    let caller = Rc::new(Caller { worker, followed });
    let handle = move |request: Request| {
        let caller = caller.clone();
        async move { call(&caller, request).await }
    };
    if let Err(error) = codec::serve(stream, http, drain, handle).await {
        tracing::debug!(%error, "the app's connection ended");
    }
}

/// What is known of a request on its whole way.
struct Call<'a> {
    worker: &'a Worker,
    prepared: Rc<Prepared>,
    began: Instant,
    /// As the app sent it; its answer must be of the same.
    version: Version,
    grpc: bool,
    protocol: Protocol,
    sent: Rc<Cell<u64>>,
    injected: bool,
    deadline: Option<Instant>,
}

/// Where an exchange was going, for its counters.
#[derive(Clone, Copy)]
struct Leg<'a> {
    route: usize,
    backend: Option<usize>,
    member: Option<&'a Member>,
}

async fn call(caller: &Caller, mut request: Request) -> Response {
    let began = Instant::now();
    let grpc = is_grpc(request.headers());
    let prepared = match caller.followed.now(&caller.worker).await {
        Ok(prepared) => prepared,
        Err(no) => {
            caller.worker.shard.event("refused", no.reason());
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
        worker: &caller.worker,
        prepared,
        began,
        version,
        grpc,
        protocol,
        sent: Rc::default(),
        injected: false,
        deadline: None,
    };
    let upgrade = upgrade::asked_for(version, request.headers())
        .map(|wanted| (wanted, hyper::upgrade::on(&mut request)));
    let (mut parts, body) = request.into_parts();
    translate::strip_internal(&mut parts.headers);
    let body = body.counted(call.sent.clone());

    let index = call.route(&parts);
    let prepared = call.prepared.clone();
    let Some(route) = prepared.route(index) else {
        if prepared.pod.is_some() {
            return call
                .forward(&Route::default(), index, None, parts, body, upgrade)
                .await;
        }
        return call.local(index, StatusCode::NOT_FOUND, "no-route");
    };
    call.deadline = route.request_timeout.map(|t| began + t);
    if let Some(answer) = call.fault(route, index, &parts).await {
        return answer;
    }
    if let Some(redirect) = &route.redirect {
        let mut answer = redirect::answer(redirect, &parts);
        route.response_headers.apply(answer.headers_mut());
        return call.finish(
            Leg {
                route: index,
                backend: None,
                member: None,
            },
            answer,
            &Link::default(),
        );
    }
    if let Some(direct) = &route.direct_response {
        let mut answer = Response::new(Body::full(direct.body.clone()));
        *answer.status_mut() = direct.status;
        route.response_headers.apply(answer.headers_mut());
        return call.finish(
            Leg {
                route: index,
                backend: None,
                member: None,
            },
            answer,
            &Link::default(),
        );
    }
    let backend = prepared
        .routes
        .get(index)
        .and_then(|r| r.shares.borrow_mut().next_index());
    call.forward(route, index, backend, parts, body, upgrade).await
}

impl Call<'_> {
    /// The first route that takes the request; beyond the last when none does.
    fn route(&self, parts: &Parts) -> usize {
        let view = RequestView {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
        };
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
        let view = RequestView {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64);
        let injection = fault.decide(&view, now, |below| fastrand::u32(..below));
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
        Some(self.finish(
            Leg {
                route: index,
                backend: None,
                member: None,
            },
            answer,
            &Link::default(),
        ))
    }

    /// Sends the request on, to one endpoint or, where that is safe, to several.
    async fn forward(
        &self,
        route: &Route,
        index: usize,
        backend: Option<usize>,
        mut parts: Parts,
        body: Body,
        upgrade: Option<(HeaderValue, hyper::upgrade::OnUpgrade)>,
    ) -> Response {
        let weighted = backend.and_then(|b| route.backends.get(b));
        let balanced = backend.and_then(|b| self.prepared.routes.get(index)?.backends.get(b)?.clone());
        if self.prepared.pod.is_none() && balanced.is_none() {
            return self.local(index, StatusCode::INTERNAL_SERVER_ERROR, "no-backend");
        }
        route.request_headers.apply(&mut parts.headers);
        if let Some(weighted) = weighted {
            weighted.request_headers.apply(&mut parts.headers);
        }
        if let Some(rewrite) = &route.rewrite {
            rewrite.apply(&mut parts.uri, &mut parts.headers);
        }
        let retry = route.retry.as_ref().filter(|_| upgrade.is_none());
        let bodyless = http_body::Body::is_end_stream(&body);
        let repeatable = bodyless && (retry.is_some() || is_idempotent(&parts.method)) && upgrade.is_none();
        let original = repeatable.then(|| copy_head(&parts));
        let mut next = Some((parts, body));
        let mut tried = Vec::new();
        let (mut reconnects, mut retries) = (RECONNECTS, retry.map_or(0, |r| r.attempts));
        loop {
            let member = match (&self.prepared.pod, &balanced) {
                (Some(pod), _) => Some(pod.clone()),
                (None, Some(balanced)) => balanced.pick(self.worker, &tried),
                (None, None) => None,
            };
            let Some(member) = member else {
                return self.local(index, StatusCode::SERVICE_UNAVAILABLE, "no-endpoint");
            };
            tried.push(member.id());
            let leg = Leg {
                route: index,
                backend,
                member: Some(&member),
            };
            let pending = Pending::new(&member);
            let limits = [route.backend_timeout, retry.and_then(|r| r.per_try_timeout)];
            let deadline = limits
                .into_iter()
                .flatten()
                .map(|t| Instant::now() + t)
                .chain(self.deadline)
                .min();
            let tried_now = self.attempt(
                &member,
                &mut next,
                original.as_ref(),
                upgrade.as_ref().map(|u| &u.0),
            );
            let result = match deadline {
                None => tried_now.await,
                Some(at) => tokio::time::timeout_at(at.into(), tried_now)
                    .await
                    .unwrap_or_else(|_| Err(Error::new(Side::Server, "timeout"))),
            };
            let out_of_time = self.deadline.is_some_and(|d| Instant::now() >= d);
            match result {
                Ok((response, link)) => {
                    pending.answered();
                    let wanted = retry.is_some_and(|r| r.wants(&response, self.grpc));
                    if wanted && retries > 0 && !out_of_time && again(&mut next, original.as_ref()) {
                        retries -= 1;
                        self.pause(retry).await;
                        continue;
                    }
                    return self.answer(route, leg, response, &link, deadline, upgrade.map(|u| u.1));
                }
                Err(error) => {
                    pending.failed();
                    let whole = next.is_some() && error.unsent;
                    if whole && reconnects > 0 && !out_of_time {
                        // The same endpoint again would be no different, unless it is the only one.
                        reconnects -= 1;
                        if tried.iter().filter(|id| **id == member.id()).count() == 1 {
                            continue;
                        }
                    }
                    let wanted = retry.is_some_and(|r| {
                        if error.unsent {
                            r.on_connect_failure || r.on_reset
                        } else {
                            r.on_reset
                        }
                    });
                    if wanted && retries > 0 && !out_of_time && again(&mut next, original.as_ref()) {
                        retries -= 1;
                        self.pause(retry).await;
                        continue;
                    }
                    tracing::debug!(address = %member.endpoint.address, %error, "a request failed");
                    let answer = error_response(error.status(), error.reason, self.grpc);
                    return self.finish(leg, answer, &Link::default());
                }
            }
        }
    }

    async fn pause(&self, retry: Option<&Retry>) {
        if let Some(retry) = retry {
            tokio::time::sleep(retry.backoff.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// One attempt at one endpoint. Takes the request out of `next` only once there is a connection for it.
    async fn attempt(
        &self,
        member: &Member,
        next: &mut Option<(Parts, Body)>,
        original: Option<&Parts>,
        upgrade: Option<&HeaderValue>,
    ) -> Result<(Response, Rc<Link>), Error> {
        let connections = &member.connections;
        let meshed = matches!(connections.way(), Way::Mesh(_));
        let http = if meshed || self.version == Version::HTTP_2 {
            Http::Two
        } else {
            Http::One
        };
        let ready = connections.ready(http).await?;
        let Some((mut parts, body)) = next.take() else {
            return Err(Error::new(Side::Client, "no-request"));
        };
        self.dress(&mut parts, connections.way(), http, upgrade);
        let spare = original
            .filter(|head| is_idempotent(&head.method))
            .map(|_| copy_head(&parts));
        connections
            .send(ready, Request::from_parts(parts, body), spare.as_ref())
            .await
    }

    /// Puts a head into the form the next hop needs.
    fn dress(&self, parts: &mut Parts, way: &Way, http: Http, upgrade: Option<&HeaderValue>) {
        match http {
            Http::Two => translate::to_http2(parts, self.prepared.destination),
            Http::One => {
                translate::to_http1(parts);
                if let Some(wanted) = upgrade {
                    upgrade::ask(&mut parts.headers, wanted);
                }
            }
        }
        match way {
            Way::Mesh(_) if self.version != Version::HTTP_2 => {
                parts
                    .headers
                    .insert(ORIGINAL_VERSION, HeaderValue::from_static("1.1"));
                if let Some(wanted) = upgrade {
                    upgrade::to_connect(parts, wanted);
                }
            }
            Way::Own => {
                // No sidecar in between will say who calls: we are both.
                let own = self.worker.shared.settings.identity.to_string();
                if let Ok(value) = HeaderValue::from_str(&own) {
                    parts.headers.insert(names::CLIENT_IDENTITY_HEADER, value);
                }
            }
            Way::Mesh(_) | Way::Plain => {}
        }
    }

    /// An endpoint's answer, on its way to the app.
    fn answer(
        &self,
        route: &Route,
        leg: Leg<'_>,
        mut response: Response,
        link: &Link,
        deadline: Option<Instant>,
        near: Option<hyper::upgrade::OnUpgrade>,
    ) -> Response {
        let meshed = leg
            .member
            .is_some_and(|m| matches!(m.connections.way(), Way::Mesh(_)));
        if near.is_some() && meshed {
            upgrade::answer_from_mesh(&mut response);
        }
        if let Some(near) = near.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) {
            let edge = self.edge(leg);
            upgrade::join(near, &mut response, move |up, down| {
                edge.count(|c| {
                    c.bytes_sent += up;
                    c.bytes_received += down;
                });
            });
            *response.body_mut() = Body::empty();
        } else {
            translate::strip_hop_by_hop(response.headers_mut());
        }
        if let Some(weighted) = leg.backend.and_then(|b| route.backends.get(b)) {
            weighted.response_headers.apply(response.headers_mut());
        }
        route.response_headers.apply(response.headers_mut());
        let response = response.map(|body| body.until(deadline.map(Into::into)));
        self.finish(leg, response, link)
    }

    /// An answer of our own.
    fn local(&self, index: usize, status: StatusCode, reason: &'static str) -> Response {
        let answer = error_response(status, reason, self.grpc);
        self.finish(
            Leg {
                route: index,
                backend: None,
                member: None,
            },
            answer,
            &Link::default(),
        )
    }

    fn edge(&self, leg: Leg<'_>) -> Rc<Edge> {
        self.prepared
            .edge(self.worker, leg.route, leg.backend, leg.member, self.protocol)
    }

    /// The only way out: makes the answer fit for the app, and sees that the exchange is counted.
    fn finish(&self, leg: Leg<'_>, mut response: Response, link: &Link) -> Response {
        *response.version_mut() = self.version;
        let reason = response.headers().get(ERROR_HEADER).map(HeaderValue::as_bytes);
        let said = |word: &str| reason == Some(word.as_bytes());
        let recorder = Recorder {
            edge: self.edge(leg),
            status: response.status(),
            grpc: self.grpc.then(|| grpc_status_of(response.headers())),
            injected: self.injected,
            latency: self.began.elapsed(),
            sent: self.sent.clone(),
            tls: link.tls.clone(),
            denied: said(inbound::DENIED),
            rate_limited: said(inbound::RATE_LIMITED),
            line: None,
        };
        response.map(|body| body.observed(Box::new(recorder)))
    }
}

impl Retry {
    fn wants(&self, response: &Response, grpc: bool) -> bool {
        if grpc && grpc_status_of(response.headers()).is_some_and(|s| self.grpc_statuses.contains(&s)) {
            return true;
        }
        self.statuses.contains(&response.status().as_u16())
    }
}

/// A request under way at a member; a caller that goes away is no judgement of it.
struct Pending<'a> {
    member: &'a Member,
    began: Instant,
    settled: Cell<bool>,
}

impl<'a> Pending<'a> {
    fn new(member: &'a Member) -> Self {
        member.load.began();
        Self {
            member,
            began: Instant::now(),
            settled: Cell::new(false),
        }
    }

    fn answered(&self) {
        self.settled.set(true);
        let latency: Duration = self.began.elapsed();
        self.member.load.answered(latency, Instant::now());
    }

    fn failed(&self) {
        self.settled.set(true);
        self.member.load.failed(Instant::now());
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.settled.get() {
            self.member.load.abandoned();
        }
    }
}

/// Makes sure there is a request to send again; says whether there is.
fn again(next: &mut Option<(Parts, Body)>, original: Option<&Parts>) -> bool {
    if next.is_none() {
        *next = original.map(|head| (copy_head(head), Body::empty()));
    }
    next.is_some()
}
