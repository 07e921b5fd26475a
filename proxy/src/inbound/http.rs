//! One request to the app: its caller's identity goes in, spoofed ones go out, HTTP's version becomes the app's.

use std::{cell::Cell, rc::Rc, time::Instant};

use http::{HeaderValue, Version};
use mesh_api::names;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Arrival,
    policy::{self, Refusal, Ruling},
};
use crate::{
    access_log::Entry,
    config::{Protocol as Hint, RequestView},
    connections::is_idempotent,
    exchange::{
        Error, Request, Response, Undelivered, codec, codec::Http, error_response, grpc_status_of, is_grpc,
    },
    metrics::{Line, Protocol, Recorder},
    trace,
    worker::Worker,
};

pub async fn serve<IO>(worker: Rc<Worker>, stream: IO, spoken: codec::Protocol, arrival: Arrival)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let drain = worker.drain.clone();
    let identity = arrival
        .caller
        .as_ref()
        .and_then(|id| HeaderValue::from_str(&id.to_string()).ok());
    let context = Rc::new((worker, arrival, identity));
    let handle = move |request: Request| {
        let context = context.clone();
        async move {
            let (worker, arrival, identity) = &*context;
            call(worker, arrival, identity.as_ref(), request).await
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
    entry: Option<Entry>,
}

async fn call(
    worker: &Worker,
    arrival: &Arrival,
    identity: Option<&HeaderValue>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let version = request.version();
    let grpc = is_grpc(request.headers());
    let protocol = match version {
        Version::HTTP_2 if grpc => Protocol::Grpc,
        Version::HTTP_2 => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let log = worker.shared.access_log();
    let mut notes = Notes {
        entry: log.map(|_| Entry::default()),
        ..Notes::default()
    };
    let mut error_reason = "";
    let answer = forward(worker, arrival, identity, request, &mut notes).await;
    let mut response = answer.unwrap_or_else(|error| {
        tracing::debug!(app = %arrival.app, %error, "the app did not answer");
        error_reason = error.reason;
        let mut answer = error_response(error.status(), error.reason, grpc);
        if let Some(undelivered) = Undelivered::of(&error) {
            answer.extensions_mut().insert(undelivered);
        }
        answer
    });
    *response.version_mut() = version;
    if arrival.caller.is_some() && log.is_none() {
        return response;
    }
    let edge = if arrival.caller.is_some() {
        // Counted by the caller's proxy.
        Rc::default()
    } else {
        worker.inbound.plaintext(worker, arrival.app.port(), protocol)
    };
    let refusal = notes.ruling.refusal;
    let line = log.zip(notes.entry).map(|(mode, mut entry)| {
        entry.direction = "inbound";
        entry.protocol = protocol.name();
        entry.caller = identity
            .and_then(|id| id.to_str().ok())
            .map_or_else(|| arrival.from.to_string(), str::to_owned);
        entry.destination = arrival.app.to_string();
        entry.policy = notes.ruling.policy.as_deref().unwrap_or_default().into();
        entry.reason = match refusal {
            Some(refusal) => refusal.reason(),
            None => error_reason,
        }
        .into();
        Box::new(Line {
            shared: worker.shared.clone(),
            mode,
            began,
            entry,
        })
    });
    let recorder = Recorder {
        edge,
        status: response.status(),
        grpc: grpc.then(|| grpc_status_of(response.headers())),
        injected: false,
        latency: began.elapsed(),
        sent: notes.sent,
        tls: None,
        denied: refusal == Some(Refusal::Denied),
        rate_limited: matches!(refusal, Some(Refusal::RateLimited(_))),
        line,
        held: Vec::new(),
    };
    response.map(|body| body.observed(Box::new(recorder)))
}

async fn forward(
    worker: &Worker,
    arrival: &Arrival,
    identity: Option<&HeaderValue>,
    request: Request,
    notes: &mut Notes,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let body = body.counted(notes.sent.clone());
    let was_http1 = parts.version != Version::HTTP_2;
    parts.headers.remove(names::CLIENT_IDENTITY_HEADER);
    if let Some(identity) = identity {
        parts
            .headers
            .insert(names::CLIENT_IDENTITY_HEADER, identity.clone());
    }
    let per_million = worker.shared.directory.behaviour().trace_per_million;
    trace::begin(&mut parts.headers, per_million);
    if let Some(entry) = &mut notes.entry {
        entry.describe(&parts);
    }
    // As the app would see it: nothing that was taken out or put in here can get past a policy.
    notes.ruling = policy::of_request(worker, arrival, RequestView::of(&parts));
    if let Some(refusal) = notes.ruling.refusal {
        return Ok(refusal.response(is_grpc(&parts.headers)));
    }
    // gRPC and everything that came as HTTP/2 stays so, unless the app is known to speak only HTTP/1.
    let http = match arrival.hint {
        Hint::Http1 => Http::One,
        Hint::Http2 | Hint::Grpc if !was_http1 => Http::Two,
        _ if was_http1 => Http::One,
        _ => Http::Two,
    };
    let bodyless = http_body::Body::is_end_stream(&body);
    let repeatable = bodyless && is_idempotent(&parts.method);
    let asked = Instant::now();
    let app = worker.inbound.app(worker, arrival.app);
    let ready = app.ready(http).await?;
    let request = Request::from_parts(parts, body);
    let sent = app.send(ready, request, repeatable).await;
    let (response, _) = sent.map_err(|failed| failed.error)?;
    if arrival.caller.is_some() {
        worker.shard.app_took(asked.elapsed());
    }
    Ok(response)
}
