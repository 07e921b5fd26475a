//! `mtls verify --probe`: from inside the sidecar of one workload to the ports of all others, in every way that a caller
//! could try.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::verify::Meshed;
use crate::{
    cluster::Cluster,
    pods,
    printer::{Printer, Tone},
    probe::{Attempt, Attempts},
};

/// One port of a workload, as probed.
#[derive(Clone, Debug, Serialize)]
pub struct Probed {
    pub namespace: String,
    pub workload: String,
    pub port: u16,
    /// What is declared for the port.
    pub mode: String,
    /// Who connected.
    pub from: String,
    /// Whether the app has the port open at all.
    pub listening: bool,
    #[serde(flatten)]
    pub attempts: Attempts,
}

impl Probed {
    /// Each way, whether it should be accepted, and how it ended.
    fn ways(&self) -> [(&'static str, bool, &Attempt); 4] {
        let attempts = &self.attempts;
        [
            ("plaintext", self.mode != "STRICT", &attempts.plaintext),
            ("no client certificate", false, &attempts.no_client_certificate),
            ("foreign CA", false, &attempts.foreign_ca),
            ("valid certificate", true, &attempts.valid),
        ]
    }

    pub fn as_declared(&self) -> bool {
        // Whoever gets as far as the app finds nobody there, whatever is declared.
        let reaches_app = |way: &str| way == "plaintext";
        self.ways()
            .iter()
            .all(|(way, wanted, got)| *wanted == got.accepted || (reaches_app(way) && !self.listening))
    }

    pub fn print(&self, namespace: &str, printer: &Printer) -> Result<()> {
        let place = if self.namespace == namespace {
            String::new()
        } else {
            format!("{}/", self.namespace)
        };
        printer.line(format!(
            "{place}{} port {} ({}), from {}",
            self.workload, self.port, self.mode, self.from
        ))?;
        for line in self.lines() {
            let shown = match line.chars().next() {
                Some('√') => printer.tone(Tone::Good, &line),
                Some('×') => printer.tone(Tone::Bad, &line),
                _ => line,
            };
            printer.line(format!("  {shown}"))?;
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let line = |(way, wanted, got): &(&str, bool, &Attempt)| {
            if *way == "plaintext" && !self.listening && *wanted {
                return "– plaintext: would be accepted, but nothing listens there".to_owned();
            }
            let ended = if got.accepted { "accepted" } else { "refused" };
            if *wanted == got.accepted {
                format!("√ {way}: {ended} as declared, {}", got.detail)
            } else {
                let declared = if *wanted { "accepted" } else { "refused" };
                format!("× {way}: {ended}, and should be {declared}: {}", got.detail)
            }
        };
        self.ways().iter().map(line).collect()
    }
}

/// Probes all ports of all workloads.
pub async fn all(workloads: &[Meshed], cluster: &Cluster, printer: &Printer) -> Result<Vec<Probed>> {
    let mut progress = printer.progress("probing");
    let mut found = Vec::new();
    for target in workloads.iter().filter(|w| !w.ports.is_empty()) {
        // From another workload: a pod reaches itself without its sidecar.
        let Some(source) = workloads.iter().find(|w| w.pod != target.pod) else {
            printer.warn(format!(
                "{} is not probed: there is no other workload with a sidecar to call from",
                target.workload
            ));
            continue;
        };
        progress.set(format!("probing {} from {}", target.workload, source.workload));
        let ip: IpAddr = target.address.parse().context("a pod has no address")?;
        let mut words = vec!["probe".to_owned(), "connect".to_owned()];
        words.extend(
            target
                .ports
                .keys()
                .map(|port| format!("{}={}", SocketAddr::new(ip, *port), target.identity)),
        );
        let open = target.ports.iter().filter(|(_, mode)| *mode != "STRICT");
        words.extend(open.map(|(port, _)| format!("--open={}", SocketAddr::new(ip, *port))));
        let pod: Pod = cluster.pods(&source.namespace).get(&source.pod).await?;
        let text = pods::inside(cluster, &pod, words).await?;
        let attempts: Vec<Attempts> =
            serde_json::from_str(text.trim()).context("the probe's answer cannot be understood")?;
        for (attempts, (port, mode)) in attempts.into_iter().zip(&target.ports) {
            // An open port that refuses is one that nobody has opened, or is not as it should be.
            let listening = mode == "STRICT"
                || attempts.plaintext.accepted
                || listens(cluster, target, SocketAddr::new(ip, *port)).await?;
            found.push(Probed {
                listening,
                namespace: target.namespace.clone(),
                workload: target.workload.clone(),
                port: *port,
                mode: mode.clone(),
                from: source.workload.clone(),
                attempts,
            });
        }
    }
    Ok(found)
}

/// Whether the app of a workload listens on a port: asked beside it.
async fn listens(cluster: &Cluster, target: &Meshed, address: SocketAddr) -> Result<bool> {
    let pod: Pod = cluster.pods(&target.namespace).get(&target.pod).await?;
    let words = vec!["probe".to_owned(), "listens".to_owned(), address.to_string()];
    let text = pods::inside(cluster, &pod, words).await?;
    let answers: Vec<bool> =
        serde_json::from_str(text.trim()).context("the probe's answer cannot be understood")?;
    Ok(answers == [true])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_decides() {
        let attempt = |accepted| Attempt {
            accepted,
            detail: "so".into(),
        };
        let mut probed = Probed {
            namespace: "shop".into(),
            workload: "deploy/web".into(),
            port: 80,
            mode: "PERMISSIVE".into(),
            from: "deploy/client".into(),
            listening: true,
            attempts: Attempts {
                address: "10.0.0.1:80".parse().unwrap(),
                plaintext: attempt(true),
                no_client_certificate: attempt(false),
                foreign_ca: attempt(false),
                valid: attempt(true),
            },
        };
        assert!(probed.as_declared());
        probed.attempts.plaintext = attempt(false);
        assert!(!probed.as_declared(), "somebody listens, and is not reached");
        probed.listening = false;
        assert!(probed.as_declared(), "{:?}", probed.lines());
        assert_eq!(
            probed.lines()[0],
            "– plaintext: would be accepted, but nothing listens there"
        );
        (probed.attempts.plaintext, probed.listening) = (attempt(true), true);
        probed.mode = "STRICT".into();
        assert!(!probed.as_declared());
        assert_eq!(
            probed.lines()[0],
            "× plaintext: accepted, and should be refused: so"
        );
        assert_eq!(
            probed.lines()[1],
            "√ no client certificate: refused as declared, so"
        );
    }
}
