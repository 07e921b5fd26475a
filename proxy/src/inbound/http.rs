//! One request to the app: its caller's identity goes in, spoofed ones go out, HTTP's version becomes the app's.

use std::{cell::Cell, rc::Rc, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Version};
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
        ERROR_HEADER, Error, Request, Response, Undelivered, codec, codec::Http, error_response,
        grpc_status_of, is_grpc,
    },
    metrics::{Line, Protocol, Recorder, is_long},
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
    let over = http_body::Body::is_end_stream(response.body());
    let live = (arrival.caller.is_none() && is_long(response.headers(), over))
        .then(|| worker.shard.lives.begin(edge.clone(), notes.sent.clone()));
    if let Some(live) = &live {
        response = response.map(|body| body.counted(live.received()));
    }
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
        live,
        judge: None,
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
    name_caller(&mut parts.headers, identity);
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
    // gRPC and everything that came as HTTP/2 stays so, unless the app is known (by now) to speak only HTTP/1.
    let http = if was_http1 || speaks_http1(worker, arrival) {
        Http::One
    } else {
        Http::Two
    };
    let bodyless = http_body::Body::is_end_stream(&body);
    let repeatable = bodyless && is_idempotent(&parts.method);
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
    Ok(response)
}

fn speaks_http1(worker: &Worker, arrival: &Arrival) -> bool {
    let inbound = worker.shared.directory.inbound();
    let hint = inbound.as_ref().map(|i| i.protocol(arrival.app.port()));
    hint == Some(Hint::Http1)
}

/// Says who calls, and takes out what says so falsely: also with underscores, which many apps take for hyphens.
pub fn name_caller(headers: &mut HeaderMap, identity: Option<&HeaderValue>) {
    let own = names::CLIENT_IDENTITY_HEADER.as_bytes();
    let disguised = |name: &HeaderName| {
        let name = name.as_str().as_bytes();
        let same = |(a, b): (&u8, &u8)| a == b || (*a == b'_' && *b == b'-');
        name.len() == own.len() && name.contains(&b'_') && name.iter().zip(own).all(same)
    };
    while let Some(name) = headers.keys().find(|name| disguised(name)).cloned() {
        headers.remove(name);
    }
    match identity {
        Some(identity) => headers.insert(names::CLIENT_IDENTITY_HEADER, identity.clone()),
        None => headers.remove(names::CLIENT_IDENTITY_HEADER),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_says_who_they_are_but_we() {
        let mut spoofed = HeaderMap::new();
        for name in [
            "x-meshctl-client-identity",
            "x_meshctl_client_identity",
            "x-meshctl_client-identity",
            "x-meshctl-client-identitx",
            "x-user",
        ] {
            spoofed.append(name, HeaderValue::from_static("bank"));
            spoofed.append(name, HeaderValue::from_static("king"));
        }
        let own = HeaderValue::from_static("client");
        let mut named = spoofed.clone();
        name_caller(&mut named, Some(&own));
        assert_eq!(
            named
                .get_all("x-meshctl-client-identity")
                .iter()
                .collect::<Vec<_>>(),
            [&own]
        );
        assert_eq!(named.len(), 5, "{named:?}");
        name_caller(&mut spoofed, None);
        assert_eq!(spoofed.len(), 4, "{spoofed:?}");
    }
}
