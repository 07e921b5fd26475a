//! Rounds, medians, ratios, and the table.

use std::fmt::Write as _;

use crate::{
    Plan,
    chain::{Chain, Design},
    load::{self, Workload},
};

/// The peer that others are compared with.
const YARDSTICK: Design = Design::HaproxyH2;

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

pub async fn run(plan: &Plan) -> anyhow::Result<()> {
    let wanted: &[Design] = if plan.only.is_empty() {
        &Design::ALL
    } else {
        &plan.only
    };
    let mut chains = Vec::new();
    for design in wanted {
        match Chain::start(*design, plan.workers).await {
            Ok(chain) => chains.push((*design, chain)),
            Err(error) => eprintln!("left out: {}: {error:#}", design.name()),
        }
    }
    let mut text = String::new();
    for (design, chain) in &chains {
        let [a, b] = chain.resident_kb()?;
        writeln!(
            text,
            "{}: {} MB and {} MB resident before load",
            design.name(),
            tenth(a),
            tenth(b)
        )?;
    }
    for workload in &plan.workload {
        for connections in &plan.connections {
            let table = measure(plan, &chains, *workload, *connections).await?;
            writeln!(
                text,
                "\n{workload:?}, {connections} connections, {} rounds of {} s, {} worker(s) per proxy\n\n{table}",
                plan.rounds, plan.seconds, plan.workers
            )?;
        }
    }
    println!("{text}");
    if let Some(path) = &plan.report {
        std::fs::write(path, &text)?;
    }
    Ok(())
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
        "| design | requests/s | p50 ms | p99 ms | CPU µs/request, both proxies | of it kernel | MB, larger proxy | CPU ÷ HAProxy HTTP/2 | errors |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (design, f) in medians {
        let ratio = yardstick.map_or("–".into(), |y| format!("{:.2}", f.cpu / y.cpu));
        writeln!(
            table,
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {} | {ratio} | {} |",
            design.name(),
            f.rate,
            f.p50,
            f.p99,
            f.cpu,
            f.system,
            tenth(f.resident),
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

fn tenth(kb: u64) -> String {
    format!("{:.1}", kb as f64 / 1024.0)
}
