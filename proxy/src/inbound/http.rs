//! One request to the app: its caller's identity goes in, spoofed ones go out, HTTP's version becomes the app's.

use std::{cell::Cell, rc::Rc, time::Instant};

use http::{StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Arrival, name_caller,
    open::{Open, What},
    policy::{self, Refusal, Ruling},
};
use crate::{
    access_log::Entry,
    config::{AccessLog, Protocol as Hint, RequestView},
    connections::{copy_head, is_idempotent},
    exchange::{
        ERROR_HEADER, Error, Observer, Outcome, Request, Response, Undelivered, codec, codec::Http,
        failed_response, grpc_status_of, is_grpc,
    },
    metrics::{Line, Protocol, Recorder, is_long},
    trace::{self, Span},
    worker::Worker,
};

pub async fn serve<IO>(worker: Rc<Worker>, stream: IO, spoken: codec::Protocol, arrival: Arrival)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let drain = worker.drain.clone();
    let context = Rc::new((worker, arrival));
    let handle = move |request: Request| {
        let context = context.clone();
        async move {
            let (worker, arrival) = &*context;
            call(worker, arrival, request).await
        }
    };
    if let Err(error) = codec::serve(stream, spoken, drain, handle).await {
        tracing::debug!(%error, "an inbound connection ended");
    }
}

/// What is found out about a call on its way, for whoever counts and logs.
#[derive(Default)]
struct Notes {
    ruling: Ruling,
    sent: Rc<Cell<u64>>,
    span: Option<Span>,
    entry: Option<Entry>,
}

/// A call, counted and logged once: with its answer, or as one whose caller has left before there was any.
struct Call<'a> {
    worker: &'a Worker,
    arrival: &'a Arrival,
    began: Instant,
    protocol: Protocol,
    grpc: bool,
    log: Option<AccessLog>,
    notes: Notes,
    /// Why the app did not answer.
    error: &'static str,
    answered: bool,
}

async fn call(worker: &Rc<Worker>, arrival: &Arrival, request: Request) -> Response {
    let version = request.version();
    let grpc = is_grpc(request.headers());
    let log = worker.shared.access_log();
    let mut call = Call {
        worker,
        arrival,
        began: Instant::now(),
        protocol: match version {
            Version::HTTP_2 if grpc => Protocol::Grpc,
            Version::HTTP_2 => Protocol::Http2,
            _ => Protocol::Http1,
        },
        grpc,
        log,
        notes: Notes {
            entry: log.map(|_| Entry::default()),
            ..Notes::default()
        },
        error: "",
        answered: false,
    };
    let answer = forward(worker, arrival, request, &mut call.notes).await;
    call.answered = true;
    let mut response = answer.unwrap_or_else(|error| {
        tracing::debug!(app = %arrival.app, %error, "the app did not answer");
        call.error = error.reason;
        let mut answer = failed_response(&error, grpc);
        if let Some(undelivered) = Undelivered::of(&error) {
            answer.extensions_mut().insert(undelivered);
        }
        answer
    });
    *response.version_mut() = version;
    let over = http_body::Body::is_end_stream(response.body());
    let Some(mut recorder) = call.recorder(response.status(), grpc_status_of(response.headers())) else {
        return response;
    };
    if arrival.caller.is_none() && is_long(response.headers(), over) {
        let live = worker
            .shard
            .lives
            .begin(recorder.edge.clone(), recorder.sent.clone());
        response = response.map(|body| body.counted(live.received()));
        recorder.live = Some(live);
    }
    response.map(|body| body.observed(Box::new(recorder)))
}

impl Call<'_> {
    /// Who counts it, and logs it where that is wanted; nobody, where both are done elsewhere.
    fn recorder(&mut self, status: StatusCode, grpc_status: Option<u32>) -> Option<Recorder> {
        let is_meshed = self.arrival.caller.is_some();
        if is_meshed && self.notes.entry.is_none() {
            return None;
        }
        let edge = if is_meshed {
            // Counted by the caller's proxy.
            Rc::default()
        } else {
            let (worker, port) = (self.worker, self.arrival.app.port());
            worker.inbound.plaintext(worker, port, self.protocol)
        };
        let refusal = self.notes.ruling.refusal;
        Some(Recorder {
            edge,
            status,
            grpc: self.grpc.then_some(grpc_status),
            injected: false,
            latency: self.began.elapsed(),
            sent: self.notes.sent.clone(),
            tls: None,
            denied: refusal == Some(Refusal::Denied),
            rate_limited: matches!(refusal, Some(Refusal::RateLimited(_))),
            live: None,
            judge: None,
            line: self.line(),
            held: Vec::new(),
        })
    }

    fn line(&mut self) -> Option<Box<Line>> {
        let mut entry = self.notes.entry.take()?;
        entry.direction = "inbound";
        entry.protocol = self.protocol.name();
        let named = self.arrival.named.as_ref().map(|n| n.identity().to_owned());
        entry.caller = named.unwrap_or_else(|| self.arrival.from.to_string());
        entry.destination = self.arrival.app.to_string();
        entry.policy = self.notes.ruling.policy.as_deref().unwrap_or_default().into();
        let refusal = self.notes.ruling.refusal;
        entry.reason = refusal.map_or(self.error, Refusal::reason).into();
        Some(Box::new(Line {
            shared: self.worker.shared.clone(),
            log: self.log,
            span: self.notes.span,
            began: self.began,
            entry,
        }))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.answered
            && let Some(mut recorder) = self.recorder(StatusCode::OK, None)
        {
            recorder.ended(Outcome::Abandoned, 0);
        }
    }
}

async fn forward(
    worker: &Rc<Worker>,
    arrival: &Arrival,
    request: Request,
    notes: &mut Notes,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let body = body.counted(notes.sent.clone());
    let was_http1 = parts.version != Version::HTTP_2;
    name_caller(&mut parts.headers, arrival.named.as_deref());
    notes.span = trace::begin(&mut parts.headers, &worker.shared.directory.behaviour());
    if notes.span.is_some() {
        notes.entry.get_or_insert_default();
    }
    if let Some(entry) = &mut notes.entry {
        entry.describe(&parts);
    }
    // As the app would see it: nothing that was taken out or put in here can get past a policy.
    notes.ruling = policy::of_request(worker, arrival, RequestView::of(&parts));
    if let Some(refusal) = notes.ruling.refusal {
        return Ok(refusal.response(is_grpc(&parts.headers)));
    }
    // gRPC and everything that came as HTTP/2 stays so, unless the app is known (by now) to speak only HTTP/1.
    let http = if was_http1 || speaks_http1(worker, arrival) {
        Http::One
    } else {
        Http::Two
    };
    let bodyless = http_body::Body::is_end_stream(&body);
    let repeatable = bodyless && is_idempotent(&parts.method);
    let opens = body.is_tunnel().then(|| Box::new(copy_head(&parts)));
    // From here on, as policies may change before the app has answered.
    let held = opens.map(|head| Open::enter(worker, arrival, What::Tunnel(head)));
    if let Some(token) = &notes.ruling.token {
        token.apply(&mut parts.headers);
    }
    let asked = Instant::now();
    let app = worker.inbound.app(worker, arrival.app);
    let ready = app.ready(http).await?;
    let request = Request::from_parts(parts, body);
    let sent = app.send(ready, request, repeatable).await;
    let (mut response, _) = sent.map_err(|failed| failed.error)?;
    if arrival.caller.is_some() {
        worker.shard.app_took(asked.elapsed());
    }
    // Reasons are the proxies' own; one that the app passes on from elsewhere would be counted as ours.
    response.headers_mut().remove(ERROR_HEADER);
    Ok(match held.filter(|_| response.body().is_tunnel()) {
        Some(held) => response.map(|body| held.watch(body)),
        None => response,
    })
}

fn speaks_http1(worker: &Worker, arrival: &Arrival) -> bool {
    let inbound = worker.shared.directory.inbound();
    let hint = inbound.as_ref().map(|i| i.protocol(arrival.app.port()));
    hint == Some(Hint::Http1)
}
