//! Asking a container how it is, in the four ways that there are.

use std::{io, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Container, ExecAction, HTTPGetAction, Probe, TCPSocketAction};
use tokio::net::TcpStream;

use super::{grpc, port};
use crate::{
    container::NOT_STARTED,
    node::{exec, hooks::http, pod::PodRuntime},
};

/// Why a probe did not succeed.
pub(super) enum Failure {
    /// The container says so, or says nothing.
    Answer(String),
    /// Nothing listens there.
    Refused(String),
    /// It could not be asked.
    Unknown(String),
}

impl Failure {
    fn io(what: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Refused(format!("{what}: connect: connection refused"))
        } else {
            Self::Answer(format!("{what}: {error}"))
        }
    }
}

pub(super) async fn ask(
    pod: &Arc<PodRuntime>,
    container: &Container,
    probe: &Probe,
    timeout: Duration,
) -> Result<(), Failure> {
    if let Some(action) = &probe.exec {
        by_exec(pod, container, action, timeout).await
    } else if let Some(action) = &probe.http_get {
        by_http(pod, container, action, timeout).await
    } else if let Some(action) = &probe.tcp_socket {
        by_tcp(pod, container, action, timeout).await
    } else if let Some(action) = &probe.grpc {
        let address = format!("{}:{}", pod.address(), action.port);
        let service = action.service.as_deref().unwrap_or_default();
        grpc::check(&address, service, timeout).await
    } else {
        Ok(())
    }
}

async fn by_exec(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &ExecAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let command = action.command.clone().unwrap_or_default();
    match exec::run(pod, &container.name, command.clone(), timeout).await {
        Ok(Some((0, _))) => Ok(()),
        Ok(Some((_, output))) => match output.strip_prefix(NOT_STARTED) {
            Some(_) => Err(Failure::Unknown(output)),
            None => Err(Failure::Answer(output)),
        },
        Ok(None) => Err(Failure::Answer(format!(
            "command timed out: {command:?} timed out after {timeout:?}"
        ))),
        Err(e) => Err(Failure::Unknown(e.to_string())),
    }
}

async fn by_http(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &HTTPGetAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let target = http::Target::of(pod, container, action).map_err(Failure::Unknown)?;
    match tokio::time::timeout(timeout, http::get(&target)).await {
        Ok(Ok(status)) if (200..400).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(Failure::Answer(format!(
            "HTTP probe failed with statuscode: {status}"
        ))),
        Ok(Err(e)) => Err(Failure::io(
            &format!("Get {:?}: dial tcp {}:{}", target.url(), target.host, target.port),
            &e,
        )),
        Err(_) => Err(Failure::Answer(format!(
            "Get {:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            target.url()
        ))),
    }
}

async fn by_tcp(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &TCPSocketAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let host = action
        .host
        .clone()
        .filter(|h| !h.is_empty())
        .unwrap_or_else(|| pod.address());
    let port = port(container, &action.port).map_err(Failure::Unknown)?;
    let what = format!("dial tcp {host}:{port}");
    match tokio::time::timeout(timeout, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(Failure::io(&what, &e)),
        Err(_) => Err(Failure::Answer(format!("{what}: i/o timeout"))),
    }
}
