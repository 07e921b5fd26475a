//! Where requests go: endpoints, how one of them is chosen, and how much they are trusted and burdened.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use mesh_api::{identity::Identity, wire};
use mesh_net::tls::Outside;

use super::{Balancer, ConfigError, bad, headers::name, list, millis, port};

/// A set of endpoints that share a balancer.
#[derive(Debug, Default)]
pub struct Backend {
    pub name: String,
    pub namespace: String,
    pub service: String,
    pub port: u16,
    pub endpoints: Vec<Endpoint>,
    pub balancer: Balancer,
    pub hash: Option<HashKey>,
    pub ejection: Option<Ejection>,
    pub limits: Limits,
    pub retry_budget: RetryBudget,
    /// Who decided on the above, for whoever asks.
    pub source: String,
    /// How calls are shared out among groups of endpoints; none: over all alike.
    pub shares: Vec<u32>,
}

/// What a ring hash looks at.
#[derive(Debug)]
pub enum HashKey {
    Header(HeaderName),
    Query(String),
    Source,
    Cookie {
        name: String,
        /// `; Path=…; Max-Age=…`, as it follows a value made by us.
        attributes: String,
    },
}

/// When an endpoint is left out for a while; 0 switches a criterion off.
#[derive(Debug, Clone, Default)]
pub struct Ejection {
    pub consecutive_errors: u32,
    pub consecutive_gateway_errors: u32,
    pub error_percent: u32,
    pub min_requests: u32,
    pub interval: Duration,
    pub base: Duration,
    pub max_percent: u32,
    pub min_healthy_percent: u32,
}

/// Beyond these a request is refused at once; `None` is no limit.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub connections: Option<u32>,
    pub pending: Option<u32>,
    pub requests: Option<u32>,
    pub requests_per_connection: Option<u32>,
    pub retries: Option<u32>,
    pub connect_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    /// How old a connection may grow.
    pub max_connection: Option<Duration>,
    pub keepalive: Keepalive,
}

/// When the kernel asks whether a silent peer is still there. Machines that are gone say no goodbye, and what was open
/// to them would stay so for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    pub time: Duration,
    pub interval: Duration,
    pub probes: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(2),
            interval: Duration::from_secs(15),
            probes: 4,
        }
    }
}

/// How many retries there may be for the requests there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    pub percent: u32,
    pub min_per_second: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            percent: 20,
            min_per_second: 10,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: SocketAddr,
    /// Who must answer; `None` is not meshed.
    pub identity: Option<Identity>,
    /// How one that is not is called by TLS; `None` is in plaintext.
    pub tls: Option<Arc<Outside>>,
    pub namespace: String,
    pub workload: String,
    pub pod: String,
    /// Called only when none of a lower number is left.
    pub priority: u32,
    /// Of those among which the backend's calls are shared out.
    pub group: u32,
}

impl Backend {
    pub fn from_wire(name: &str, b: wire::Backend) -> Result<Self, ConfigError> {
        Ok(Self {
            name: name.to_owned(),
            balancer: b.balancer(),
            port: port(b.port)?,
            namespace: b.namespace,
            service: b.service,
            endpoints: endpoints(b.endpoints, b.tls)?,
            hash: b.hash.map(HashKey::try_from).transpose()?,
            ejection: b.ejection.map(Ejection::from),
            limits: b.limits.map(Limits::from).unwrap_or_default(),
            retry_budget: b.retry_budget.map_or_else(RetryBudget::default, |r| RetryBudget {
                percent: r.percent,
                min_per_second: r.min_per_second,
            }),
            source: b.source,
            shares: b.shares,
        })
    }
}

/// Those of a backend, however they are called.
fn endpoints(
    known: Vec<wire::Endpoint>,
    tls: Option<wire::OutsideTls>,
) -> Result<Vec<Endpoint>, ConfigError> {
    let mut all: Vec<Endpoint> = list(known)?;
    let Some(tls) = tls else {
        return Ok(all);
    };
    let server = if tls.unverified {
        Outside::unverified(&tls.server_name)
    } else {
        Outside::new(&tls.server_name, tls.names)
    };
    let server = Arc::new(server.or_else(|e| bad(e.to_string()))?);
    for endpoint in list::<_, Endpoint>(tls.endpoints)? {
        all.push(Endpoint {
            tls: Some(server.clone()),
            ..endpoint
        });
    }
    Ok(all)
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
            tls: None,
            namespace: e.namespace,
            workload: e.workload,
            pod: e.pod,
            priority: e.priority,
            group: e.group,
        })
    }
}

impl TryFrom<wire::HashKey> for HashKey {
    type Error = ConfigError;

    fn try_from(key: wire::HashKey) -> Result<Self, ConfigError> {
        use wire::hash_key::Kind;
        match key.kind {
            Some(Kind::Header(header)) => Ok(Self::Header(name(&header)?)),
            Some(Kind::Query(query)) => Ok(Self::Query(query)),
            Some(Kind::SourceAddress(_)) => Ok(Self::Source),
            Some(Kind::Cookie(cookie)) => {
                let path = if cookie.path.is_empty() { "/" } else { &cookie.path };
                let mut attributes = format!("; Path={path}; HttpOnly");
                if cookie.ttl_ms > 0 {
                    attributes.push_str(&format!("; Max-Age={}", cookie.ttl_ms.div_ceil(1000)));
                }
                let whole = format!("{}=0{attributes}", cookie.name);
                if cookie.name.is_empty()
                    || cookie.name.contains(['=', ';', ' ', ','])
                    || HeaderValue::from_str(&whole).is_err()
                {
                    return bad(format!("cookie {:?}", cookie.name));
                }
                Ok(Self::Cookie {
                    name: cookie.name,
                    attributes,
                })
            }
            None => bad("a hash key of a kind this proxy does not know"),
        }
    }
}

impl From<wire::Ejection> for Ejection {
    fn from(e: wire::Ejection) -> Self {
        Self {
            consecutive_errors: e.consecutive_errors,
            consecutive_gateway_errors: e.consecutive_gateway_errors,
            error_percent: e.error_percent,
            min_requests: e.min_requests,
            interval: millis(e.interval_ms).unwrap_or(Duration::from_secs(10)),
            base: millis(e.base_ms).unwrap_or(Duration::from_secs(30)),
            max_percent: if e.max_percent == 0 {
                10
            } else {
                e.max_percent.min(100)
            },
            min_healthy_percent: e.min_healthy_percent.min(100),
        }
    }
}

impl From<wire::Limits> for Limits {
    fn from(l: wire::Limits) -> Self {
        let limit = |n: u32| (n > 0).then_some(n);
        Self {
            connections: limit(l.connections),
            pending: limit(l.pending),
            requests: limit(l.requests),
            requests_per_connection: limit(l.requests_per_connection),
            retries: limit(l.retries),
            connect_timeout: millis(l.connect_timeout_ms),
            idle_timeout: millis(l.idle_timeout_ms),
            max_connection: millis(l.max_connection_ms),
            keepalive: l.keepalive.map(Keepalive::from).unwrap_or_default(),
        }
    }
}

impl From<wire::Keepalive> for Keepalive {
    fn from(k: wire::Keepalive) -> Self {
        let usual = Self::default();
        // The kernel counts in seconds, and takes no more than these.
        let seconds = |ms: u64, usual: Duration| {
            millis(ms).map_or(usual, |t| {
                Duration::from_secs(t.as_millis().div_ceil(1000).min(32_767) as u64)
            })
        };
        Self {
            time: seconds(k.time_ms, usual.time),
            interval: seconds(k.interval_ms, usual.interval),
            probes: if k.probes == 0 {
                usual.probes
            } else {
                k.probes.min(127)
            },
        }
    }
}
