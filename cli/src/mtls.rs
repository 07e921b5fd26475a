//! `meshctl mtls`: is every call encrypted, who is at both ends, and may there be plaintext at all.

mod mode;
mod probe;
mod verify;

use anyhow::Result;

use crate::{cluster::Cluster, errors::Outcome, golden::Scope, printer::Printer};

/// Verify that calls are encrypted, and decide whether plaintext is taken
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show for every call whether it is secured, and why not; exit 1 when one is not
    #[command(
        after_help = "With --probe, real connections are opened from inside the mesh to every workload: in plaintext,
without a client certificate, with one of a foreign CA, and with a valid one. Exit 1 when one ends
otherwise than declared. The apps see a GET / of user agent meshctl-probe where plaintext is taken.

Examples:
  meshctl mtls verify -n shop
  meshctl mtls verify -n shop --probe
  meshctl mtls verify -A -o json"
    )]
    Verify {
        #[command(flatten)]
        scope: Scope,
        /// Open real connections, good and bad ones
        #[arg(long)]
        probe: bool,
    },
    /// Refuse plaintext, for a namespace or a workload
    #[command(after_help = "Whoever called in plaintext lately is listed first.

Examples:
  meshctl mtls strict ns/shop
  meshctl mtls strict deploy/web -n shop --yes")]
    Strict(mode::Args),
    /// Take plaintext besides mutual TLS, for a namespace or a workload
    #[command(after_help = "Examples:
  meshctl mtls permissive ns/shop")]
    Permissive(mode::Args),
}

pub async fn run(command: &Command, yes: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Verify { scope, probe } => verify::run(scope, *probe, cluster, printer).await,
        Command::Strict(args) => mode::run(args, mode::Mode::Strict, yes, cluster, printer).await,
        Command::Permissive(args) => mode::run(args, mode::Mode::Permissive, yes, cluster, printer).await,
    }
}
