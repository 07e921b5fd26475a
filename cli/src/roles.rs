//! The roles that this binary plays inside pods and sandboxes, chosen by its first words.

use std::{ffi::OsStr, process::ExitCode};

use anyhow::Result;
use mesh_api::names;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

/// A role, and what is left of the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Role<'a> {
    Proxy,
    Redirect,
    Controller,
    SandboxNode(&'a [String]),
    SandboxContainer(&'a [String]),
}

/// The role that a command line asks for, if it is not a user's command. `proxy` alone is one only in a pod: elsewhere it is
/// somebody who looks for its subcommands.
pub fn find(words: &[String], in_pod: bool) -> Option<Role<'_>> {
    let rest = words.get(1..)?;
    let first: Vec<&str> = rest.iter().take(2).map(String::as_str).collect();
    match first[..] {
        ["proxy"] if in_pod => Some(Role::Proxy),
        ["redirect"] => Some(Role::Redirect),
        ["controller"] => Some(Role::Controller),
        ["sandbox", "node"] => Some(Role::SandboxNode(&rest[2..])),
        ["sandbox", "container"] => Some(Role::SandboxContainer(&rest[2..])),
        _ => None,
    }
}

/// Whether this is a container of a pod that has a sidecar.
pub fn is_in_pod() -> bool {
    std::env::var_os(names::env::POD_NAMESPACE).is_some()
}

/// Plays a role to its end.
pub fn run(role: &Role<'_>) -> ExitCode {
    let done = match role {
        // These two must not find any thread, nor a runtime, nor anything else that a namespace change would miss.
        Role::SandboxNode(args) => mesh_sandbox::node_main(args),
        Role::SandboxContainer(args) => mesh_sandbox::container_main(args).map(|never| match never {}),
        Role::Proxy => in_pod(runtime::Builder::new_current_thread(), mesh_proxy::run()),
        Role::Redirect => in_pod(
            runtime::Builder::new_current_thread(),
            mesh_proxy::redirect::run(),
        ),
        Role::Controller => {
            log_to_stderr("info");
            in_pod(runtime::Builder::new_multi_thread(), mesh_controller::run())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn in_pod(mut builder: runtime::Builder, role: impl Future<Output = Result<()>>) -> Result<()> {
    provide_tls();
    builder.enable_all().build()?.block_on(role)
}

/// Logging to stderr (level from the environment, else `level`), and the TLS provider for everything.
pub fn prepare_process(level: &str) {
    log_to_stderr(level);
    provide_tls();
}

/// A second call finds it in place already; that is fine.
fn provide_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Not for the proxy, which has a log of its own whose level can be changed while it runs.
fn log_to_stderr(level: &str) {
    let filter = std::env::var(names::env::LOG).unwrap_or_else(|_| level.to_owned());
    let colour = std::env::var_os("NO_COLOR").is_none()
        && std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("TERM").as_deref() != Some(OsStr::new("dumb"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let _ = subscriber.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn roles_are_told_from_commands() {
        let proxy = words("meshctl proxy");
        assert_eq!(
            (find(&proxy, true), find(&proxy, false)),
            (Some(Role::Proxy), None)
        );
        assert_eq!(
            find(&words("meshctl sandbox node a b"), false),
            Some(Role::SandboxNode(&words("a b")))
        );
        for command in [
            "meshctl",
            "meshctl sandbox",
            "meshctl sandbox start",
            "meshctl proxy status",
        ] {
            assert_eq!(find(&words(command), true), None, "{command}");
        }
    }
}
