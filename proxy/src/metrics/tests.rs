use std::{cell::Cell, rc::Rc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::*;
use crate::exchange::{Observer, Outcome};

fn key(workload: &str) -> EdgeKey {
    EdgeKey {
        direction: Direction::Outbound,
        destination: wire::Peer {
            workload: workload.into(),
            ..wire::Peer::default()
        },
        route: "default".into(),
        backend: "b".into(),
        protocol: Protocol::Http1,
        plaintext: "",
    }
}

fn recorder(edge: &Rc<Edge>, status: u16, grpc: Option<Option<u32>>) -> Recorder {
    Recorder {
        edge: edge.clone(),
        status: StatusCode::from_u16(status).unwrap(),
        grpc,
        injected: false,
        latency: Duration::from_millis(3),
        sent: Rc::new(Cell::new(10)),
        tls: None,
        denied: false,
        rate_limited: false,
        live: None,
        judge: None,
        line: None,
        held: Vec::new(),
    }
}

#[test]
fn success_is_what_the_design_says() {
    for (status, grpc, outcome, failed) in [
        (200, None, Outcome::Complete, false),
        (404, None, Outcome::Complete, false),
        (503, None, Outcome::Complete, true),
        (200, None, Outcome::Broken, true),
        (200, None, Outcome::TimedOut, true),
        (200, None, Outcome::Abandoned, false),
        (200, Some(Some(0)), Outcome::Complete, false),
        (200, Some(Some(5)), Outcome::Complete, false),
        (200, Some(Some(14)), Outcome::Complete, true),
        (200, Some(None), Outcome::Complete, true),
        (200, Some(None), Outcome::Abandoned, false),
    ] {
        let edge = Rc::new(Edge::default());
        recorder(&edge, status, grpc).ended(outcome, 5);
        let counts = edge.0.borrow();
        let case = (status, grpc, outcome);
        assert_eq!(
            (counts.requests, counts.failures),
            (1, u64::from(failed)),
            "{case:?}"
        );
        assert_eq!((counts.bytes_sent, counts.bytes_received), (10, 5), "{case:?}");
    }
}

#[test]
fn a_grpc_status_in_trailers_decides() {
    let edge = Rc::new(Edge::default());
    let mut recorder = recorder(&edge, 200, Some(None));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("13"));
    recorder.trailers(&trailers);
    recorder.ended(Outcome::Complete, 0);
    let counts = edge.0.borrow();
    assert_eq!((counts.failures, &counts.grpc_codes[..]), (1, &[(13, 1)][..]));
}

#[test]
fn workers_add_up_and_each_delta_is_reported_once() {
    let metrics = Metrics::default();
    let own = wire::Peer {
        pod: "me".into(),
        ..wire::Peer::default()
    };
    for shard in [Shard::default(), Shard::default()] {
        let edge = shard.edge(key("web"));
        assert!(
            Rc::ptr_eq(&edge, &shard.edge(key("web"))),
            "one edge, one counter"
        );
        recorder(&edge, 200, None).ended(Outcome::Complete, 1);
        metrics.absorb(shard.flush());
        metrics.absorb(shard.flush());
    }
    let reported = metrics.take_pending(&own);
    assert_eq!(reported.len(), 1);
    assert_eq!(
        (
            reported[0].requests,
            reported[0].codes[&200],
            reported[0].counts.iter().sum()
        ),
        (2, 2, 2u64)
    );
    assert_eq!(reported[0].source.as_ref().unwrap().pod, "me");
    assert!(metrics.take_pending(&own).is_empty());
    let mut text = String::new();
    metrics.prometheus(&mut text, &own);
    assert!(
        text.lines()
            .any(|l| l.starts_with("meshctl_requests_total{") && l.ends_with("code=\"200\"} 2"))
    );
    assert!(text.contains("le=\"0.005\"} 2\n"), "{text}");
    assert!(text.contains("le=\"0.0025\"} 0\n"), "{text}");
}

#[test]
fn edges_nobody_uses_are_forgotten_after_their_last_counts_are_out() {
    let shard = Shard::default();
    let edge = shard.edge(key("web"));
    edge.count(|c| c.connections += 1);
    drop(edge);
    assert_eq!(shard.flush().edges.len(), 1);
    assert!(shard.flush().edges.is_empty());
    assert!(shard.edges.borrow().is_empty());
}

#[test]
fn the_number_of_edges_is_bounded() {
    let shard = Shard::default();
    let kept: Vec<_> = (0..MOST_EDGES + 100)
        .map(|i| shard.edge(key(&i.to_string())))
        .collect();
    assert_eq!(shard.edges.borrow().len(), MOST_EDGES + 1);
    for edge in &kept {
        edge.count(|c| c.requests += 1);
    }
    let metrics = Metrics::default();
    metrics.absorb(shard.flush());
    assert_eq!(
        metrics
            .take_pending(&wire::Peer::default())
            .iter()
            .map(|e| e.requests)
            .sum::<u64>(),
        5_100
    );
}

#[test]
fn this_process_has_a_size_and_has_run() {
    assert!(super::report::memory_bytes().unwrap() > 100_000);
    assert!(super::report::cpu_micros().is_some());
}

#[test]
fn a_long_connection_stays_secured_in_later_reports() {
    let shard = Shard::default();
    let edge = shard.edge(key("a"));
    edge.count(|c| {
        c.connections = 1;
        c.tls = Some(Arc::new(wire::Secured::default()));
    });
    shard.flush();
    edge.count(|c| c.bytes_sent = 5);
    assert!(shard.flush().edges[0].1.tls.is_some());
    assert!(
        shard.flush().edges.is_empty(),
        "what is secured alone is nothing to report"
    );
}
