//! Rounds, medians, ratios, and the table.

use std::{fmt::Write as _, path::PathBuf};

use crate::{
    chain::{App, Chain, Design},
    load::{self, Workload},
    memory::{self, Endpoints, Idle},
};

/// The peer that others are compared with.
const YARDSTICK: Design = Design::HaproxyH2;

/// What is measured, and how often.
#[derive(clap::Args)]
pub struct Plan {
    /// Designs to compare; all that are installed by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Design>,
    #[arg(long, default_value = "32", value_delimiter = ',')]
    connections: Vec<usize>,
    #[arg(long, default_value = "get", value_delimiter = ',')]
    workload: Vec<Workload>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each design runs in each round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Worker threads of each proxy.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Keeps the table in a file, too.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct All {
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    #[arg(long, value_delimiter = ',')]
    only: Vec<Design>,
    /// The file that the report is written to.
    #[arg(long)]
    pub report: PathBuf,
}

/// One design in one round.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    system: f64,
    errors: u64,
    resident: u64,
}

/// Everything that is owed, as a document.
pub async fn all(all: &All) -> anyhow::Result<String> {
    let plan = |workload, connections: &[usize]| Plan {
        only: all.only.clone(),
        connections: connections.to_vec(),
        workload: vec![workload],
        rounds: all.rounds,
        seconds: all.seconds,
        workers: 1,
        report: None,
    };
    let mut text = format!("# {}\n\n{}\n", all.report.display(), machine()?);
    for (title, plan) in [
        ("Small answers", plan(Workload::Get, &[1, 32, 128])),
        ("Answers of 1 MB", plan(Workload::Large, &[32, 128])),
        ("gRPC, unary", plan(Workload::Grpc, &[32, 128])),
    ] {
        writeln!(text, "\n## {title}\n\n{}", run(&plan).await?.trim_end())?;
    }
    let (idle, endpoints) = (
        memory::idle(Idle { connections: 10_000 }).await?,
        memory::endpoints(Endpoints { endpoints: 1000 }).await?,
    );
    writeln!(text, "\n## Memory of ours\n\n{idle}\n{endpoints}")?;
    Ok(text)
}

/// What the figures depend on.
fn machine() -> anyhow::Result<String> {
    let cpus = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    Ok(format!(
        "{cpus} processors, Linux {}, load average {} at the beginning. One worker per proxy, mutual TLS 1.3, twenty \
         routes, ten authorization rules.",
        kernel.trim(),
        load.join(", ")
    ))
}

/// Runs what `plan` names; returns the report.
pub async fn run(plan: &Plan) -> anyhow::Result<String> {
    let mut text = String::new();
    for app in [App::Http1, App::Grpc] {
        let workloads: Vec<_> = plan.workload.iter().filter(|w| w.app() == app).collect();
        if workloads.is_empty() {
            continue;
        }
        let chains = start(plan, app).await;
        for (design, chain) in &chains {
            let [a, b] = chain.resident_kb()?;
            let (a, b) = (megabytes(a), megabytes(b));
            writeln!(
                text,
                "- {}: {a} MB and {b} MB resident before load",
                design.name()
            )?;
        }
        for workload in workloads {
            for connections in &plan.connections {
                let table = measure(plan, &chains, *workload, *connections).await?;
                writeln!(
                    text,
                    "\n{workload:?}, {connections} at once, {} rounds of {} s, {} worker(s) per proxy\n\n{table}",
                    plan.rounds, plan.seconds, plan.workers
                )?;
            }
        }
    }
    Ok(text)
}

/// The chains of all designs that are wanted, can carry what the app speaks, and are installed.
async fn start(plan: &Plan, app: App) -> Vec<(Design, Chain)> {
    let wanted: &[Design] = if plan.only.is_empty() {
        &Design::ALL
    } else {
        &plan.only
    };
    let mut chains = Vec::new();
    for design in wanted.iter().filter(|d| d.carries(app)) {
        match Chain::start(*design, app, plan.workers, 1).await {
            Ok(chain) => chains.push((*design, chain)),
            Err(error) => eprintln!("left out: {}: {error:#}", design.name()),
        }
    }
    chains
}

async fn measure(
    plan: &Plan,
    chains: &[(Design, Chain)],
    workload: Workload,
    connections: usize,
) -> anyhow::Result<String> {
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); chains.len()];
    for (_, chain) in chains {
        load::run(chain.entry, workload, connections, 1).await?;
    }
    for round in 0..plan.rounds {
        for ((design, chain), figures) in chains.iter().zip(&mut all) {
            let before = chain.cpu_micros()?;
            let seen = load::run(chain.entry, workload, connections, plan.seconds).await?;
            let after = chain.cpu_micros()?;
            let per_request = |i: usize| (after[i] - before[i]) as f64 / seen.requests.max(1) as f64;
            let [a, b] = chain.resident_kb()?;
            let now = Figures {
                rate: seen.requests as f64 / seen.seconds,
                p50: seen.p50_ms,
                p99: seen.p99_ms,
                cpu: per_request(0) + per_request(1),
                system: per_request(1),
                errors: seen.errors,
                resident: a.max(b),
            };
            eprintln!(
                "round {round}: {}: {:.1} µs, {:.0}/s",
                design.name(),
                now.cpu,
                now.rate
            );
            figures.push(now);
        }
    }
    let medians: Vec<(Design, Figures)> = chains
        .iter()
        .map(|(d, _)| *d)
        .zip(all.iter().map(|f| median(f)))
        .collect();
    let yardstick = medians.iter().find(|(d, _)| *d == YARDSTICK).map(|(_, f)| *f);
    let mut table = String::from(
        "| design | requests/s | p50 ms | p99 ms | CPU µs/request, both proxies | of it kernel | MB, larger proxy | CPU, p50, p99 ÷ HAProxy HTTP/2 | errors |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (design, f) in medians {
        let ratio = yardstick.map_or("–".into(), |y| {
            let (cpu, p50, p99) = (f.cpu / y.cpu, f.p50 / y.p50, f.p99 / y.p99);
            format!("{cpu:.2}, {p50:.2}, {p99:.2}")
        });
        writeln!(
            table,
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {} | {ratio} | {} |",
            design.name(),
            f.rate,
            f.p50,
            f.p99,
            f.cpu,
            f.system,
            megabytes(f.resident),
            f.errors,
        )?;
    }
    Ok(table)
}

fn median(figures: &[Figures]) -> Figures {
    let of = |value: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        rate: of(|f| f.rate),
        p50: of(|f| f.p50),
        p99: of(|f| f.p99),
        cpu: of(|f| f.cpu),
        system: of(|f| f.system),
        errors: figures.iter().map(|f| f.errors).sum(),
        resident: figures.iter().map(|f| f.resident).max().unwrap_or_default(),
    }
}

/// With one decimal.
pub fn megabytes(kb: u64) -> String {
    format!("{:.1}", kb as f64 / 1024.0)
}
