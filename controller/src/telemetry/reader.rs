//! Answers for the whole mesh: what this replica holds, and what the others do, in one list.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use mesh_api::{
    histogram::Histogram,
    names::{TELEMETRY_GROUP, TELEMETRY_VERSION},
    telemetry::{Edge, EdgeList, Peer, Proxy, ProxyList, Tls},
};

use super::{Proxies, Replicas, Store};

/// Reads golden signals and proxies.
pub struct Reader {
    pub store: Arc<Store>,
    pub proxies: Arc<Proxies>,
    /// `None`: there are no others.
    pub replicas: Option<Replicas>,
}

impl Reader {
    /// The edges with traffic in the last `window` seconds, with their histograms.
    pub async fn edges(&self, namespace: Option<&str>, window: i64) -> EdgeList {
        let mut lists = match &self.replicas {
            Some(replicas) => {
                let window = u32::try_from(window).unwrap_or(u32::MAX);
                replicas.edges(namespace, window).await
            }
            None => Vec::new(),
        };
        let own = self.edges_here(namespace, window);
        if lists.is_empty() {
            return own;
        }
        lists.push(own);
        merge_edges(lists)
    }

    /// Every sidecar.
    pub async fn proxies(&self, namespace: Option<&str>) -> ProxyList {
        let mut lists = match &self.replicas {
            Some(replicas) => replicas.proxies(namespace).await,
            None => Vec::new(),
        };
        lists.push(self.proxies_here(namespace));
        merge_proxies(lists)
    }

    pub fn edges_here(&self, namespace: Option<&str>, window: i64) -> EdgeList {
        // The second that is not over yet would make every rate too low: proxies report once a second.
        let (window, items) = self
            .store
            .edges(namespace, window, Timestamp::now().as_second() - 1);
        edge_list(window, items)
    }

    pub fn proxies_here(&self, namespace: Option<&str>) -> ProxyList {
        proxy_list(self.proxies.list(namespace))
    }
}

fn edge_list(window_seconds: f64, items: Vec<Edge>) -> EdgeList {
    EdgeList {
        api_version: format!("{TELEMETRY_GROUP}/{TELEMETRY_VERSION}"),
        kind: "EdgeList".into(),
        window_seconds,
        items,
    }
}

fn proxy_list(items: Vec<Proxy>) -> ProxyList {
    ProxyList {
        api_version: format!("{TELEMETRY_GROUP}/{TELEMETRY_VERSION}"),
        kind: "ProxyList".into(),
        items,
    }
}

/// What makes two edges one: everything but the figures.
type EdgeKey = (Peer, Peer, String, String, String, Option<Tls>, String);

fn merge_edges(lists: Vec<EdgeList>) -> EdgeList {
    // A replica that has begun later covers less; its proxies were with another before.
    let window = lists.iter().map(|l| l.window_seconds).fold(0.0, f64::max);
    let mut merged: BTreeMap<EdgeKey, Edge> = BTreeMap::new();
    for edge in lists.into_iter().flat_map(|l| l.items) {
        let key = (
            edge.source.clone(),
            edge.destination.clone(),
            edge.route.clone(),
            edge.backend.clone(),
            edge.protocol.clone(),
            edge.tls.clone(),
            edge.plaintext_reason.clone(),
        );
        match merged.get_mut(&key) {
            Some(sum) => add(sum, edge),
            None => {
                merged.insert(key, edge);
            }
        }
    }
    let items = merged.into_values().map(|mut edge| {
        edge.rps = edge.requests as f64 / window.max(1.0);
        edge
    });
    edge_list(window, items.collect())
}

fn add(sum: &mut Edge, other: Edge) {
    sum.requests = sum.requests.saturating_add(other.requests);
    sum.failures = sum.failures.saturating_add(other.failures);
    sum.injected = sum.injected.saturating_add(other.injected);
    sum.bytes_sent = sum.bytes_sent.saturating_add(other.bytes_sent);
    sum.bytes_received = sum.bytes_received.saturating_add(other.bytes_received);
    sum.connections = sum.connections.saturating_add(other.connections);
    let mut latency = Histogram::default();
    for (bucket, count) in sum.latency.iter().chain(&other.latency) {
        latency.add(*bucket, *count);
    }
    let millis = |quantile| latency.quantile(quantile).map(|micros| micros / 1000.0);
    (sum.p50, sum.p95, sum.p99) = (millis(0.5), millis(0.95), millis(0.99));
    sum.latency = latency.buckets().collect();
    sum.success =
        (sum.requests > 0).then(|| sum.requests.saturating_sub(sum.failures) as f64 / sum.requests as f64);
}

/// Of a proxy that several replicas know, the one that it is connected to now knows best.
fn merge_proxies(lists: Vec<ProxyList>) -> ProxyList {
    let mut merged: HashMap<(String, String), Proxy> = HashMap::new();
    for proxy in lists.into_iter().flat_map(|l| l.items) {
        let key = (proxy.namespace.clone(), proxy.pod.clone());
        let knows_better = |known: &Proxy| {
            let rank = |p: &Proxy| (p.connected, p.certificate_not_after);
            rank(&proxy) > rank(known)
        };
        if merged.get(&key).is_none_or(knows_better) {
            merged.insert(key, proxy);
        }
    }
    let mut items: Vec<Proxy> = merged.into_values().collect();
    items.sort_by(|a, b| (&a.namespace, &a.pod).cmp(&(&b.namespace, &b.pod)));
    proxy_list(items)
}

#[cfg(test)]
mod tests {
    use mesh_api::histogram::bucket_of;

    use super::*;

    fn edge(source: &str, requests: u64, failures: u64, micros: u64) -> Edge {
        Edge {
            source: Peer {
                workload: source.into(),
                ..Peer::default()
            },
            requests,
            failures,
            latency: vec![(bucket_of(micros), requests)],
            ..Edge::default()
        }
    }

    #[test]
    fn what_replicas_saw_adds_up() {
        let merged = merge_edges(vec![
            edge_list(10.0, vec![edge("a", 90, 0, 1_000), edge("b", 5, 5, 1_000)]),
            edge_list(4.0, vec![edge("a", 10, 5, 50_000)]),
        ]);
        assert_eq!((merged.window_seconds, merged.items.len()), (10.0, 2));
        let a = &merged.items[0];
        assert_eq!((a.requests, a.success, a.rps), (100, Some(0.95), 10.0));
        assert!(a.p50.unwrap() < 1.1 && a.p99.unwrap() > 49.0, "{a:?}");
        assert_eq!(merged.items[1].requests, 5);
    }

    #[test]
    fn a_proxy_is_where_it_is_connected() {
        let proxy = |connected, acknowledged_sequence| Proxy {
            pod: "web-1".into(),
            connected,
            acknowledged_sequence,
            ..Proxy::default()
        };
        for lists in [
            [proxy(false, 9), proxy(true, 2)],
            [proxy(true, 2), proxy(false, 9)],
        ] {
            let merged = merge_proxies(lists.map(|p| proxy_list(vec![p])).to_vec());
            assert_eq!(merged.items.len(), 1);
            assert_eq!(
                (merged.items[0].connected, merged.items[0].acknowledged_sequence),
                (true, 2)
            );
        }
    }
}
