//! What both sides of a canary have shown, out of the mesh's golden signals.

use mesh_api::{histogram::Histogram, kinds::canary::SideFigures, telemetry::Edge};

use super::route::Side;
use crate::model::Key;

/// What those who called the service got of this side, over so many seconds. Whoever calls the side by its own name is
/// no part of the shift.
pub fn figures(edges: &[Edge], service: &Key, side: &Side, seconds: f64) -> SideFigures {
    let (mut requests, mut failures, mut latency) = (0u64, 0u64, Histogram::default());
    let called =
        |e: &&Edge| e.destination.service == service.name && e.called_namespace() == service.namespace;
    let of_service = edges.iter().filter(called);
    for edge in of_service.filter(|e| goes_to(e, &service.namespace, side)) {
        requests = requests.saturating_add(edge.requests);
        failures = failures.saturating_add(edge.failures);
        for (bucket, count) in &edge.latency {
            latency.add(*bucket, *count);
        }
    }
    let millis = |q| latency.quantile(q).map(|micros| micros / 1000.0);
    SideFigures {
        requests,
        rps: requests as f64 / seconds,
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
    use mesh_api::telemetry::Peer;

    use super::*;

    #[test]
    fn sides_are_told_apart_by_backend() {
        let edge = |backend: &str, requests, failures| Edge {
            backend: backend.into(),
            requests,
            failures,
            latency: vec![(40, requests)],
            destination: Peer {
                namespace: backend.split('/').nth(1).unwrap_or_default().into(),
                service: "web".into(),
                ..Peer::default()
            },
            ..Edge::default()
        };
        let by_another_name = |service: &str, namespace: &str| {
            let mut edge = edge("backend/shop/web-v2:80", 500, 500);
            edge.destination.service = service.into();
            edge.destination.service_namespace = namespace.into();
            edge
        };
        let edges = [
            edge("backend/shop/web:80", 90, 0),
            edge("backend/shop/web-v2:80", 7, 1),
            edge("backend/shop/web-v2:8080", 3, 4),
            edge("backend/other/web-v2:80", 1000, 0),
            by_another_name("web-v2", ""),
            by_another_name("", ""),
            by_another_name("web", "other"),
            edge("backend/shop/api:80/v1", 40, 0),
            edge("backend/shop/api:80/v2", 60, 6),
        ];
        let web = Key::new("shop", "web");
        let side = |service: &str, subset: &str| {
            let side = Side {
                service: service.into(),
                subset: subset.into(),
                ports: Vec::new(),
            };
            let found = figures(&edges, &web, &side, 10.0);
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
            &web,
            &Side {
                service: "web".into(),
                ..Side::default()
            },
            10.0,
        );
        assert!((all.rps - 9.0).abs() < 1e-9 && all.p99_millis.is_some());
    }
}
