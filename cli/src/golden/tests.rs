use mesh_api::{
    kinds::FaultInjectionSpec,
    telemetry::{Peer, Tls},
};

use super::*;

fn edge() -> Edge {
    let id = |sa: &str| format!("spiffe://cluster.local/ns/shop/sa/{sa}");
    Edge {
        source: Peer {
            namespace: "shop".into(),
            workload: "deploy/client".into(),
            identity: id("client"),
            ..Peer::default()
        },
        destination: Peer {
            namespace: "shop".into(),
            workload: "deploy/web-v2".into(),
            service: "web".into(),
            port: 80,
            identity: id("web"),
            ..Peer::default()
        },
        route: "httproute/shop/web".into(),
        backend: "backend/shop/web-v2:80".into(),
        requests: 200,
        rps: 20.0,
        success: Some(0.995),
        p50: Some(2.34),
        p95: Some(12.3),
        p99: Some(1234.0),
        tls: Some(Tls {
            version: "TLS 1.3".into(),
            key_exchange: "X25519MLKEM768".into(),
            ..Tls::default()
        }),
        ..Edge::default()
    }
}

fn shown(edges: &[Edge], faults: &[FaultInjection]) -> String {
    table::text(&figures(edges, faults, "shop"))
}

#[test]
fn figures_are_a_plain_table() {
    let mut plaintext = edge();
    plaintext.tls = None;
    plaintext.plaintext_reason = "the server has no sidecar".into();
    plaintext.destination.namespace = "other".into();
    plaintext.success = None;
    plaintext.p50 = None;
    insta::assert_snapshot!(shown(&[edge(), plaintext], &[]), @r"
    SOURCE         DESTINATION                       ROUTE                RPS  SUCCESS    P50   P95    P99  SECURED
    deploy/client  svc/web:80 → deploy/web-v2        httproute/shop/web  20.0   99.50%  2.3ms  12ms  1.23s  √ TLS 1.3
    deploy/client  other/svc/web:80 → deploy/web-v2  httproute/shop/web  20.0        -      -  12ms  1.23s  × the server has no sidecar
    ");
}

#[test]
fn faults_are_noted() {
    let mut hit = edge();
    hit.injected = 7;
    let mut fault = FaultInjection::new("web-abort", FaultInjectionSpec::default());
    fault.spec.service = "web".into();
    fault.metadata.namespace = Some("shop".into());
    let text = shown(&[hit, edge()], &[fault]);
    assert!(
        text.contains("7 by fault injection") && text.contains("fault active"),
        "{text}"
    );
}

#[test]
fn an_answer_without_a_connection_is_not_plaintext() {
    let mut answered = edge();
    answered.tls = None;
    answered.injected = 200;
    // The last: it was to be secured, and nobody was reached.
    for reason in [ANSWERED, OWN, ""] {
        answered.plaintext_reason = reason.into();
        assert!(!is_open(&answered), "{reason}");
        assert_eq!(secured(&answered, true), "–");
        assert!(!shown(std::slice::from_ref(&answered), &[]).contains('×'));
    }
}
