//! The plain port: is it alive, is it ready, what has it counted.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Bytes, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// What has still to happen before this replica may be called.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeSet<&'static str>>>);

impl Readiness {
    pub fn waiting_for(reasons: &[&'static str]) -> Self {
        Self(Arc::new(Mutex::new(reasons.iter().copied().collect())))
    }

    pub fn done(&self, reason: &'static str) {
        if self.lock().remove(reason) {
            tracing::info!("ready: {reason}");
        }
    }

    /// Turns new callers away, as the first step of stopping.
    pub fn stopping(&self) {
        self.lock().insert("stopping");
    }

    pub fn missing(&self) -> Vec<&'static str> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves `/live`, `/ready` and `/metrics` for as long as the process lives.
pub async fn serve(listener: TcpListener, readiness: Readiness, metrics: Arc<Metrics>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (readiness, metrics) = (readiness.clone(), metrics.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let response = answer(request.uri().path(), &readiness, &metrics);
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(path: &str, readiness: &Readiness, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/live" => (StatusCode::OK, "ok\n".to_owned()),
        "/ready" => {
            let missing = readiness.missing();
            if missing.is_empty() {
                (StatusCode::OK, "ok\n".to_owned())
            } else {
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("waiting for: {}\n", missing.join(", ")),
                )
            }
        }
        "/metrics" => (StatusCode::OK, metrics.text()),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_only_when_nothing_is_missing() {
        let (readiness, metrics) = (
            Readiness::waiting_for(&["identity", "caches"]),
            Metrics::default(),
        );
        let status = |path| answer(path, &readiness, &metrics).status();
        assert_eq!(status("/live"), 200);
        assert_eq!(status("/ready"), 503);
        readiness.done("identity");
        assert_eq!(status("/ready"), 503);
        readiness.done("caches");
        assert_eq!(status("/ready"), 200);
        readiness.stopping();
        assert_eq!(status("/ready"), 503);
        assert_eq!(status("/nothing"), 404);
    }
}
