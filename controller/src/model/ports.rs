//! What a port speaks, and the lists of ports in annotations.

use k8s_openapi::api::core::v1::ServicePort;
use mesh_api::wire::Protocol;

/// Ports whose protocols let the server speak first: waiting for the client's first bytes would wait for ever.
const SERVER_SPEAKS_FIRST: [i32; 8] = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/// A set of ports, written `80,8000-8010`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    /// Reads a list; parts that are no ports are left out, because one typing error must not undo the rest.
    pub fn parse(text: &str) -> Self {
        Self(text.split(',').filter_map(|part| range(part.trim())).collect())
    }

    /// The first part that is neither a port nor a range.
    pub fn mistake(text: &str) -> Option<&str> {
        text.split(',')
            .map(str::trim)
            .find(|part| !part.is_empty() && range(part).is_none())
    }

    pub fn contains(&self, port: u32) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (u32::from(*from)..=u32::from(*to)).contains(&port))
    }
}

fn range(part: &str) -> Option<(u16, u16)> {
    let (from, to) = part.split_once('-').unwrap_or((part, part));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from >= 1 && from <= to).then_some((from, to))
}

/// What a Service's port speaks: `appProtocol`, then the name's first word, then the port number.
pub fn protocol(port: &ServicePort, opaque: &PortSet) -> Protocol {
    if opaque.contains(port.port.unsigned_abs()) {
        return Protocol::Opaque;
    }
    let declared = port
        .app_protocol
        .as_deref()
        .and_then(by_application)
        .or_else(|| by_name(port.name.as_deref()?));
    match declared {
        Some(protocol) => protocol,
        None if SERVER_SPEAKS_FIRST.contains(&port.port) => Protocol::Opaque,
        None => Protocol::Detect,
    }
}

/// What an application protocol says: the same as a port's name, in any case. One that we do not know is at least known
/// not to be HTTP.
fn by_application(declared: &str) -> Option<Protocol> {
    let declared = declared.to_lowercase();
    match declared.as_str() {
        "" => None,
        "kubernetes.io/ws" => Some(Protocol::Http1),
        "kubernetes.io/h2c" => Some(Protocol::Http2),
        "kubernetes.io/wss" => Some(Protocol::Tls),
        other => Some(by_name(other).unwrap_or(Protocol::Opaque)),
    }
}

/// What the first word of a port's name says.
pub fn by_name(name: &str) -> Option<Protocol> {
    if name == "grpc-web" || name.starts_with("grpc-web-") {
        return Some(Protocol::Http1);
    }
    Some(match name.split('-').next()? {
        "http" => Protocol::Http1,
        "http2" | "h2c" => Protocol::Http2,
        "grpc" => Protocol::Grpc,
        "https" | "tls" => Protocol::Tls,
        "tcp" | "mysql" | "postgres" | "postgresql" | "redis" | "mongo" | "smtp" | "memcached" => {
            Protocol::Opaque
        }
        _ => return None,
    })
}

/// Whether routes apply: bytes that are not HTTP cannot be matched.
pub fn routable(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Opaque | Protocol::Tls)
}
