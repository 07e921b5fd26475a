//! Sends what was counted to the control plane, once a second.
//!
//! Reports carry a number, so that sending one twice is harmless: after a broken stream the last ones are sent
//! again. While the control plane is away nothing queues up here: counts simply go on adding up.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mesh_api::{
    names,
    wire::{self, Report, telemetry_client::TelemetryClient},
};
use mesh_net::tls::Credentials;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::Metrics;
use crate::{backoff::Backoff, discovery::Directory, identity::describe, settings::Settings};

const EVERY: Duration = Duration::from_secs(1);
/// Reports sent, but perhaps lost with the connection.
const UNCERTAIN: usize = 16;

/// What reports are made from.
pub struct Source {
    pub settings: Arc<Settings>,
    pub directory: Arc<Directory>,
    pub metrics: Arc<Metrics>,
    pub credentials: Credentials,
}

/// Reports for as long as it is polled.
pub async fn report(source: Source, channel: Channel) {
    let process = fastrand::u64(1..);
    let mut sequence = 0;
    let mut uncertain: VecDeque<Report> = VecDeque::new();
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15));
    loop {
        while !source.credentials.is_set() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (sender, receiver) = mpsc::channel(UNCERTAIN + 2);
        let mut client = TelemetryClient::new(channel.clone());
        let sending = client.send(ReceiverStream::new(receiver));
        let feeding = async {
            for again in &uncertain {
                if sender.send(again.clone()).await.is_err() {
                    return;
                }
            }
            let mut ticks = tokio::time::interval_at(first_tick(), EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                // Counts are only taken when there is room for them.
                let Ok(room) = sender.reserve().await else { return };
                sequence += 1;
                let report = source.next(process, sequence);
                if uncertain.len() == UNCERTAIN {
                    uncertain.pop_front();
                    backoff.reset();
                }
                uncertain.push_back(report.clone());
                room.send(report);
            }
        };
        tokio::select! {
            ended = sending => match ended {
                Ok(_) => tracing::debug!("the control plane ended the report stream"),
                Err(status) => tracing::debug!(error = describe(&status), "reports cannot be sent"),
            },
            () = feeding => {}
        }
        backoff.wait().await;
    }
}

impl Source {
    fn next(&self, process: u64, sequence: u64) -> Report {
        let own = own(&self.settings, &self.directory);
        let app = self.metrics.app();
        Report {
            process,
            sequence,
            pod: self.settings.pod.clone(),
            edges: self.metrics.take_pending(&own),
            health: Some(wire::ProxyHealth {
                version: names::VERSION.into(),
                certificate_not_after: self.credentials.validity().map_or(0, |(_, not_after)| not_after),
                acknowledged_sequence: self.directory.acknowledged.load(Ordering::Relaxed),
                rejected: self.directory.rejected(),
                memory_bytes: memory_bytes().unwrap_or(0),
                cpu_micros: cpu_micros().unwrap_or(0),
                app_requests: app.requests,
                app_micros: app.micros,
            }),
        }
    }
}

/// When reports begin: so that each falls well within a second of the clock. The control plane adds up whole seconds, and
/// shall not find two reports in one of them and none in the next.
fn first_tick() -> tokio::time::Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let aim = fastrand::u64(150..850);
    let wait = (aim + 1000 - u64::from(since.subsec_millis())) % 1000;
    tokio::time::Instant::now() + Duration::from_millis(wait)
}

/// This pod, as reports and metrics describe it.
pub fn own(settings: &Settings, directory: &Directory) -> wire::Peer {
    let inbound = directory.inbound();
    wire::Peer {
        namespace: settings.identity.namespace.clone(),
        workload: inbound.as_ref().map(|i| i.workload.clone()).unwrap_or_default(),
        pod: settings.pod.clone(),
        identity: settings.identity.to_string(),
        ..wire::Peer::default()
    }
}

/// Resident memory of this process.
pub fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Processor time of this process, all threads.
pub fn cpu_micros() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    // Clock ticks are hundredths of a second on every Linux that userspace gets to see.
    Some((user + system) * 10_000)
}
