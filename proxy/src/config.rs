//! Configuration as the workers use it: the wire messages, checked once and turned into immutable values.
//!
//! Whatever can be wrong with a resource is found here, when it arrives; a resource that fails is rejected by name
//! and the one before it stays in force. What is in these types can be used on the request path as it is.

mod backend;
mod headers;
mod inbound;
mod matching;
mod route;
#[cfg(test)]
mod tests;
mod text;

pub use backend::{Backend, Ejection, Endpoint, HashKey, Keepalive, Limits, RetryBudget};
pub(crate) use headers::name as header_name;
pub use headers::{HeaderChanges, Rewrite};
pub use inbound::Inbound;
pub(crate) use matching::hex;
pub use matching::{RequestMatch, RequestView, query, without_port};
pub use route::{Cors, DirectResponse, Fault, Injection, Mirror, Redirect, Retry, Route, WeightedBackend};
pub use text::Text;

use std::time::Duration;

use http::StatusCode;
use mesh_api::wire;
pub use mesh_api::wire::{AccessLog, Balancer, MtlsMode, Protocol};

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
    /// For connections of which only bytes are seen.
    pub stream_routes: Vec<StreamRoute>,
}

/// Where a connection goes that is not HTTP.
#[derive(Debug)]
pub struct StreamRoute {
    pub name: String,
    server_names: Vec<String>,
    pub backends: Vec<WeightedBackend>,
}

impl StreamRoute {
    /// Does it take a connection with this name in its ClientHello, if any?
    pub fn applies(&self, server_name: Option<&str>) -> bool {
        self.server_names.is_empty()
            || server_name.is_some_and(|name| {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                self.server_names.iter().any(|want| match want.strip_prefix('*') {
                    Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
                    None => *want == name,
                })
            })
    }
}

/// How the proxy as a whole behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behaviour {
    pub access_log: AccessLog,
    pub trace_per_million: u32,
    /// Who gets the spans of sampled traces.
    pub trace_collector: Option<String>,
    pub refuse_unknown: bool,
    pub pass_undiscovered: bool,
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

pub(crate) fn list<W, T: TryFrom<W, Error = ConfigError>>(wire: Vec<W>) -> Result<Vec<T>, ConfigError> {
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
                stream_routes: list(s.stream_routes)?,
            })),
            Some(wire::target::Kind::Pod(endpoint)) => Ok(Self::Pod(endpoint.try_into()?)),
            Some(wire::target::Kind::Unknown(_)) => Ok(Self::Unknown),
            None => bad("a target of a kind this proxy does not know"),
        }
    }
}

impl TryFrom<wire::StreamRoute> for StreamRoute {
    type Error = ConfigError;

    fn try_from(r: wire::StreamRoute) -> Result<Self, ConfigError> {
        Ok(Self {
            name: r.name,
            server_names: r.server_names.iter().map(|n| n.to_ascii_lowercase()).collect(),
            backends: list(r.backends)?,
        })
    }
}

impl From<wire::Behaviour> for Behaviour {
    fn from(b: wire::Behaviour) -> Self {
        Self {
            access_log: b.access_log(),
            trace_per_million: b.trace_per_million,
            trace_collector: some(b.trace_collector),
            refuse_unknown: b.refuse_unknown,
            pass_undiscovered: b.pass_undiscovered,
        }
    }
}
