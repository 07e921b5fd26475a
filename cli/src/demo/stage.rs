//! Where the demo plays: runs real `meshctl` commands against its sandbox and shows what they print.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{ListParams, LogParams},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
    sync::mpsc,
};

use super::evidence::Counts;
use crate::{app::client::Summary, args::Cli, cluster::Cluster, printer::Printer, why};

/// The namespace of the demo's shop.
pub const SHOP: &str = "shop";
/// No single command of the demo may take longer.
const PATIENCE: Duration = Duration::from_secs(75);

pub struct Stage {
    pub cluster: Cluster,
    pub printer: Printer,
    kubeconfig: PathBuf,
}

/// What a command printed, and when.
pub struct Performed {
    pub success: bool,
    pub lines: Vec<(i64, String)>,
}

impl Stage {
    pub async fn new(kubeconfig: PathBuf, printer: Printer) -> Result<Self> {
        let path = kubeconfig.to_string_lossy().into_owned();
        let line = [
            "meshctl",
            "version",
            "--kubeconfig",
            path.as_str(),
            "-n",
            SHOP,
            "--timeout",
            "60s",
        ];
        let cluster = Cluster::find(&Cli::try_parse_from(line)?.global).await?;
        Ok(Self {
            cluster,
            printer,
            kubeconfig,
        })
    }

    /// Says what comes next.
    pub fn explain(&self, text: &str) -> Result<()> {
        self.printer.line(format!("\n# {text}"))
    }

    /// Runs a command before the audience; anything but success ends the demo.
    pub async fn run(&self, line: &str) -> Result<Performed> {
        let done = self.perform(line).await?;
        if !done.success {
            bail!("`meshctl {line}` failed");
        }
        Ok(done)
    }

    /// Runs a command that is meant to answer no.
    pub async fn run_and_hear_no(&self, line: &str) -> Result<Performed> {
        let done = self.perform(line).await?;
        if done.success {
            bail!("`meshctl {line}` answered yes");
        }
        Ok(done)
    }

    async fn perform(&self, line: &str) -> Result<Performed> {
        self.printer.line(format!("$ meshctl {line}"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(line.split(' '))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot run meshctl")?;
        let (sender, mut lines) = mpsc::unbounded_channel();
        if let Some(out) = child.stdout.take() {
            tokio::spawn(forward(out, sender.clone()));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(forward(err, sender));
        }
        let mut printed = Vec::new();
        let all = async {
            while let Some((at, line)) = lines.recv().await {
                self.printer.line(format!("  {line}"))?;
                printed.push((at, line));
            }
            anyhow::Ok(child.wait().await?)
        };
        let status = tokio::time::timeout(PATIENCE, all)
            .await
            .with_context(|| format!("`meshctl {line}` takes too long"))??;
        Ok(Performed {
            success: status.success(),
            lines: printed,
        })
    }

    /// Asks until the answer is there; the last reason why not is the error.
    pub async fn until<T>(&self, what: &str, limit: Duration, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error).with_context(|| format!("{what}: not within {limit:?}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// Pods of a label selector that are not ending.
    pub async fn pods(&self, selector: &str) -> Result<Vec<Pod>> {
        let list = self
            .cluster
            .pods(SHOP)
            .list(&ListParams::default().labels(selector))
            .await?;
        Ok(list
            .items
            .into_iter()
            .filter(|p| p.metadata.deletion_timestamp.is_none())
            .collect())
    }

    /// The log of the app in the newest pod of a label selector.
    pub async fn log(&self, selector: &str) -> Result<String> {
        let mut pods = self.pods(selector).await?;
        pods.sort_by_key(|p| p.creation_timestamp().map(|t| t.0));
        let pod = pods.last().with_context(|| format!("no pod of {selector}"))?;
        let params = LogParams {
            container: Some("app".into()),
            tail_lines: Some(2000),
            ..LogParams::default()
        };
        let log = self.cluster.pods(SHOP).logs(&pod.name_any(), &params).await;
        log.with_context(|| format!("cannot read the log of {}", pod.name_any()))
    }

    /// What the client has counted, second by second.
    pub async fn client(&self) -> Result<Vec<Summary>> {
        let log = self.log("app=client").await?;
        Ok(log.lines().filter_map(|l| serde_json::from_str(l).ok()).collect())
    }

    /// What the client counts from now on, for some seconds.
    pub async fn watch_client(&self, seconds: usize) -> Result<Counts> {
        let began = now();
        let limit = Duration::from_secs(seconds as u64 + 15);
        self.until("the client's figures", limit, async || {
            let after = Counts::between(&self.client().await?, began, i64::MAX);
            if after.seconds >= seconds {
                Ok(after)
            } else {
                bail!("{} of {seconds} seconds seen", after.seconds)
            }
        })
        .await
    }

    /// After a failure: whatever is not ready, and why.
    pub async fn tell_troubles(&self) {
        for namespace in [self.cluster.mesh_namespace.as_str(), SHOP] {
            for line in why::pods_are_not_ready(&self.cluster, namespace, "").await {
                self.printer.say(format!("  {namespace}: {line}"));
            }
        }
    }
}

/// Unix milliseconds.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

async fn forward(stream: impl AsyncRead + Unpin, sender: mpsc::UnboundedSender<(i64, String)>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if sender.send((now(), line)).is_err() {
            break;
        }
    }
}
