//! What both sides of a canary have shown, out of the mesh's golden signals.

use mesh_api::{histogram::Histogram, kinds::canary::SideFigures, telemetry::Edge};

use super::route::Side;

/// The traffic of everybody who called this side, over so many seconds.
pub fn figures(edges: &[Edge], namespace: &str, side: &Side, seconds: i64) -> SideFigures {
    let (mut requests, mut failures, mut latency) = (0u64, 0u64, Histogram::default());
    for edge in edges.iter().filter(|e| goes_to(e, namespace, side)) {
        requests = requests.saturating_add(edge.requests);
        failures = failures.saturating_add(edge.failures);
        for (bucket, count) in &edge.latency {
            latency.add(*bucket, *count);
        }
    }
    let millis = |q| latency.quantile(q).map(|micros| micros / 1000.0);
    SideFigures {
        requests,
        rps: requests as f64 / seconds as f64,
        success: (requests > 0).then(|| requests.saturating_sub(failures) as f64 / requests as f64),
        p50_millis: millis(0.5),
        p99_millis: millis(0.99),
    }
}

/// `backend/NAMESPACE/SERVICE:PORT[/SUBSET]`; without a backend, the service called.
fn goes_to(edge: &Edge, namespace: &str, side: &Side) -> bool {
    let name = edge.backend.strip_prefix("backend/").unwrap_or(&edge.backend);
    let mut parts = name.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(of), Some(service), subset) => {
            of == namespace
                && service.split(':').next() == Some(&side.service)
                && subset.unwrap_or_default() == side.subset
        }
        _ => {
            name.is_empty()
                && side.subset.is_empty()
                && edge.destination.namespace == namespace
                && edge.destination.service == side.service
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_apart_by_backend() {
        let edge = |backend: &str, requests, failures| Edge {
            backend: backend.into(),
            requests,
            failures,
            latency: vec![(40, requests)],
            ..Edge::default()
        };
        let edges = [
            edge("backend/shop/web:80", 90, 0),
            edge("backend/shop/web-v2:80", 7, 1),
            edge("backend/shop/web-v2:8080", 3, 4),
            edge("backend/other/web-v2:80", 1000, 0),
            edge("backend/shop/api:80/v1", 40, 0),
            edge("backend/shop/api:80/v2", 60, 6),
        ];
        let side = |service: &str, subset: &str| {
            let side = Side {
                service: service.into(),
                subset: subset.into(),
                ports: Vec::new(),
            };
            let found = figures(&edges, "shop", &side, 10);
            (found.requests, found.success)
        };
        assert_eq!(side("web", ""), (90, Some(1.0)));
        assert_eq!(side("web-v2", ""), (10, Some(0.5)));
        assert_eq!(side("api", "v2"), (60, Some(0.9)));
        assert_eq!(side("api", "v1"), (40, Some(1.0)));
        assert_eq!(side("api", ""), (0, None), "a part is not the service");
        assert_eq!(side("nobody", ""), (0, None));
        let all = figures(
            &edges,
            "shop",
            &Side {
                service: "web".into(),
                ..Side::default()
            },
            10,
        );
        assert!((all.rps - 9.0).abs() < 1e-9 && all.p99_millis.is_some());
    }
}
