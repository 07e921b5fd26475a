//! HTTP requests to pods, for probes and hooks.

use std::{io, sync::Arc};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    node::{pod::PodRuntime, probes},
    unverified::Unverified,
};

/// As many redirections are followed.
const REDIRECTIONS: usize = 10;

/// Where a request goes.
#[derive(Debug)]
pub(in crate::node) struct Target {
    secure: bool,
    pub host: String,
    pub port: u16,
    path: String,
    headers: Vec<(String, String)>,
}

impl Target {
    pub fn of(pod: &PodRuntime, container: &Container, action: &HTTPGetAction) -> Result<Self, String> {
        let secure = action
            .scheme
            .as_deref()
            .is_some_and(|s| s.eq_ignore_ascii_case("https"));
        let path = action.path.clone().unwrap_or_default();
        Ok(Self {
            secure,
            host: action
                .host
                .clone()
                .filter(|h| !h.is_empty())
                .unwrap_or_else(|| pod.address()),
            port: probes::port(container, &action.port)?,
            path: if path.starts_with('/') {
                path
            } else {
                format!("/{path}")
            },
            headers: action
                .http_headers
                .iter()
                .flatten()
                .map(|h| (h.name.clone(), h.value.clone()))
                .collect(),
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    fn request(&self, path: &str) -> http::Result<Request<Empty<Bytes>>> {
        let mut request = Request::get(path)
            .header("user-agent", "kube-probe/1.36")
            .header("accept", "*/*")
            .header("connection", "close");
        let own_host = self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"));
        if !own_host {
            request = request.header("host", format!("{}:{}", self.host, self.port));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Empty::new())
    }
}

/// Asks, and returns the status; redirections within the same server are followed.
pub(in crate::node) async fn get(target: &Target) -> io::Result<u16> {
    let mut path = target.path.clone();
    for _ in 0..REDIRECTIONS {
        let answer = ask(target, &path).await?;
        let location = answer
            .headers()
            .get("location")
            .and_then(|l| l.to_str().ok())
            .filter(|l| answer.status().is_redirection() && l.starts_with('/'));
        match location {
            Some(elsewhere) => elsewhere.clone_into(&mut path),
            None => return Ok(answer.status().as_u16()),
        }
    }
    Err(io::Error::other(format!(
        "stopped after {REDIRECTIONS} redirects"
    )))
}

async fn ask(target: &Target, path: &str) -> io::Result<Response<Incoming>> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let mut sender = if target.secure {
        talk(secured(stream, &target.host).await?).await
    } else {
        talk(stream).await
    }
    .map_err(io::Error::other)?;
    let request = target.request(path).map_err(io::Error::other)?;
    sender.send_request(request).await.map_err(io::Error::other)
}

/// The certificate does not matter to whoever only asks for health.
async fn secured(stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> hyper::Result<http1::SendRequest<Empty<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with its sender.
    tokio::spawn(connection);
    Ok(sender)
}
