//! Lifecycle hooks: what runs right after a container's start, and before its end.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use super::{exec, pod::PodRuntime, probes};

pub(super) mod http;

/// Runs a hook to its end, for at most `limit`.
pub(super) async fn run(
    pod: &Arc<PodRuntime>,
    container: &Container,
    hook: &LifecycleHandler,
    limit: Duration,
) -> Result<(), String> {
    if let Some(action) = &hook.exec {
        let command = action.command.clone().unwrap_or_default();
        return match exec::run(pod, &container.name, command, limit).await {
            Ok(Some((0, _))) => Ok(()),
            Ok(Some((code, output))) => Err(format!("command exited with {code}: {output}")),
            Ok(None) => Err("it took too long".into()),
            Err(e) => Err(e.to_string()),
        };
    }
    if let Some(sleep) = &hook.sleep {
        let wanted = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or_default());
        tokio::time::sleep(wanted.min(limit)).await;
        return Ok(());
    }
    if let Some(action) = &hook.http_get {
        let target = http::Target::of(pod, container, action)?;
        return match tokio::time::timeout(limit, http::get(&target)).await {
            Ok(Ok(status)) if (200..400).contains(&status) => Ok(()),
            Ok(Ok(status)) => Err(format!("HTTP status {status}")),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err("it took too long".into()),
        };
    }
    if let Some(action) = &hook.tcp_socket {
        let host = action.host.clone().unwrap_or_else(|| pod.address());
        let port = probes::port(container, &action.port)?;
        return match tokio::net::TcpStream::connect((host, port)).await {
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        };
    }
    Ok(())
}
