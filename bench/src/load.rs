//! Load: wrk for requests, and our own connections where they only have to be there.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::chain::{Chain, Design};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// A small answer.
    Get,
    /// An answer of 1 MB.
    Large,
}

impl Workload {
    fn path(self) -> &'static str {
        match self {
            Self::Get => "/",
            Self::Large => "/1m",
        }
    }
}

/// What one run of the load generator saw.
#[derive(Clone, Debug)]
pub struct Seen {
    pub requests: u64,
    pub errors: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

pub async fn run(
    to: SocketAddr,
    workload: Workload,
    connections: usize,
    seconds: u64,
) -> anyhow::Result<Seen> {
    let mut command = Command::new("wrk");
    command
        .args([
            "-t1",
            "--latency",
            "-c",
            &connections.to_string(),
            "-d",
            &format!("{seconds}s"),
        ])
        .arg(format!("http://{to}{}", workload.path()));
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .context("cannot run wrk (Debian package wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse(&text).with_context(|| format!("wrk said: {text}"))
}

fn parse(text: &str) -> anyhow::Result<Seen> {
    let after = |label: &str| text.lines().find_map(|l| l.trim().strip_prefix(label));
    let counted = text
        .lines()
        .find(|l| l.contains(" requests in "))
        .context("no count")?;
    let (requests, rest) = counted.trim().split_once(" requests in ").context("no count")?;
    let took = rest.split(',').next().context("no time")?;
    let mut errors = 0;
    if let Some(line) = after("Socket errors:") {
        errors += line
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse::<u64>().ok())
            .sum::<u64>();
    }
    if let Some(line) = after("Non-2xx or 3xx responses:") {
        errors += line.trim().parse::<u64>()?;
    }
    Ok(Seen {
        requests: requests.trim().parse()?,
        errors,
        seconds: millis(took)? / 1000.0,
        p50_ms: millis(after("50%").context("no p50")?)?,
        p99_ms: millis(after("99%").context("no p99")?)?,
    })
}

/// "350.00us", "1.20ms", "4.00s" in milliseconds.
fn millis(text: &str) -> anyhow::Result<f64> {
    let text = text.trim();
    let (number, scale) = if let Some(n) = text.strip_suffix("us") {
        (n, 0.001)
    } else if let Some(n) = text.strip_suffix("ms") {
        (n, 1.0)
    } else if let Some(n) = text.strip_suffix('m') {
        (n, 60_000.0)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1000.0)
    };
    Ok(number.parse::<f64>()? * scale)
}

/// Opens connections, sends one request on each, leaves them idle, and prints what each costs our proxies.
pub async fn idle(connections: usize) -> anyhow::Result<()> {
    let chain = Chain::start(Design::Ours, 1).await?;
    run(chain.entry, Workload::Get, 32, 1).await?;
    let before = chain.resident_kb()?;
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut stream = TcpStream::connect(chain.entry)
            .await
            .context("too few descriptors? see `ulimit -n`")?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n").await?;
        let mut answer = [0; 1024];
        anyhow::ensure!(stream.read(&mut answer).await? > 0, "closed instead of answered");
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = chain.resident_kb()?;
    for (name, before, after) in [("A", before[0], after[0]), ("B", before[1], after[1])] {
        let each = (after.saturating_sub(before)) as f64 / connections as f64;
        println!(
            "proxy {name}: {before} kB before, {after} kB with {connections} idle connections, {each:.2} kB each"
        );
    }
    drop(held);
    Ok(())
}
