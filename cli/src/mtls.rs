//! `meshctl mtls verify`: is every call encrypted, and who is at both ends, as presented and verified.

use anyhow::Result;
use mesh_api::telemetry::Edge;
use serde_json::json;

use crate::{
    cluster::Cluster,
    errors::Outcome,
    golden::{Scope, destination, peer},
    printer::{Printer, Tone},
    units,
};

/// Verify that calls are encrypted and by whom they are made
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show for every call whether it is secured, and why not; exit 1 when one is not
    #[command(after_help = "Examples:
  meshctl mtls verify -n shop
  meshctl mtls verify -A -o json")]
    Verify {
        #[command(flatten)]
        scope: Scope,
    },
}

pub async fn run(command: &Command, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let Command::Verify { scope } = command;
    let list = scope.edges(cluster).await?;
    let open = list.items.iter().filter(|e| e.tls.is_none()).count();
    let secure = list.items.len() - open;
    let outcome = if open == 0 { Outcome::Yes } else { Outcome::No };

    if printer.format.is_data() {
        printer.data(&json!({
            "secured": secure, "unsecured": open, "windowSeconds": list.window_seconds, "edges": list.items
        }))?;
        return Ok(outcome);
    }
    for edge in &list.items {
        for (i, line) in lines(edge, &cluster.namespace).iter().enumerate() {
            let tone = if edge.tls.is_some() { Tone::Good } else { Tone::Bad };
            let toned = if i == 0 {
                printer.tone(tone, line)
            } else {
                line.clone()
            };
            printer.line(toned)?;
        }
    }
    let span = units::show(scope.window);
    match (list.items.len(), open) {
        (0, _) => printer.say(format!(
            "no calls in {} within {span}; nothing to verify",
            scope.name(cluster)
        )),
        (_, 0) => printer.line(format!(
            "√ all calls of the last {span} are secured ({secure} edges)"
        ))?,
        (all, _) => printer.line(format!(
            "× {open} of {all} edges of the last {span} are not secured"
        ))?,
    }
    Ok(outcome)
}

fn lines(edge: &Edge, namespace: &str) -> Vec<String> {
    let from = peer(&edge.source, namespace);
    let to = destination(edge, namespace);
    let id = |identity: &str| {
        if identity.is_empty() {
            "none presented".into()
        } else {
            identity.to_owned()
        }
    };
    let (mark, how) = match &edge.tls {
        Some(tls) => ('√', format!("{}, key exchange {}", tls.version, tls.key_exchange)),
        None if edge.plaintext_reason.is_empty() => ('×', "plaintext".to_owned()),
        None => ('×', format!("plaintext: {}", edge.plaintext_reason)),
    };
    vec![
        format!("{mark} {from} calls {to}: {how}"),
        format!("    client  {}", id(&edge.source.identity)),
        format!("    server  {}", id(&edge.destination.identity)),
    ]
}

#[cfg(test)]
mod tests {
    use mesh_api::telemetry::{Peer, Tls};

    use super::*;

    #[test]
    fn says_how_or_why_not() {
        let mut edge = Edge {
            source: Peer {
                namespace: "a".into(),
                workload: "deploy/c".into(),
                ..Peer::default()
            },
            destination: Peer {
                namespace: "a".into(),
                workload: "deploy/s".into(),
                identity: "spiffe://x/ns/a/sa/s".into(),
                ..Peer::default()
            },
            plaintext_reason: "the caller has no sidecar".into(),
            ..Edge::default()
        };
        let open = lines(&edge, "a");
        assert_eq!(
            open[0],
            "× deploy/c calls deploy/s: plaintext: the caller has no sidecar"
        );
        assert_eq!(open[1], "    client  none presented");
        edge.tls = Some(Tls {
            version: "TLS 1.3".into(),
            key_exchange: "X25519".into(),
        });
        let lines = lines(&edge, "a");
        assert_eq!(
            lines[0],
            "√ deploy/c calls deploy/s: TLS 1.3, key exchange X25519"
        );
        assert_eq!(lines[2], "    server  spiffe://x/ns/a/sa/s");
    }
}
