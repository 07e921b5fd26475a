//! What our proxies hold in memory: with nothing to do, with idle connections, with many endpoints.

use std::{fmt::Write as _, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    chain::{App, Chain, Design},
    load::{self, Workload},
    report::megabytes,
};

#[derive(clap::Args)]
pub struct Idle {
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
}

#[derive(clap::Args)]
pub struct Endpoints {
    #[arg(long, default_value_t = 1000)]
    pub endpoints: usize,
}

/// How long a chain is left alone until what its start needed is over.
const SETTLE: Duration = Duration::from_secs(6);

/// Says what our proxies hold before they have anything to do; then opens connections, sends one request on each, leaves
/// them idle, and says what each costs.
pub async fn idle(Idle { connections }: Idle) -> anyhow::Result<String> {
    let chain = Chain::start(Design::Ours, App::Http1, 1, 1).await?;
    tokio::time::sleep(SETTLE).await;
    let [calling, called] = chain.resident_kb()?;
    load::run(chain.entry, Workload::Get, 32, 1).await?;
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
    let mut text = format!(
        "without traffic since their start: calling proxy {} MB, called proxy {} MB\n",
        megabytes(calling),
        megabytes(called)
    );
    for (name, before, after) in [("calling", before[0], after[0]), ("called", before[1], after[1])] {
        let each = (after.saturating_sub(before)) as f64 / connections as f64;
        writeln!(
            text,
            "{connections} idle connections, {name} proxy: {before} kB before, {after} kB with them, {each:.2} kB each"
        )?;
    }
    drop(held);
    Ok(text)
}

/// What a service of many endpoints costs its caller: once they are known, and once all have been called.
pub async fn endpoints(Endpoints { endpoints }: Endpoints) -> anyhow::Result<String> {
    let chain = Chain::start(Design::Ours, App::Http1, 1, endpoints).await?;
    tokio::time::sleep(SETTLE).await;
    let [known, _] = chain.resident_kb()?;
    load::run(chain.entry, Workload::Get, 128, 3).await?;
    let [called, server] = chain.resident_kb()?;
    Ok(format!(
        "{endpoints} endpoints discovered: {} MB in the calling proxy; after load on all of them {} MB, and {} MB in the called one\n",
        megabytes(known),
        megabytes(called),
        megabytes(server)
    ))
}
