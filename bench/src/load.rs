//! Load: wrk for requests, h2load for gRPC.

use std::{net::SocketAddr, process::Command};

use anyhow::Context;
use tokio::net::TcpStream;

use crate::{backend::MESSAGE, chain::App};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// A small answer.
    Get,
    /// An answer of 1 MB.
    Large,
    /// A gRPC call of one message each way, several at a time on each HTTP/2 connection.
    Grpc,
}

/// Calls under way at once on one HTTP/2 connection.
const CALLS: usize = 8;

impl Workload {
    fn path(self) -> &'static str {
        match self {
            Self::Get => "/",
            Self::Large => "/1m",
            Self::Grpc => "/shop.Hello/Say",
        }
    }

    /// What the app has to speak for it.
    pub fn app(self) -> App {
        match self {
            Self::Get | Self::Large => App::Http1,
            Self::Grpc => App::Grpc,
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
    if workload == Workload::Grpc {
        return grpc(to, connections, seconds).await;
    }
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

/// `connections` calls at once, on an eighth as many connections.
async fn grpc(to: SocketAddr, connections: usize, seconds: u64) -> anyhow::Result<Seen> {
    let directory = tempfile::tempdir()?;
    let (message, log) = (directory.path().join("message"), directory.path().join("log"));
    std::fs::write(&message, MESSAGE)?;
    let streams = CALLS.min(connections);
    let mut command = Command::new("h2load");
    command
        .args(["-t1", "-c", &(connections / streams).to_string()])
        .args(["-m", &streams.to_string(), "-D", &seconds.to_string()])
        .args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
        .arg(format!("--data={}", message.display()))
        .arg(format!("--log-file={}", log.display()))
        .arg(format!("http://{to}{}", Workload::Grpc.path()));
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .context("cannot run h2load (Debian package nghttp2-client)")?;
    anyhow::ensure!(
        output.status.success(),
        "h2load said: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    calls(&std::fs::read_to_string(log)?, seconds)
}

/// One call, whose answer must be the message that was meant and a good status of gRPC's own.
pub async fn call(to: SocketAddr) -> anyhow::Result<()> {
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(to).await?).await?;
    let driving = tokio::spawn(connection);
    let request = http::Request::post(format!("http://{to}{}", Workload::Grpc.path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (response, mut body) = client.send_request(request, false)?;
    body.send_data(bytes::Bytes::from_static(MESSAGE), true)?;
    let mut answer = response.await?.into_body();
    let mut message = Vec::new();
    while let Some(data) = answer.data().await {
        message.extend_from_slice(&data?);
    }
    let trailers = answer.trailers().await?.context("no trailers")?;
    driving.abort();
    let good = trailers.get("grpc-status").is_some_and(|status| status == "0");
    anyhow::ensure!(
        good && message == MESSAGE,
        "an answer of {} bytes, {trailers:?}",
        message.len()
    );
    Ok(())
}

/// A line per call: when it began, its status, how many microseconds it took.
fn calls(log: &str, seconds: u64) -> anyhow::Result<Seen> {
    let (mut took, mut errors) = (Vec::new(), 0);
    for line in log.lines() {
        let mut columns = line.split('\t').skip(1);
        let (status, micros) = (columns.next(), columns.next().context("a short line")?);
        if status == Some("200") {
            took.push(micros.parse::<u64>()?);
        } else {
            errors += 1;
        }
    }
    took.sort_unstable();
    let at = |hundredths: usize| -> anyhow::Result<f64> {
        let micros = took.get(took.len() * hundredths / 100).context("no answer")?;
        Ok(*micros as f64 / 1000.0)
    };
    Ok(Seen {
        requests: took.len() as u64,
        errors,
        seconds: seconds as f64,
        p50_ms: at(50)?,
        p99_ms: at(99)?,
    })
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
