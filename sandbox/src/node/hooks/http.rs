//! Plain HTTP requests to pods, for probes and hooks.

use std::io;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use tokio::net::TcpStream;

use crate::node::{pod::PodRuntime, probes};

/// Where a request goes.
#[derive(Debug)]
pub(in crate::node) struct Target {
    pub host: String,
    pub port: u16,
    path: String,
    headers: Vec<(String, String)>,
}

impl Target {
    pub fn of(pod: &PodRuntime, container: &Container, action: &HTTPGetAction) -> Result<Self, String> {
        if action
            .scheme
            .as_deref()
            .is_some_and(|s| s.eq_ignore_ascii_case("https"))
        {
            return Err("the sandbox does not probe by HTTPS yet".into());
        }
        let path = action.path.clone().unwrap_or_default();
        Ok(Self {
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
        format!("http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Asks, and returns the status.
pub(in crate::node) async fn get(target: &Target) -> io::Result<u16> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let mut request = Request::get(&target.path)
        .header("user-agent", "kube-probe/1.35")
        .header("accept", "*/*")
        .header("connection", "close");
    let own_host = target
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    if !own_host {
        request = request.header("host", format!("{}:{}", target.host, target.port));
    }
    for (name, value) in &target.headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    // The connection ends with its sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    Ok(answer.status().as_u16())
}
