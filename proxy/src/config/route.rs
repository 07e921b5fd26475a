//! What happens to a request: which route takes it, what that changes, how it may be tried again.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use mesh_api::wire;

use super::{
    ConfigError, HeaderChanges, RequestMatch, RequestView, Rewrite, bad, headers::PathChange, list, maybe,
    millis, port, some, status, text::Text,
};

#[derive(Debug, Default)]
pub struct Route {
    pub name: String,
    pub matches: Vec<RequestMatch>,
    pub fault: Option<Fault>,
    pub redirect: Option<Redirect>,
    pub direct_response: Option<DirectResponse>,
    pub request_headers: HeaderChanges,
    pub response_headers: HeaderChanges,
    pub rewrite: Option<Rewrite>,
    pub backends: Vec<WeightedBackend>,
    pub request_timeout: Option<Duration>,
    pub backend_timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub mirrors: Vec<Mirror>,
    pub cors: Option<Cors>,
    /// Between two frames of a body, either way.
    pub idle_timeout: Option<Duration>,
}

impl Route {
    pub fn applies(&self, request: &RequestView<'_>) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|m| m.matches(request))
    }
}

#[derive(Debug)]
pub struct Fault {
    pub source: String,
    pub delay_per_million: u32,
    pub delay: Duration,
    pub abort_per_million: u32,
    pub abort_status: StatusCode,
    /// Set: answer with this gRPC status instead.
    pub abort_grpc: Option<u32>,
    /// Unix milliseconds; 0 is never.
    pub expires_at_ms: i64,
    pub matches: Vec<RequestMatch>,
}

/// What a fault does to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Injection {
    pub delay: Option<Duration>,
    pub abort: bool,
}

impl Fault {
    /// Decides for one request. `dice` gives a number below its argument.
    pub fn decide(
        &self,
        request: &RequestView<'_>,
        now_ms: i64,
        mut dice: impl FnMut(u32) -> u32,
    ) -> Injection {
        let expired = self.expires_at_ms != 0 && now_ms >= self.expires_at_ms;
        if expired || !(self.matches.is_empty() || self.matches.iter().any(|m| m.matches(request))) {
            return Injection::default();
        }
        let mut hit = |per_million: u32| per_million > 0 && dice(1_000_000) < per_million;
        Injection {
            delay: hit(self.delay_per_million).then_some(self.delay),
            abort: hit(self.abort_per_million),
        }
    }
}

#[derive(Debug)]
pub struct Redirect {
    pub status: StatusCode,
    pub scheme: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub path: Option<PathChange>,
}

#[derive(Debug)]
pub struct DirectResponse {
    pub status: StatusCode,
    pub body: String,
}

#[derive(Debug)]
pub struct WeightedBackend {
    /// Resource name; empty answers 500.
    pub name: String,
    pub weight: u32,
    pub request_headers: HeaderChanges,
    pub response_headers: HeaderChanges,
}

#[derive(Debug)]
pub struct Retry {
    pub attempts: u32,
    pub statuses: Vec<u16>,
    pub on_connect_failure: bool,
    pub on_reset: bool,
    pub grpc_statuses: Vec<u32>,
    pub per_try_timeout: Option<Duration>,
    pub backoff: Duration,
    pub on_server_error: bool,
    pub on_gateway_error: bool,
    pub on_retriable_4xx: bool,
}

/// A share of the requests goes here as well.
#[derive(Debug)]
pub struct Mirror {
    pub backend: String,
    pub per_million: u32,
}

/// What pages of other origins may ask for.
#[derive(Debug)]
pub struct Cors {
    pub allow_origins: Vec<Text>,
    /// Empty where there is nothing to say, `*` for whatever is asked for.
    pub allow_methods: Option<HeaderValue>,
    pub allow_headers: Option<HeaderValue>,
    pub expose_headers: Option<HeaderValue>,
    pub max_age: Option<HeaderValue>,
    pub allow_credentials: bool,
    pub forward_unmatched_preflights: bool,
}

impl TryFrom<wire::Route> for Route {
    type Error = ConfigError;

    fn try_from(r: wire::Route) -> Result<Self, ConfigError> {
        let context = |e: ConfigError| ConfigError(format!("route {}: {}", r.name, e.0));
        Ok(Self {
            matches: list(r.matches).map_err(context)?,
            fault: maybe(r.fault).map_err(context)?,
            redirect: maybe(r.redirect).map_err(context)?,
            direct_response: maybe(r.direct_response).map_err(context)?,
            request_headers: r
                .request_headers
                .unwrap_or_default()
                .try_into()
                .map_err(context)?,
            response_headers: r
                .response_headers
                .unwrap_or_default()
                .try_into()
                .map_err(context)?,
            rewrite: maybe(r.rewrite).map_err(context)?,
            backends: list(r.backends).map_err(context)?,
            request_timeout: millis(r.request_timeout_ms),
            backend_timeout: millis(r.backend_timeout_ms),
            retry: r.retry.map(Retry::from),
            mirrors: r.mirrors.into_iter().map(Mirror::from).collect(),
            cors: maybe(r.cors).map_err(context)?,
            idle_timeout: millis(r.idle_timeout_ms),
            name: r.name,
        })
    }
}

impl TryFrom<wire::Fault> for Fault {
    type Error = ConfigError;

    fn try_from(f: wire::Fault) -> Result<Self, ConfigError> {
        let aborts_with_http = f.abort_per_million > 0 && !f.abort_grpc;
        Ok(Self {
            abort_status: if aborts_with_http {
                status(f.abort_http_status, "fault")?
            } else {
                StatusCode::OK
            },
            abort_grpc: f.abort_grpc.then_some(f.abort_grpc_status),
            source: f.source,
            delay_per_million: f.delay_per_million,
            delay: Duration::from_millis(f.delay_ms),
            abort_per_million: f.abort_per_million,
            expires_at_ms: f.expires_at_ms,
            matches: list(f.matches)?,
        })
    }
}

impl TryFrom<wire::Redirect> for Redirect {
    type Error = ConfigError;

    fn try_from(r: wire::Redirect) -> Result<Self, ConfigError> {
        Ok(Self {
            status: status(if r.status == 0 { 302 } else { r.status }, "redirect")?,
            scheme: some(r.scheme),
            host: some(r.host),
            port: Some(port(r.port)?).filter(|p| *p != 0),
            path: PathChange::new(r.replace_path, r.replace_prefix, r.prefix),
        })
    }
}

impl TryFrom<wire::DirectResponse> for DirectResponse {
    type Error = ConfigError;

    fn try_from(d: wire::DirectResponse) -> Result<Self, ConfigError> {
        Ok(Self {
            status: status(d.status, "direct response")?,
            body: d.body,
        })
    }
}

impl TryFrom<wire::WeightedBackend> for WeightedBackend {
    type Error = ConfigError;

    fn try_from(b: wire::WeightedBackend) -> Result<Self, ConfigError> {
        Ok(Self {
            name: b.backend,
            weight: b.weight,
            request_headers: b.request_headers.unwrap_or_default().try_into()?,
            response_headers: b.response_headers.unwrap_or_default().try_into()?,
        })
    }
}

impl From<wire::Retry> for Retry {
    fn from(r: wire::Retry) -> Self {
        Self {
            attempts: r.attempts.min(10),
            statuses: r
                .statuses
                .into_iter()
                .filter_map(|s| u16::try_from(s).ok())
                .collect(),
            on_connect_failure: r.on_connect_failure,
            on_reset: r.on_reset,
            grpc_statuses: r.grpc_statuses,
            per_try_timeout: millis(r.per_try_timeout_ms),
            backoff: millis(r.backoff_ms).unwrap_or(Duration::from_millis(25)),
            on_server_error: r.on_server_error,
            on_gateway_error: r.on_gateway_error,
            on_retriable_4xx: r.on_retriable_4xx,
        }
    }
}

impl From<wire::Mirror> for Mirror {
    fn from(m: wire::Mirror) -> Self {
        Self {
            backend: m.backend,
            per_million: m.per_million,
        }
    }
}

impl TryFrom<wire::Cors> for Cors {
    type Error = ConfigError;

    fn try_from(c: wire::Cors) -> Result<Self, ConfigError> {
        let joined = |list: &[String], what: &str| {
            if list.is_empty() {
                return Ok(None);
            }
            HeaderValue::from_str(&list.join(", "))
                .map(Some)
                .or_else(|_| bad(format!("cors: {what} {list:?}")))
        };
        Ok(Self {
            allow_origins: list(c.allow_origins)?,
            allow_methods: joined(&c.allow_methods, "methods")?,
            allow_headers: joined(&c.allow_headers, "headers")?,
            expose_headers: joined(&c.expose_headers, "exposed headers")?,
            max_age: (c.max_age_seconds > 0).then(|| HeaderValue::from(c.max_age_seconds)),
            allow_credentials: c.allow_credentials,
            forward_unmatched_preflights: c.forward_unmatched_preflights,
        })
    }
}
