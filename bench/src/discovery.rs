//! What the controller costs in a large mesh, and how soon a change of weights is everywhere: the real controller, beside
//! the sandbox's API server, with many proxies that follow over real gRPC and mutual TLS.
//!
//! ```text
//!   this process: API server, all proxies ◄── watch, gRPC ──► meshctl controller (measured)
//! ```
//!
//! Everything runs in a network namespace of its own, because the controller's ports are fixed.

mod mesh;
mod proxy;

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use mesh_api::names;

use crate::process::Process;
use mesh::Mesh;
use proxy::Crowd;

/// How large the mesh is, and which executable is measured.
#[derive(clap::Args)]
pub struct Plan {
    /// A release build of meshctl.
    #[arg(long, default_value = "target/release/meshctl")]
    meshctl: PathBuf,
    #[arg(long, default_value_t = 500)]
    services: usize,
    #[arg(long, default_value_t = 5_000)]
    endpoints: usize,
    #[arg(long, default_value_t = 1_000)]
    proxies: usize,
    /// Services that each proxy follows.
    #[arg(long, default_value_t = 10)]
    subscriptions: usize,
    /// Changes of weights that are timed.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Keeps the figures in a file, too.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Already in a namespace of its own.
    #[arg(long, hide = true)]
    inside: bool,
}

/// What the controller's Deployment tells the C library.
const MALLOC: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
];

/// Everything connects, lists and settles within this time.
const LIMIT: Duration = Duration::from_mins(5);
/// How long the controller is watched while nothing changes.
const IDLE: Duration = Duration::from_secs(15);

pub async fn run(plan: Plan) -> anyhow::Result<()> {
    if !plan.inside {
        return in_a_namespace();
    }
    succeed(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let mesh = Mesh::start(plan.services, plan.endpoints).await?;
    println!(
        "{} services with {} endpoints in all",
        plan.services, plan.endpoints
    );

    let began = Instant::now();
    let controller = Process::start(
        Command::new(&plan.meshctl)
            .arg("controller")
            .env("KUBECONFIG", mesh.kubeconfig())
            .env("POD_NAME", "bench")
            // As in its Deployment.
            .envs(MALLOC)
            .env(names::env::LOG, "warn"),
    )?;
    let address = format!("127.0.0.1:{}", names::CONTROLLER_GRPC_PORT);
    mesh.wait_until_ready(LIMIT).await?;
    let mut lines = String::new();
    writeln!(lines, "| | |\n|---|---|")?;
    writeln!(lines, "| ready after | {:.1?} |", began.elapsed())?;
    writeln!(lines, "| memory without proxies | {} |", memory(&controller)?)?;

    let began = Instant::now();
    let crowd = Crowd::connect(&mesh, address.parse()?, plan.proxies, plan.subscriptions)?;
    crowd.settled(LIMIT).await?;
    writeln!(
        lines,
        "| {} proxies connected, each with what {} services need, after | {:.1?} |",
        plan.proxies,
        plan.subscriptions,
        began.elapsed()
    )?;
    writeln!(lines, "| memory with them | {} |", memory(&controller)?)?;

    let mut all = Vec::new();
    let cpu = cpu_micros(&controller)?;
    for round in 0..plan.rounds {
        let weight = u32::try_from(round)? % 98 + 1;
        let changed = Instant::now();
        mesh.shift(weight).await?;
        let mut times = crowd.heard(weight, changed, LIMIT).await?;
        times.sort();
        all.push((nth(&times, 50), nth(&times, 99), nth(&times, 100)));
    }
    let each = (cpu_micros(&controller)? - cpu) / plan.rounds.max(1) as u64;
    let worst = all.iter().map(|(_, p99, _)| *p99).max().unwrap_or_default();
    all.sort_by_key(|(_, p99, _)| *p99);
    let (half, most, last) = all.get(all.len() / 2).copied().context("no rounds")?;
    writeln!(
        lines,
        "| a change of weights reaches half, 99 %, all proxies (median of {} changes) | {half:.0?}, {most:.0?}, {last:.0?} |",
        plan.rounds
    )?;
    writeln!(lines, "| 99 % in the worst of them | {worst:.0?} |")?;
    writeln!(
        lines,
        "| processor time of the controller for a change | {:.0} ms |",
        each as f64 / 1000.0
    )?;

    let cpu = cpu_micros(&controller)?;
    tokio::time::sleep(IDLE).await;
    let idle = (cpu_micros(&controller)? - cpu) as f64 / IDLE.as_micros() as f64;
    writeln!(
        lines,
        "| processor time while proxies only report, once a second each | {:.1} % of a core |",
        idle * 100.0
    )?;
    writeln!(lines, "| memory in the end | {} |", memory(&controller)?)?;
    println!("{lines}");
    if let Some(report) = &plan.report {
        std::fs::write(report, lines)?;
    }
    Ok(())
}

/// Starts this again where all ports are free.
fn in_a_namespace() -> anyhow::Result<()> {
    let mut again = Command::new("unshare");
    again
        .args(["--net", "--map-root-user", "--"])
        .arg(std::env::current_exe()?);
    succeed(again.args(std::env::args_os().skip(1)).arg("--inside"))
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn memory(process: &Process) -> anyhow::Result<String> {
    Ok(format!("{:.0} MB", process.resident_kb()? as f64 / 1024.0))
}

fn cpu_micros(process: &Process) -> anyhow::Result<u64> {
    Ok(process.cpu_micros()?.iter().sum())
}

/// What so many in a hundred are not above.
fn nth(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}
