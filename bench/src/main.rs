//! Benchmarks: two proxies in a row, ours and our peers', under the same load in the same minute.
//!
//! ```text
//!   wrk ─► proxy A ══ mutual TLS ══► proxy B ─► backend      CPU time is read for A and B alone
//! ```

mod backend;
mod chain;
mod cli;
mod control;
mod discovery;
mod load;
mod memory;
mod process;
mod report;
mod sandbox;
mod sidecar;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Puts the sidecar beside its peers, in the same minute")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measures everything that is owed, beside every peer, and writes a dated report; takes about ten minutes.
    All(report::All),
    /// Measures, in rounds that interleave the designs, and prints a table of medians.
    Run(report::Plan),
    /// The backend that every chain ends at (started by `run`).
    #[command(hide = true)]
    Backend,
    /// One of our sidecars (started by `run`).
    #[command(hide = true)]
    Sidecar(sidecar::Start),
    /// Holds idle connections through our chain and says what each costs.
    Idle(memory::Idle),
    /// Says how long the commands take whose speed people feel.
    Cli(cli::Plan),
    /// Says what the controller costs in a large mesh, and how soon a change is everywhere.
    Discovery(discovery::Plan),
    /// Tells our chain of many endpoints and says what they cost.
    Endpoints(memory::Endpoints),
    /// Says what a sandbox costs, and how soon many pods are ready in it.
    Sandbox(sandbox::Plan),
}

fn main() -> anyhow::Result<()> {
    let role = Arguments::parse().role;
    // Proxies run as production runs them.
    let mut runtime = match role {
        Role::Sidecar(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(1).enable_all().build()?;
    let (text, file) = match role {
        Role::All(all) => (runtime.block_on(report::all(&all))?, Some(all.report)),
        Role::Run(plan) => (runtime.block_on(report::run(&plan))?, plan.report),
        Role::Idle(idle) => (runtime.block_on(memory::idle(idle))?, None),
        Role::Endpoints(many) => (runtime.block_on(memory::endpoints(many))?, None),
        Role::Cli(plan) => return cli::run(&plan),
        Role::Discovery(plan) => return runtime.block_on(discovery::run(plan)),
        Role::Backend => return backend::serve(),
        Role::Sidecar(start) => return runtime.block_on(sidecar::run(start)),
        Role::Sandbox(plan) => return sandbox::run(&plan),
    };
    println!("{text}");
    if let Some(file) = file {
        std::fs::write(file, text)?;
    }
    Ok(())
}

/// An address on the loopback interface that was free a moment ago.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
