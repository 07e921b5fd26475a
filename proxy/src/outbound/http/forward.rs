//! A request on its way to an endpoint: limits, copies, attempts, and the answer's way back.

use std::{
    cell::Cell,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderValue, StatusCode, Uri, Version, header, request::Parts, uri::Scheme};

use super::{
    Call, Leg,
    retry::{judge, judge_grpc, patience_asked},
};
use crate::{
    backoff::Backoff,
    balance::{
        ejection::Verdict,
        gauge::{Overflow, Permit},
    },
    config::{Limits, Retry, Route},
    connections::{Link, Ready, Way, copy_head, is_idempotent},
    exchange::{Body, Error, Outcome, Request, Response, Side, codec::Http, failed_response},
    inbound::{hold_tunnel, name_caller, name_nobody, refuses_request},
    metrics::{Judge, is_long},
    outbound::{Member, affinity, balanced::Balanced, balanced::Team, deadline, idle, replay::Replay},
};

/// Attempts made again by ourselves where that is safe, as when an endpoint ends or has not quite begun.
const HEALS: u32 = 3;
/// The first wait before the only endpoint is tried again: its successor may be about to be known. It triples.
const HEAL_WAIT: Duration = Duration::from_millis(20);
/// The wait between attempts grows to this many times the first.
const LONGEST_WAIT: u32 = 10;

/// A request that was to come back later waits for no longer than this.
const LONGEST_ASKED: Duration = Duration::from_secs(5);

/// A request that may have to be sent again.
struct Outgoing {
    next: Option<(Parts, Body)>,
    original: Option<Parts>,
    replay: Option<Replay>,
    bodyless: bool,
    /// May be sent once more where it is not known whether it arrived.
    repeatable: bool,
    /// Copies of the body go to mirrors, too.
    mirrored: bool,
}

impl Outgoing {
    /// Makes sure there is a request to send again; says whether there is.
    fn again(&mut self) -> bool {
        if self.next.is_some() {
            return true;
        }
        let Some(head) = self.original.as_ref().map(copy_head) else {
            return false;
        };
        let body = match &self.replay {
            None if self.bodyless => Some(Body::empty()),
            None => None,
            Some(replay) => replay.reader(),
        };
        self.next = body.map(|body| (head, body));
        self.next.is_some()
    }

    /// There will be no more attempts, so nothing is kept for them.
    fn settle(&self) {
        if let Some(replay) = self.replay.as_ref().filter(|_| !self.mirrored) {
            replay.settle();
        }
    }
}

/// Attempts that nobody has asked for, left for one request.
struct Heal {
    left: u32,
    wait: Duration,
}

impl Heal {
    /// May the request be sent again, and after which wait? What did not reach an app, always; what may be repeated,
    /// to another endpoint. The only endpoint is tried again where a moment may make the difference.
    fn after(&mut self, error: &Error, repeatable: bool, others: bool) -> Option<Duration> {
        let cut = error.reason == "reset" && error.side != Side::Client;
        let safe = error.unsent || (repeatable && cut && others);
        let passing = cut || error.reason == "connect-failed";
        if !safe || !(others || passing) || self.left == 0 {
            return None;
        }
        self.left -= 1;
        if others {
            return Some(Duration::ZERO);
        }
        let wait = self.wait;
        self.wait = wait * 3;
        Some(wait)
    }
}

impl Call<'_> {
    /// Sends the request on, to one endpoint or, where that is safe, to several.
    pub(super) async fn forward(
        &self,
        route: &Route,
        index: usize,
        backend: Option<usize>,
        mut parts: Parts,
        body: Body,
    ) -> Response {
        let weighted = backend.and_then(|b| route.backends.get(b));
        let balanced = backend.and_then(|b| self.prepared.routes.get(index)?.backends.get(b)?.clone());
        if self.prepared.pod.is_none() && balanced.is_none() {
            return self.local(index, StatusCode::INTERNAL_SERVER_ERROR, "no-backend");
        }
        let nowhere = Leg {
            route: index,
            backend,
            member: None,
        };
        let team = balanced.as_ref().and_then(|b| b.team(self.worker));
        let limits = team.as_ref().map(|t| t.limits.clone()).unwrap_or_default();
        if let Some(balanced) = &balanced {
            balanced.budget.deposit(self.began);
            if self.admit(balanced, &limits).await.is_err() {
                return self.overflow(nowhere);
            }
        }
        let changes = weighted.map(|w| &w.request_headers);
        for changes in std::iter::once(&route.request_headers).chain(changes) {
            changes.apply_to_request(&mut parts.uri, &mut parts.headers);
        }
        if let Some(rewrite) = &route.rewrite {
            rewrite.apply(&mut parts.uri, &mut parts.headers);
        }
        let key = self.affinity(team.as_deref(), &parts);
        let retry = route.retry.as_ref().filter(|_| !body.is_tunnel());
        let body = idle::limit(body, route.idle_timeout, Side::Client);
        let long = is_long(&parts.headers, http_body::Body::is_end_stream(&body));
        let mut outgoing = self.outgoing(index, retry, parts, body);
        let mut tried = Vec::new();
        let mut heal = Heal {
            left: HEALS,
            wait: HEAL_WAIT,
        };
        let mut retries = retry.map_or(0, |r| r.attempts);
        let mut backoff = retry.map(|r| Backoff::new(r.backoff, r.backoff * LONGEST_WAIT));
        let mut retrying: Option<Permit> = None;
        loop {
            let team = balanced.as_ref().and_then(|b| b.team(self.worker));
            let member = match (&self.prepared.pod, &balanced, &team) {
                (Some(pod), ..) => Some(pod.clone()),
                (None, Some(balanced), Some(team)) => balanced.pick(team, &tried, key),
                _ => None,
            };
            let Some(member) = member else {
                return self.failure(nowhere, StatusCode::SERVICE_UNAVAILABLE, "no-endpoint");
            };
            tried.push(member.id());
            *self.at.borrow_mut() = (index, backend, Some(member.clone()));
            let leg = Leg {
                member: Some(&member),
                ..nowhere
            };
            if long {
                self.watch(&self.edge(leg));
            }
            let pending = Pending::new(&member);
            let per_try = [route.backend_timeout, retry.and_then(|r| r.per_try_timeout)];
            let deadline = per_try
                .into_iter()
                .flatten()
                .map(|t| Instant::now() + t)
                .chain(self.deadline)
                .min();
            let result = {
                // Pinned where it is made: it is too large to be moved about for every request.
                let mut attempt =
                    pin!(self.attempt(&member, balanced.as_deref(), &limits, &mut outgoing, deadline));
                match deadline {
                    None => attempt.await,
                    Some(at) => tokio::time::timeout_at(at.into(), attempt.as_mut())
                        .await
                        .unwrap_or_else(|_| Err(Error::new(Side::Server, "timeout"))),
                }
            };
            let out_of_time = self.deadline.is_some_and(|d| Instant::now() >= d);
            let verdict = match &result {
                Ok((response, _)) => judge(response, self.grpc),
                Err(error) => blame(error),
            };
            if let (Some(team), Some(verdict)) = (&team, verdict)
                && team.note(&member, verdict)
            {
                self.edge(leg).count(|c| c.ejections += 1);
            }
            let wanted = match &result {
                Ok((response, _)) => {
                    pending.answered();
                    retry.is_some_and(|r| r.wants(response, self.grpc))
                }
                Err(error) if error.reason == "overflow" => return self.overflow(leg),
                Err(error) => {
                    pending.failed();
                    let others = team.as_ref().is_some_and(|t| t.has_other_than(&tried));
                    if !out_of_time
                        && let Some(wait) = heal.after(error, outgoing.repeatable, others)
                        && outgoing.again()
                    {
                        self.worker.shard.event("sent-again", error.reason);
                        if !wait.is_zero() {
                            self.pause(wait).await;
                        }
                        continue;
                    }
                    retry.is_some_and(|r| r.wants_error(error, self.grpc))
                }
            };
            drop(pending);
            // Who says when to come back is not asked again before.
            let asked = result
                .as_ref()
                .ok()
                .and_then(|(response, _)| patience_asked(response));
            let wanted = wanted && asked.is_none_or(|wait| self.may_wait(wait));
            if wanted
                && retries > 0
                && !out_of_time
                && outgoing.again()
                && let Some(permit) = self.may_retry(balanced.as_deref(), team.as_deref(), &limits)
            {
                retries -= 1;
                drop(std::mem::replace(&mut retrying, permit));
                self.retries.set(self.retries.get() + 1);
                self.edge(leg).count(|c| c.retries += 1);
                // An answer that is not wanted gives its connection back before the wait.
                drop(result);
                if let Some(backoff) = &mut backoff {
                    self.pause(backoff.next_wait().max(asked.unwrap_or_default()))
                        .await;
                }
                continue;
            }
            match result {
                Ok((response, link)) => {
                    outgoing.settle();
                    if let Some(team) = team {
                        self.judge
                            .replace(judge_later(team, member.clone(), &response, verdict));
                    }
                    let response = response.map(|b| idle::limit(b, route.idle_timeout, Side::Server));
                    return self.answer(route, leg, response, &link, deadline);
                }
                Err(error) => {
                    tracing::debug!(address = %member.endpoint.address, %error, "a request failed");
                    return self.failed(leg, failed_response(&error, self.grpc));
                }
            }
        }
    }

    /// Waits, but never beyond the request's time.
    async fn pause(&self, wait: Duration) {
        let until = tokio::time::Instant::now() + wait;
        tokio::time::sleep_until(self.deadline.map_or(until, |d| until.min(d.into()))).await;
    }

    fn may_wait(&self, wait: Duration) -> bool {
        wait <= LONGEST_ASKED && self.deadline.is_none_or(|d| Instant::now() + wait < d)
    }

    /// Takes the places that the request needs until its answer has ended.
    async fn admit(&self, balanced: &Balanced, limits: &Limits) -> Result<(), Overflow> {
        let request = balanced.gauge.request(limits)?;
        self.permits.borrow_mut().push(request);
        if limits.connections.is_some() && self.version != Version::HTTP_2 {
            let connection = balanced.gauge.exclusive(limits, self.deadline).await?;
            self.permits.borrow_mut().push(connection);
        }
        Ok(())
    }

    fn overflow(&self, leg: Leg<'_>) -> Response {
        self.edge(leg).count(|c| c.refused += 1);
        self.failure(leg, StatusCode::SERVICE_UNAVAILABLE, "overflow")
    }

    fn affinity(&self, team: Option<&Team>, parts: &Parts) -> Option<u64> {
        let wanted = team?.backend.hash.as_ref()?;
        let found = affinity::of(wanted, parts, self.from);
        *self.cookie.borrow_mut() = found.cookie;
        found.key
    }

    /// Makes the request ready to be sent, perhaps more than once, and sends the copies that are asked for.
    fn outgoing(&self, index: usize, retry: Option<&Retry>, parts: Parts, body: Body) -> Outgoing {
        let upgrades = body.is_tunnel();
        let bodyless = http_body::Body::is_end_stream(&body);
        let mirrors: Vec<_> = self
            .prepared
            .routes
            .get(index)
            .into_iter()
            .flat_map(|r| &r.mirrors)
            .filter(|(_, share)| !upgrades && fastrand::u32(..1_000_000) < *share)
            .collect();
        let retries = retry.is_some_and(|r| r.attempts > 0);
        // Without a body a request that failed comes back whole, so that no copy is needed.
        let replayable = !upgrades && (retries || !bodyless);
        let mirrored = !mirrors.is_empty();
        let (body, replay) = if !bodyless && (replayable || mirrored) {
            let interim = body.interim();
            let replay = Replay::new(body);
            let reader = replay.reader().unwrap_or_else(Body::empty);
            (reader.answered_to(interim), Some(replay))
        } else {
            (body, None)
        };
        for (mirror, _) in mirrors {
            if self.mirror(mirror, &parts, replay.clone()) {
                self.mirrored.set(self.mirrored.get() + 1);
            }
        }
        Outgoing {
            original: replayable.then(|| copy_head(&parts)),
            repeatable: bodyless && is_idempotent(&parts.method) && !upgrades,
            next: Some((parts, body)),
            replay,
            bodyless,
            mirrored,
        }
    }

    fn mirror(&self, mirror: &Balanced, parts: &Parts, body: Option<Replay>) -> bool {
        let member = mirror
            .team(self.worker)
            .and_then(|team| mirror.pick(&team, &[], None));
        let Some(member) = member else { return false };
        let http = self.http(&member);
        let mut head = copy_head(parts);
        self.dress(&mut head, member.connections.way(), None);
        self.worker.outbound.mirrors.send(member, http, head, body)
    }

    /// A place among the retries under way, if the budget has one; the inner `None` is for pods, which have none.
    fn may_retry(
        &self,
        balanced: Option<&Balanced>,
        team: Option<&Team>,
        limits: &Limits,
    ) -> Option<Option<Permit>> {
        let (Some(balanced), Some(team)) = (balanced, team) else {
            return Some(None);
        };
        let permit = balanced.gauge.retry(limits).ok()?;
        if balanced
            .budget
            .withdraw(team.backend.retry_budget, Instant::now())
        {
            return Some(Some(permit));
        }
        self.worker.shard.event("retry-refused", "budget");
        None
    }

    fn http(&self, member: &Member) -> Http {
        let meshed = matches!(member.connections.way(), Way::Mesh(_));
        if meshed || self.version == Version::HTTP_2 {
            Http::Two
        } else {
            Http::One
        }
    }

    /// One attempt at one endpoint. Takes the request out of `outgoing` only once there is a connection for it.
    async fn attempt(
        &self,
        member: &Member,
        balanced: Option<&Balanced>,
        limits: &Limits,
        outgoing: &mut Outgoing,
        deadline: Option<Instant>,
    ) -> Result<(Response, Rc<Link>), Error> {
        let connections = &member.connections;
        let http = self.http(member);
        let ready = {
            let waiting = balanced.map(|b| b.gauge.pending(limits)).transpose();
            let Ok(_waiting) = waiting else {
                return Err(Error::new(Side::Mesh, "overflow"));
            };
            ready(member, http, limits).await?
        };
        let Some((mut parts, body)) = outgoing.next.take() else {
            return Err(Error::new(Side::Client, "no-request"));
        };
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        // What our own app is told, another endpoint's sidecar says by itself.
        let before = (*connections.way() == Way::Own).then(|| parts.headers.clone());
        self.dress(&mut parts, connections.way(), left);
        let mut held = None;
        if member.is_own() {
            let app = connections.address();
            let opens = body.is_tunnel().then(|| Box::new(copy_head(&parts)));
            held = opens.map(|head| hold_tunnel(self.worker, app, head));
            if let Some(refusal) = refuses_request(self.worker, app, &mut parts, self.grpc) {
                return Ok((refusal, Rc::default()));
            }
        }
        let request = Request::from_parts(parts, body);
        match connections.send(ready, request, outgoing.repeatable).await {
            Ok((response, link)) => {
                let response = match held.filter(|_| response.body().is_tunnel()) {
                    Some(held) => response.map(|body| held.watch(body)),
                    None => response,
                };
                Ok((response, link))
            }
            Err(failed) => {
                if outgoing.bodyless {
                    outgoing.next = failed.request.map(|request| {
                        let (mut parts, body) = request.into_parts();
                        if let Some(before) = before {
                            parts.headers = before;
                        }
                        (parts, body)
                    });
                }
                Err(failed.error)
            }
        }
    }

    /// What the next hop needs of a head.
    fn dress(&self, parts: &mut Parts, way: &Way, left: Option<Duration>) {
        if parts.uri.authority().is_none()
            && !parts.headers.contains_key(header::HOST)
            && let Ok(host) = HeaderValue::from_str(&self.prepared.destination.to_string())
        {
            parts.headers.insert(header::HOST, host);
        }
        if let Some(left) = left.filter(|_| self.grpc) {
            deadline::shorten(&mut parts.headers, left);
        }
        match way {
            // The called side says who calls.
            Way::Mesh(_) => {}
            Way::Plain => name_nobody(&mut parts.headers),
            Way::Outside(_) => {
                name_nobody(&mut parts.headers);
                secure_scheme(&mut parts.uri);
            }
            // No sidecar in between will: we are both.
            Way::Own => name_caller(&mut parts.headers, self.worker.shared.own_name.as_ref()),
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
    ) -> Response {
        if let Some(weighted) = leg.backend.and_then(|b| route.backends.get(b)) {
            weighted.response_headers.apply(response.headers_mut());
        }
        route.response_headers.apply(response.headers_mut());
        let response = response.map(|body| body.until(deadline.map(Into::into)));
        self.finish(leg, response, link)
    }
}

/// Whoever speaks HTTP/2 says in each request that it is for TLS, which servers may insist on.
fn secure_scheme(uri: &mut Uri) {
    if uri.scheme().is_none() {
        return;
    }
    let mut target = std::mem::take(uri).into_parts();
    target.scheme = Some(Scheme::HTTPS);
    *uri = Uri::from_parts(target).unwrap_or_default();
}

/// Some answers only tell by their end what they are: by a gRPC status in the trailers, or by breaking off.
fn judge_later(
    team: Rc<Team>,
    member: Rc<Member>,
    response: &Response,
    verdict: Option<Verdict>,
) -> Option<Judge> {
    if team.backend.ejection.is_none() || http_body::Body::is_end_stream(response.body()) {
        return None;
    }
    Some(Box::new(move |outcome, grpc| {
        let verdict = match outcome {
            Outcome::Broken | Outcome::TimedOut => Some(Verdict::Gateway),
            Outcome::Complete if verdict.is_none() => Some(judge_grpc(grpc)),
            Outcome::Complete | Outcome::Abandoned => None,
        };
        verdict.is_some_and(|verdict| team.note(&member, verdict))
    }))
}

/// Whether an endpoint is to blame for a failure: not for what our own limits or the caller broke off.
fn blame(error: &Error) -> Option<Verdict> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        let ours = found.downcast_ref::<Error>();
        if ours.is_some_and(|e| e.side == Side::Client || e.reason == "overflow") {
            return None;
        }
        cause = found.source();
    }
    Some(Verdict::Gateway)
}

/// A connection, within the time that limits allow for one.
async fn ready(member: &Member, http: Http, limits: &Limits) -> Result<Ready, Error> {
    match limits.connect_timeout {
        None => member.connections.ready(http).await,
        Some(most) => tokio::time::timeout(most, Box::pin(member.connections.ready(http)))
            .await
            .unwrap_or_else(|_| Err(Error::new(Side::Server, "connect-timeout").unsent())),
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
