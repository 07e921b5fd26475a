//! The admin port: readiness, metrics, what is configured, and two switches for whoever is inside the pod.

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    config::{Endpoint, Target},
    logging::LogLevel,
    metrics,
    probe::{ProbeError, is_hook},
    worker::Shared,
};

/// What the admin port answers from.
pub struct Admin {
    pub shared: Arc<Shared>,
    pub credentials: mesh_net::tls::Credentials,
    pub trust: mesh_net::tls::Trust,
    pub drain: watch::Sender<bool>,
    pub log_level: LogLevel,
}

pub async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let admin = admin.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let admin = admin.clone();
                async move { admin.answer(request, peer).await }
            });
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10));
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "an admin connection ended");
            }
        });
    }
}

impl Admin {
    /// Identity and first configuration are there.
    pub fn ready(&self) -> Result<(), &'static str> {
        if *self.drain.borrow() {
            Err("draining")
        } else if !self.credentials.is_set() {
            Err("no identity yet")
        } else if self.shared.directory.inbound().is_none() {
            Err("no configuration yet")
        } else {
            Ok(())
        }
    }

    /// An error closes the connection.
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, ProbeError> {
        let settings = &self.shared.settings;
        let from_pod = peer.ip().to_canonical().is_loopback();
        Ok(match (request.method(), request.uri().path()) {
            (&Method::GET, "/live") => text(StatusCode::OK, "live\n"),
            (&Method::GET, "/ready") => match self.ready() {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
            },
            (&Method::GET, "/metrics") => {
                let mut response = text(StatusCode::OK, self.metrics());
                let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            // Who talks to whom is nobody's business but the pod's, and of those who may forward ports to it.
            (&Method::GET, "/config") | (&Method::POST, "/drain" | "/log-level" | "/access-log")
                if !from_pod =>
            {
                text(StatusCode::FORBIDDEN, "only from within the pod\n")
            }
            (&Method::GET, "/config") => {
                let mut response = text(StatusCode::OK, format!("{:#}\n", self.config()));
                let kind = header::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            (&Method::GET, path) if path.starts_with("/probe/") => {
                let name = path.trim_start_matches("/probe/");
                let agent = request.headers().get(header::USER_AGENT);
                match settings.probes.make(name, settings.pod_ip, agent).await {
                    Ok(()) => text(StatusCode::OK, "ok\n"),
                    // Here kubelet looks at no status: only a broken connection tells it that the app was not reached.
                    Err(why) if is_hook(name) && !why.is_answer() => return Err(why),
                    Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("probe {name}: {why}\n")),
                }
            }
            (&Method::POST, "/drain") => {
                self.drain.send_replace(true);
                text(StatusCode::OK, "draining\n")
            }
            (&Method::POST, "/log-level") => {
                match word(request).await.map(|level| self.log_level.set(&level)) {
                    Some(Ok(())) => text(StatusCode::OK, "set\n"),
                    Some(Err(error)) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
                    None => text(StatusCode::BAD_REQUEST, "the body must be a log filter\n"),
                }
            }
            (&Method::POST, "/access-log") => match word(request).await {
                Some(mode) if self.shared.access_log.set(&mode) => text(StatusCode::OK, "set\n"),
                _ => text(
                    StatusCode::BAD_REQUEST,
                    "the body must be one of: off, text, json, configured\n",
                ),
            },
            (_, "/live" | "/ready" | "/metrics" | "/config" | "/drain" | "/log-level" | "/access-log") => {
                text(StatusCode::METHOD_NOT_ALLOWED, "not this method\n")
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "/live /ready /metrics /config /probe/CONTAINER/KIND, POST /drain /log-level /access-log\n",
            ),
        })
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let shared = &self.shared;
        shared
            .metrics
            .prometheus(&mut out, &metrics::own(&shared.settings, &shared.directory));
        let mut single = |name, kind, help, value| metrics::single(&mut out, name, kind, help, value);
        single(
            "control_plane_connected",
            "gauge",
            "Whether configuration is being followed.",
            i64::from(shared.directory.connected.load(Ordering::Relaxed)),
        );
        single(
            "configuration_rejected",
            "gauge",
            "Resources that could not be used; the versions before them are in force.",
            shared.directory.rejected().len() as i64,
        );
        single(
            "access_log_dropped_total",
            "counter",
            "Lines of the access log that nobody read in time.",
            shared.access_sink.0.dropped() as i64,
        );
        let (reported, dropped) = shared.spans.counts();
        single(
            "spans_reported_total",
            "counter",
            "Spans that a collector has taken.",
            reported as i64,
        );
        single(
            "spans_dropped_total",
            "counter",
            "Spans that no collector has taken.",
            dropped as i64,
        );
        single(
            "log_dropped_total",
            "counter",
            "Lines of the proxy's own log that nobody read in time.",
            self.log_level.dropped() as i64,
        );
        single(
            "trust_anchors",
            "gauge",
            "Authorities that the other end of a call may be signed by.",
            self.trust.current().count() as i64,
        );
        if let Some((_, not_after)) = self.credentials.validity() {
            single(
                "certificate_expires_seconds",
                "gauge",
                "When this proxy's certificate ends, in seconds since 1970.",
                not_after,
            );
        }
        out
    }

    /// What is in force. Keys are not part of it.
    fn config(&self) -> Value {
        let directory = &self.shared.directory;
        let settings = &self.shared.settings;
        let inbound = directory.inbound();
        let behaviour = directory.behaviour();
        json!({
            "version": mesh_api::names::VERSION,
            "identity": settings.identity.to_string(),
            "pod": settings.pod,
            "controller": settings.controller,
            "connected": directory.connected.load(Ordering::Relaxed),
            "acknowledged": directory.acknowledged.load(Ordering::Relaxed),
            "certificateNotAfter": self.credentials.validity().map(|(_, not_after)| not_after),
            "inbound": inbound.as_ref().map(|i| json!({
                "workload": i.workload,
                "mtlsSource": i.mtls_source,
                "authorization": i.authorization.names().collect::<Vec<_>>(),
                "rateLimits": i.rate_limits.iter().map(|l| &*l.source).collect::<Vec<_>>(),
                "ports": i.port_modes().map(|(port, mode)| json!({
                    "port": port,
                    "mtls": mode.as_str_name(),
                })).collect::<Vec<_>>(),
            })),
            "behaviour": {
                "accessLog": self.shared.access_log().map_or("OFF", |mode| mode.as_str_name()),
                "tracePerMillion": behaviour.trace_per_million,
                "traceCollector": behaviour.trace_collector,
                "refuseUnknown": behaviour.refuse_unknown,
                "passUndiscovered": behaviour.pass_undiscovered,
            },
            "versions": directory.versions().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "rejected": directory.rejected().into_iter().map(|r| (r.name, r.reason))
                .collect::<std::collections::BTreeMap<_, _>>(),
            "targets": directory.targets().iter().map(|(address, target)| json!({
                "address": address.to_string(),
                "target": target.as_deref().map(describe_target),
            })).collect::<Vec<_>>(),
            "backends": directory.backends().iter().map(|b| json!({
                "name": b.name,
                "balancer": b.balancer.as_str_name(),
                "source": b.source,
                "endpoints": b.endpoints.iter().map(describe_endpoint).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }
}

/// A body of one word.
async fn word(request: Request<Incoming>) -> Option<String> {
    let body = Limited::new(request.into_body(), 1024).collect().await.ok()?;
    let text = String::from_utf8(body.to_bytes().to_vec()).ok()?;
    Some(text.trim().to_owned())
}

fn describe_target(target: &Target) -> Value {
    match target {
        Target::Unknown => json!("unknown"),
        Target::Pod(endpoint) => json!({ "pod": describe_endpoint(endpoint) }),
        Target::Service(s) => json!({
            "service": format!("{}/{}:{}", s.namespace, s.name, s.port),
            "protocol": s.protocol.as_str_name(),
            "routes": s.routes.iter().map(|r| json!({
                "name": r.name,
                "fault": r.fault.as_ref().map(|f| &f.source),
                "backends": r.backends.iter()
                    .map(|b| json!({ "backend": b.name, "weight": b.weight }))
                    .collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }),
    }
}

fn describe_endpoint(endpoint: &Endpoint) -> Value {
    json!({
        "address": endpoint.address.to_string(),
        "identity": endpoint.identity.as_ref().map(ToString::to_string),
        "tls": endpoint.tls.as_ref().map(ToString::to_string),
        "workload": endpoint.workload,
        "pod": endpoint.pod,
    })
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}
