//! Whose reports are taken, how they add up, and what the API says.

use std::sync::Arc;

use mesh_api::{histogram::bucket_of, identity::Identity, wire};
use serde_json::json;

use super::{
    Proxies, Reader, Receiver, Store,
    api::{self, Asked, NoAnswer},
};

const NOW: i64 = 1_000_000;

fn id(namespace: &str, name: &str) -> Identity {
    Identity::new("cluster.local", namespace, name)
}

fn peer(namespace: &str, name: &str, identity: bool) -> wire::Peer {
    wire::Peer {
        namespace: namespace.into(),
        workload: format!("deploy/{name}"),
        pod: format!("{name}-1"),
        identity: if identity {
            id(namespace, name).to_string()
        } else {
            String::new()
        },
        ..wire::Peer::default()
    }
}

/// `client` (shop) calls `web` (shop) at one version of it.
fn edge(backend: &str, requests: u64, failures: u64, millis: u64) -> wire::EdgeDelta {
    wire::EdgeDelta {
        source: Some(peer("shop", "client", true)),
        destination: Some(wire::Peer {
            service: "web".into(),
            port: 80,
            ..peer("shop", "web", true)
        }),
        route: "default".into(),
        backend: backend.into(),
        protocol: "http/1.1".into(),
        tls: Some(wire::Secured {
            version: "TLS 1.3".into(),
            key_exchange: "X25519MLKEM768".into(),
            ..wire::Secured::default()
        }),
        requests,
        failures,
        buckets: vec![bucket_of(millis * 1000)],
        counts: vec![requests],
        ..wire::EdgeDelta::default()
    }
}

fn receiver() -> Receiver {
    let (store, proxies) = (Arc::new(Store::new(NOW - 10_000)), Arc::default());
    Receiver::new(
        store,
        proxies,
        Arc::default(),
        tokio_util::sync::CancellationToken::new(),
    )
}

fn report(process: u64, sequence: u64, edges: Vec<wire::EdgeDelta>) -> wire::Report {
    wire::Report {
        process,
        sequence,
        edges,
        ..wire::Report::default()
    }
}

#[test]
fn takes_only_what_is_the_senders_own() {
    let plaintext_in = |to: wire::Peer| wire::EdgeDelta {
        source: Some(peer("", "", false)),
        destination: Some(to),
        ..edge("", 1, 0, 1)
    };
    let cases = [
        ("its own calls", id("shop", "client"), edge("", 1, 0, 1), true),
        ("another's calls", id("shop", "evil"), edge("", 1, 0, 1), false),
        (
            "calls to itself that the caller counts",
            id("shop", "web"),
            edge("", 1, 0, 1),
            false,
        ),
        (
            "callers without a sidecar",
            id("shop", "web"),
            plaintext_in(peer("shop", "web", true)),
            true,
        ),
        (
            "plaintext to others",
            id("shop", "evil"),
            plaintext_in(peer("shop", "web", true)),
            false,
        ),
        (
            "its identity, another's namespace",
            id("shop", "client"),
            wire::EdgeDelta {
                source: Some(wire::Peer {
                    namespace: "bank".into(),
                    ..peer("shop", "client", true)
                }),
                ..edge("", 1, 0, 1)
            },
            false,
        ),
        (
            "nobody",
            id("shop", "client"),
            wire::EdgeDelta {
                source: None,
                ..edge("", 1, 0, 1)
            },
            false,
        ),
    ];
    for (what, sender, delta, taken) in cases {
        let receiver = receiver();
        receiver.take(&sender, &report(1, 1, vec![delta]), NOW);
        assert_eq!(
            receiver.store.edges(None, 10, NOW).1.len(),
            usize::from(taken),
            "{what}"
        );
    }
}

#[test]
fn a_report_counts_once() {
    let receiver = receiver();
    let sender = id("shop", "client");
    let first = report(1, 1, vec![edge("", 5, 0, 1)]);
    assert!(receiver.take(&sender, &first, NOW));
    assert!(!receiver.take(&sender, &first, NOW), "sent again");
    assert!(receiver.take(&sender, &report(1, 2, vec![edge("", 5, 0, 1)]), NOW));
    assert!(!receiver.take(&sender, &report(1, 1, vec![]), NOW), "late");
    assert!(
        receiver.take(&sender, &report(2, 1, vec![edge("", 5, 0, 1)]), NOW),
        "another process"
    );
    assert!(
        receiver.take(&id("shop", "other"), &report(1, 2, vec![]), NOW),
        "another sender's numbers are its own"
    );
    assert_eq!(receiver.store.edges(None, 10, NOW).1[0].requests, 15);
}

#[test]
fn windows_add_up_slots_and_nothing_older() {
    let store = Store::new(NOW - 10_000);
    for second in 0..700 {
        // One request each second; the last ten are slow and fail.
        let late = second >= 690;
        store.add(
            NOW - 699 + second,
            &edge(
                "backend/shop/web:80",
                1,
                u64::from(late),
                if late { 500 } else { 10 },
            ),
        );
    }
    for (window, requests, failures) in [(1, 1, 1), (10, 10, 10), (20, 20, 10), (60, 60, 10)] {
        let (seconds, edges) = store.edges(None, window, NOW);
        assert_eq!((seconds, edges.len()), (window as f64, 1));
        assert_eq!(
            (edges[0].requests, edges[0].failures),
            (requests, failures),
            "window {window}"
        );
    }
    let (_, ten_minutes) = store.edges(None, 600, NOW);
    let edge = &ten_minutes[0];
    assert!((590..=600).contains(&edge.requests), "{}", edge.requests);
    assert!(
        (edge.success.unwrap() - 0.983).abs() < 0.002,
        "{:?}",
        edge.success
    );
    assert!(
        (edge.p50.unwrap() - 10.0).abs() < 0.3 && (edge.p99.unwrap() - 500.0).abs() < 12.0,
        "{edge:?}"
    );
    assert_eq!(edge.tls.as_ref().unwrap().key_exchange, "X25519MLKEM768");
    store.expire(NOW + 599);
    assert_eq!(store.edges(None, 600, NOW + 560).1.len(), 1);
    store.expire(NOW + 700);
    assert!(
        store.edges(None, 600, NOW + 100).1.is_empty(),
        "a dead edge is forgotten"
    );
}

#[test]
fn a_young_store_does_not_pretend_to_know_the_past() {
    let store = Store::new(NOW - 5);
    store.add(NOW, &edge("", 10, 0, 1));
    let (seconds, edges) = store.edges(None, 60, NOW);
    assert_eq!((seconds, edges[0].rps), (5.0, 2.0));
}

#[test]
fn the_more_there_is_the_less_of_the_past_is_kept() {
    let store = Store::limited(NOW - 1_000, 150);
    for second in NOW - 600..=NOW {
        assert!(store.add(second, &edge("busy", 1, 0, 1)));
        assert!(store.add(second, &edge("other", 1, 0, 1)));
    }
    assert!((store.edges(None, 600, NOW).0 - 600.0).abs() < 1e-9);
    store.expire(NOW);
    let (seconds, edges) = store.edges(None, 600, NOW);
    assert!((60.0..300.0).contains(&seconds), "{seconds}");
    assert!(
        edges[0].requests >= 60 && (edges[0].rps - 1.0).abs() < 0.2,
        "{edges:?}"
    );
    assert!(store.add(NOW, &edge("new", 1, 0, 1)), "that was enough");

    let tiny = Store::limited(NOW - 1_000, 10);
    for second in NOW - 30..=NOW {
        tiny.add(second, &edge("busy", 1, 0, 1));
    }
    tiny.expire(NOW);
    assert!(!tiny.add(NOW, &edge("new", 1, 0, 1)), "no room");
    assert!(tiny.add(NOW, &edge("busy", 1, 0, 1)), "what is known goes on");
    tiny.expire(NOW + 700);
    assert!(tiny.add(NOW + 700, &edge("new", 1, 0, 1)), "room again");
}

#[test]
fn an_edge_belongs_to_the_namespaces_of_both_ends_and_of_the_service() {
    let store = Store::new(0);
    let mut delta = edge("", 1, 0, 1);
    let to = delta.destination.as_mut().unwrap();
    to.namespace = "bank".into();
    to.service_namespace = "street".into();
    store.add(NOW, &delta);
    for (namespace, seen) in [("shop", 1), ("bank", 1), ("street", 1), ("other", 0)] {
        assert_eq!(store.edges(Some(namespace), 10, NOW).1.len(), seen, "{namespace}");
    }
}

#[test]
fn nonsense_is_refused() {
    let store = Store::new(0);
    let long = wire::EdgeDelta {
        route: "x".repeat(1000),
        ..edge("", 1, 0, 1)
    };
    let uneven = wire::EdgeDelta {
        counts: vec![],
        ..edge("", 1, 0, 1)
    };
    assert!(!store.add(NOW, &long) && !store.add(NOW, &uneven));
    let huge = wire::EdgeDelta {
        buckets: vec![u32::MAX],
        counts: vec![1],
        requests: u64::MAX,
        ..edge("", 1, 0, 1)
    };
    assert!(
        store.add(NOW, &huge) && store.add(NOW, &huge),
        "adds up without overflowing"
    );
    assert_eq!(store.edges(None, 10, NOW).1[0].requests, u64::MAX);
}

#[tokio::test]
async fn paths_of_the_aggregated_api() {
    let base = "/apis/telemetry.meshctl.io/v1alpha1";
    let parse = |rest: &str, query| api::parse(&format!("{base}{rest}"), query);
    let edges = |namespace: Option<&str>, window| Asked::Edges {
        namespace: namespace.map(str::to_owned),
        window,
        latency: false,
    };
    assert_eq!(parse("/edges", None), Ok(edges(None, 10)));
    assert_eq!(parse("/edges", Some("window=1m")), Ok(edges(None, 60)));
    assert_eq!(
        parse("/namespaces/shop/edges", Some("a=b&window=30s")),
        Ok(edges(Some("shop"), 30))
    );
    assert_eq!(
        parse("/namespaces/shop/proxies", None),
        Ok(Asked::Proxies {
            namespace: Some("shop".into())
        })
    );
    for bad in ["window=", "window=ten", "window=0", "window=11m", "window=-1s"] {
        assert!(
            matches!(parse("/edges", Some(bad)), Err(NoAnswer::BadRequest(_))),
            "{bad}"
        );
    }
    for nothing in ["/pods", "/namespaces/shop", "/namespaces//edges", "/edges/one"] {
        assert_eq!(parse(nothing, None), Err(NoAnswer::NotFound), "{nothing}");
    }
    let reader = Reader {
        store: Arc::new(Store::new(0)),
        proxies: Arc::default(),
        replicas: None,
    };
    let answer = api::answer(&parse("", None).unwrap(), &reader).await;
    assert_eq!(answer["kind"], "APIResourceList");
    assert_eq!(answer["resources"][0]["name"], "edges");
    let answer = api::answer(&parse("/edges", None).unwrap(), &reader).await;
    assert_eq!(
        (&answer["kind"], &answer["items"]),
        (&json!("EdgeList"), &json!([]))
    );
}

#[test]
fn proxies_are_seen_as_they_come_go_and_refuse() {
    let proxies = Arc::new(Proxies::default());
    let identity = id("shop", "web");
    let hello = |pod: &str| wire::Hello {
        namespace: "shop".into(),
        pod: pod.into(),
        ..wire::Hello::default()
    };
    let old = proxies.connect(&identity, &hello("web-1"), "deploy/web");
    let new = proxies.connect(&identity, &hello("web-1"), "deploy/web");
    drop(old);
    assert!(
        proxies.list(Some("shop"))[0].connected,
        "an old stream does not end a newer one"
    );
    new.sent(1, "deploy/web");
    let rejection = wire::Rejection {
        name: "target/x".into(),
        reason: "no".into(),
    };
    new.acknowledged(1, &["target/x".into(), "inbound".into()], &[rejection]);
    let health = wire::ProxyHealth {
        memory_bytes: 7,
        ..wire::ProxyHealth::default()
    };
    proxies.health(&identity, "web-1", &health, NOW);
    let seen = proxies.list(None).remove(0);
    assert_eq!(
        (seen.sent_sequence, seen.acknowledged_sequence, seen.memory_bytes),
        (1, 1, 7)
    );
    assert_eq!(seen.rejected, ["target/x: no"]);
    new.acknowledged(2, &["target/x".into()], &[]);
    assert!(
        proxies.list(None)[0].rejected.is_empty(),
        "a usable version has come"
    );

    let _other = proxies.connect(&identity, &hello("web-2"), "deploy/web");
    let health = wire::ProxyHealth {
        memory_bytes: 9,
        ..health
    };
    proxies.health(&identity, "web-2", &health, NOW);
    proxies.health(&id("shop", "client"), "web-1", &wire::ProxyHealth::default(), NOW);
    let memory: Vec<u64> = proxies.list(None).iter().map(|p| p.memory_bytes).collect();
    assert_eq!(memory, [7, 9], "nobody speaks for a pod of another identity");
    drop(new);
    assert!(!proxies.list(None)[0].connected);
    assert!(proxies.list(Some("bank")).is_empty());
}
