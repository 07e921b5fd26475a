//! Configuration as the workers use it: the wire messages, checked once and turned into immutable values.
//!
//! Whatever can be wrong with a resource is found here, when it arrives; a resource that fails is rejected by name
//! and the one before it stays in force. What is in these types can be used on the request path as it is.

mod headers;
mod matching;
#[cfg(test)]
mod tests;

pub use headers::{HeaderChanges, Rewrite};
pub use matching::{RequestMatch, RequestView};

use std::{net::SocketAddr, time::Duration};

use http::StatusCode;
pub use mesh_api::wire::{Balancer, MtlsMode, Protocol};
use mesh_api::{identity::Identity, wire};

/// Why a resource is rejected; the text goes back to the control plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

pub(crate) fn bad<T>(text: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(text.into()))
}

/// What listens behind one original destination.
#[derive(Debug)]
pub enum Target {
    Service(Service),
    /// A pod called by its own address.
    Pod(Endpoint),
    /// Not of this cluster.
    Unknown,
}

#[derive(Debug)]
pub struct Service {
    pub namespace: String,
    pub name: String,
    pub port: u16,
    pub protocol: Protocol,
    pub routes: Vec<Route>,
}

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
    pub path: Option<headers::PathChange>,
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
}

/// A set of endpoints that share a balancer.
#[derive(Debug)]
pub struct Backend {
    pub name: String,
    pub namespace: String,
    pub service: String,
    pub port: u16,
    pub endpoints: Vec<Endpoint>,
    pub balancer: Balancer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: SocketAddr,
    /// Who must answer; `None` is not meshed.
    pub identity: Option<Identity>,
    pub namespace: String,
    pub workload: String,
    pub pod: String,
}

/// How connections to our own pod are treated.
#[derive(Debug)]
pub struct Inbound {
    pub workload: String,
    mtls: MtlsMode,
    pub mtls_source: String,
    ports: Vec<InboundPort>,
}

#[derive(Debug)]
struct InboundPort {
    port: u16,
    protocol: Protocol,
    mtls: Option<MtlsMode>,
}

impl Inbound {
    pub fn mtls(&self, port: u16) -> MtlsMode {
        self.ports
            .iter()
            .find(|p| p.port == port)
            .and_then(|p| p.mtls)
            .unwrap_or(self.mtls)
    }

    /// The mode of every port that has one of its own, or a protocol.
    pub fn port_modes(&self) -> impl Iterator<Item = (u16, MtlsMode)> + '_ {
        self.ports.iter().map(|p| (p.port, self.mtls(p.port)))
    }

    pub fn protocol(&self, port: u16) -> Protocol {
        self.ports
            .iter()
            .find(|p| p.port == port)
            .map_or(Protocol::Detect, |p| p.protocol)
    }
}

fn millis(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn status(code: u32, what: &str) -> Result<StatusCode, ConfigError> {
    u16::try_from(code)
        .ok()
        .and_then(|c| StatusCode::from_u16(c).ok())
        .filter(|s| s.as_u16() >= 200 && s.as_u16() < 600)
        .map_or_else(|| bad(format!("{what}: {code} is not a final HTTP status")), Ok)
}

fn port(port: u32) -> Result<u16, ConfigError> {
    u16::try_from(port).or_else(|_| bad(format!("{port} is not a port")))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn list<W, T: TryFrom<W, Error = ConfigError>>(wire: Vec<W>) -> Result<Vec<T>, ConfigError> {
    wire.into_iter().map(T::try_from).collect()
}

fn maybe<W, T: TryFrom<W, Error = ConfigError>>(wire: Option<W>) -> Result<Option<T>, ConfigError> {
    wire.map(T::try_from).transpose()
}

impl TryFrom<wire::Target> for Target {
    type Error = ConfigError;

    fn try_from(target: wire::Target) -> Result<Self, ConfigError> {
        match target.kind {
            Some(wire::target::Kind::Service(s)) => Ok(Self::Service(Service {
                protocol: s.protocol(),
                port: port(s.port)?,
                namespace: s.namespace,
                name: s.name,
                routes: list(s.routes)?,
            })),
            Some(wire::target::Kind::Pod(endpoint)) => Ok(Self::Pod(endpoint.try_into()?)),
            Some(wire::target::Kind::Unknown(_)) => Ok(Self::Unknown),
            None => bad("a target of a kind this proxy does not know"),
        }
    }
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
            path: headers::PathChange::new(r.replace_path, r.replace_prefix, r.prefix),
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
        }
    }
}

impl Backend {
    pub fn from_wire(name: &str, b: wire::Backend) -> Result<Self, ConfigError> {
        Ok(Self {
            name: name.to_owned(),
            balancer: b.balancer(),
            port: port(b.port)?,
            namespace: b.namespace,
            service: b.service,
            endpoints: list(b.endpoints)?,
        })
    }
}

impl TryFrom<wire::Endpoint> for Endpoint {
    type Error = ConfigError;

    fn try_from(e: wire::Endpoint) -> Result<Self, ConfigError> {
        let address = e
            .address
            .parse()
            .or_else(|_| bad(format!("endpoint address {:?} is not ip:port", e.address)))?;
        // An identity that does not parse must never turn into "not meshed".
        let identity = match e.identity.as_str() {
            "" => None,
            id => Some(
                id.parse()
                    .map_err(|e| ConfigError(format!("endpoint {address}: {e}")))?,
            ),
        };
        Ok(Self {
            address,
            identity,
            namespace: e.namespace,
            workload: e.workload,
            pod: e.pod,
        })
    }
}

impl TryFrom<wire::Inbound> for Inbound {
    type Error = ConfigError;

    fn try_from(i: wire::Inbound) -> Result<Self, ConfigError> {
        let ports = i
            .ports
            .iter()
            .map(|p| {
                Ok(InboundPort {
                    port: port(p.port)?,
                    protocol: p.protocol(),
                    mtls: p.mtls.is_some().then(|| p.mtls()),
                })
            })
            .collect::<Result<_, ConfigError>>()?;
        // A mode this build does not know must not fall back to the weakest one.
        let unknown = |m: i32| MtlsMode::try_from(m).is_err();
        if unknown(i.mtls) || i.ports.iter().any(|p| p.mtls.is_some_and(unknown)) {
            return bad("an mTLS mode this proxy does not know");
        }
        Ok(Self {
            mtls: i.mtls(),
            workload: i.workload,
            mtls_source: i.mtls_source,
            ports,
        })
    }
}
