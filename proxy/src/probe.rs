//! The app's own probes, made by us: kubelet has no identity, and would be refused by strict mutual TLS and by
//! authorization. It asks our admin port, and is told what the app says.
//!
//! A probe goes to the pod's address, as kubelet's would, never to loopback: an app that listens on loopback only is
//! not ready for anybody.

mod grpc;
#[cfg(test)]
mod tests;
mod tls;

#[cfg(any(test, fuzzing))]
pub(crate) use grpc::check_judge;

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mesh_api::names;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Calls at the start and the end of a container take as long as they take: kubelet hangs up when it has waited enough.
const HOOK_LIMIT: Duration = Duration::from_hours(1);

/// Whether this is a call at the start or the end of a container.
pub fn is_hook(name: &str) -> bool {
    let kind = name.rsplit('/').next();
    matches!(kind, Some(names::PROBE_POST_START | names::PROBE_PRE_STOP))
}

/// Probes by `CONTAINER/KIND`, as injection hands them over.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    by_name: HashMap<String, Probe>,
    failing: Arc<Mutex<HashSet<String>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: Option<HttpGet>,
    tcp_socket: Option<TcpSocket>,
    grpc: Option<Grpc>,
    timeout_seconds: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpGet {
    path: Option<String>,
    port: u16,
    host: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    http_headers: Vec<HttpHeader>,
}

#[derive(Debug, Clone, Deserialize)]
struct HttpHeader {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Clone, Deserialize)]
struct TcpSocket {
    port: u16,
    host: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Grpc {
    port: u16,
    service: Option<String>,
}

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Injection told us of no such probe.
    #[error("there is no such probe")]
    Unknown,
    /// The app took longer than the probe allows.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Nothing listens at the port.
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: std::io::Error },
    /// The app's TLS did not work.
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    /// What came back is not HTTP.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The probe itself cannot be sent.
    #[error("the probe is not a request: {0}")]
    Request(#[from] http::Error),
    /// The app says that it is not well.
    #[error("the app answered with status {0}")]
    Status(u16),
    /// The same by gRPC's health protocol.
    #[error("the app's gRPC health service says: {0}")]
    Health(String),
}

impl ProbeError {
    /// Whether the app has answered, be it badly.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Health(_))
    }
}

impl Probes {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self {
            by_name: serde_json::from_str(text)?,
            failing: Arc::default(),
        })
    }

    /// Makes a probe now. `agent` is what kubelet calls itself.
    pub async fn make(&self, name: &str, pod: IpAddr, agent: Option<&HeaderValue>) -> Result<(), ProbeError> {
        let probe = self.by_name.get(name).ok_or(ProbeError::Unknown)?;
        let timeout = probe.patience(name);
        let made = tokio::time::timeout(timeout, probe.make(pod, agent))
            .await
            .unwrap_or(Err(ProbeError::Timeout(timeout)));
        self.note(name, &made);
        made
    }

    /// Logs a probe whenever its outcome turns: kubelet shows our status only, never what we say with it.
    fn note(&self, name: &str, made: &Result<(), ProbeError>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(()) if failing.remove(name) => tracing::info!(probe = name, "the app's probe succeeds"),
            Err(why) if failing.insert(name.to_owned()) => {
                tracing::warn!(probe = name, %why, "the app's probe fails");
            }
            _ => {}
        }
    }
}

impl Probe {
    fn patience(&self, name: &str) -> Duration {
        if is_hook(name) {
            HOOK_LIMIT
        } else {
            Duration::from_secs(self.timeout_seconds.unwrap_or(1).max(1).into())
        }
    }

    async fn make(&self, pod: IpAddr, agent: Option<&HeaderValue>) -> Result<(), ProbeError> {
        if let Some(get) = &self.http_get {
            return get.make(pod, agent).await;
        }
        if let Some(grpc) = &self.grpc {
            let stream = connect(None, pod, grpc.port).await?;
            return grpc::check(stream, grpc.service.as_deref().unwrap_or_default()).await;
        }
        match &self.tcp_socket {
            Some(TcpSocket { host: None, port }) => knock(pod, *port).await.map(drop),
            Some(socket) => connect(socket.host.as_deref(), pod, socket.port).await.map(drop),
            None => Err(ProbeError::Unknown),
        }
    }
}

/// Only looks whether somebody listens. MySQL and MariaDB count callers that hang up without a word, by address, and shut
/// them out after a hundred: not the pod's own, which is the sidecar's and so every caller's. Loopback is not counted.
async fn knock(pod: IpAddr, port: u16) -> Result<TcpStream, ProbeError> {
    let from_loopback = || {
        let (socket, own) = match pod {
            IpAddr::V4(_) => (tokio::net::TcpSocket::new_v4()?, Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(_) => (tokio::net::TcpSocket::new_v6()?, Ipv6Addr::LOCALHOST.into()),
        };
        socket.bind(SocketAddr::new(own, 0))?;
        std::io::Result::Ok(socket)
    };
    match from_loopback() {
        Ok(socket) => {
            let connected = socket.connect(SocketAddr::new(pod, port)).await;
            connected.map_err(|source| ProbeError::Connect {
                address: format!("{pod} port {port}"),
                source,
            })
        }
        // A pod without the one or the other family.
        Err(_) => connect(None, pod, port).await,
    }
}

async fn connect(host: Option<&str>, pod: IpAddr, port: u16) -> Result<TcpStream, ProbeError> {
    let host = host.filter(|h| !h.is_empty());
    let connected = match host {
        Some(host) => TcpStream::connect((host, port)).await,
        None => TcpStream::connect((pod, port)).await,
    };
    connected.map_err(|source| ProbeError::Connect {
        address: host.map_or_else(|| format!("{pod} port {port}"), |h| format!("{h} port {port}")),
        source,
    })
}

impl HttpGet {
    async fn make(&self, pod: IpAddr, agent: Option<&HeaderValue>) -> Result<(), ProbeError> {
        let stream = connect(self.host.as_deref(), pod, self.port).await?;
        let request = self.request(pod, agent)?;
        let secured = self
            .scheme
            .as_deref()
            .is_some_and(|s| s.eq_ignore_ascii_case("https"));
        let status = if secured {
            let stream = tls::connect(stream).await.map_err(ProbeError::Tls)?;
            ask(stream, request).await?
        } else {
            ask(stream, request).await?
        };
        // As kubelet has it: a redirect is an answer, too.
        if (200..400).contains(&status) {
            Ok(())
        } else {
            Err(ProbeError::Status(status))
        }
    }

    fn request(&self, pod: IpAddr, agent: Option<&HeaderValue>) -> Result<Request<Empty<Bytes>>, ProbeError> {
        let path = self.path.as_deref().filter(|p| !p.is_empty()).unwrap_or("/");
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let host = match (&self.host, pod) {
            (Some(host), _) if !host.is_empty() => format!("{host}:{}", self.port),
            (_, IpAddr::V4(pod)) => format!("{pod}:{}", self.port),
            (_, IpAddr::V6(pod)) => format!("[{pod}]:{}", self.port),
        };
        let mut request = Request::get(path).body(Empty::new())?;
        let headers = request.headers_mut();
        let set = |text: &str| HeaderValue::from_str(text).map_err(http::Error::from);
        headers.insert(header::HOST, set(&host)?);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let agent = agent.cloned();
        headers.insert(
            header::USER_AGENT,
            agent.unwrap_or_else(|| HeaderValue::from_static("kube-probe/mesh")),
        );
        // The probe's own come first of all; those named several times are sent several times.
        let mut seen = Vec::new();
        for given in &self.http_headers {
            let name = HeaderName::from_bytes(given.name.as_bytes()).map_err(http::Error::from)?;
            let value = set(&given.value)?;
            if seen.contains(&name) {
                headers.append(name, value);
            } else {
                seen.push(name.clone());
                headers.insert(name, value);
            }
        }
        Ok(request)
    }
}

async fn ask<IO>(io: IO, request: Request<Empty<Bytes>>) -> Result<u16, ProbeError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Ok(answer?.status().as_u16())
}
