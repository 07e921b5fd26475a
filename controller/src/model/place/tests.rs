//! Which endpoints callers prefer, by where they are.

use crate::model::{
    Snapshot, Subscriber,
    report::PolicyKind,
    tests::{backend, said, snapshot},
};
use mesh_api::wire::{self, Balancer, resource::Kind};

/// Three pods on three nodes, the first two in one zone; a caller on each of two nodes.
fn cluster(service: &str, hints: [&str; 3], more: &str) -> Snapshot {
    let mut yaml = format!(
        "
kind: Service
metadata: {{name: near, namespace: shop}}
spec: {{clusterIP: 10.96.0.40, ports: [{{name: http, port: 80}}], {service}}}
---
kind: EndpointSlice
metadata: {{name: near-1, namespace: shop, labels: {{kubernetes.io/service-name: near}}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints:
"
    );
    for (i, hint) in hints.iter().enumerate() {
        yaml += &format!(
            "- {{addresses: [10.244.4.{i}], nodeName: n{i}, conditions: {{ready: true}}, targetRef: {{kind: Pod, name: p{i}, namespace: shop}}{hint}}}\n"
        );
    }
    for (i, (region, zone)) in [("r1", "z1"), ("r1", "z1"), ("r2", "z2"), ("r3", "z3")]
        .iter()
        .enumerate()
    {
        yaml += &format!(
            "---
kind: Node
metadata: {{name: n{i}, labels: {{topology.kubernetes.io/region: {region}, topology.kubernetes.io/zone: {zone}}}}}
---
kind: Pod
metadata: {{name: p{i}, namespace: shop, labels: {{version: v{i}}}, annotations: {{meshctl.io/proxy-version: x}}}}
spec: {{nodeName: n{i}, containers: [{{name: app}}]}}
status: {{podIP: 10.244.4.{i}}}
"
        );
    }
    snapshot(&format!("{yaml}{more}"))
}

/// Pods with their priorities, as the pod on a node sees them through the target that it calls.
fn seen(snapshot: &Snapshot, node: usize) -> Vec<(String, u32)> {
    let who = Subscriber {
        namespace: "shop".into(),
        pod: format!("p{node}"),
        ..Subscriber::default()
    };
    let view = snapshot.target("10.96.0.40:80".parse().unwrap(), &who);
    let backends = view.iter().filter_map(|r| match &r.kind {
        Some(Kind::Backend(backend)) => Some(backend),
        _ => None,
    });
    let endpoints = backends.flat_map(|b: &wire::Backend| &b.endpoints);
    endpoints.map(|e| (e.pod.clone(), e.priority)).collect()
}

fn list(wanted: &[(&str, u32)]) -> Vec<(String, u32)> {
    wanted
        .iter()
        .map(|(pod, priority)| ((*pod).to_owned(), *priority))
        .collect()
}

const NO_HINTS: [&str; 3] = ["", "", ""];

#[test]
fn nobody_is_preferred_where_nothing_is_said() {
    let all = list(&[("p0", 0), ("p1", 0), ("p2", 0)]);
    assert_eq!(seen(&cluster("", NO_HINTS, ""), 0), all);
}

#[test]
fn a_local_service_is_called_on_the_callers_node_or_not_at_all() {
    let snapshot = cluster("internalTrafficPolicy: Local", NO_HINTS, "");
    assert_eq!(seen(&snapshot, 0), list(&[("p0", 0)]));
    assert_eq!(seen(&snapshot, 1), list(&[("p1", 0)]));
    assert_eq!(seen(&snapshot, 3), list(&[]));
}

#[test]
fn hints_put_the_near_before_the_far() {
    let zones = |zone: &str| format!(", hints: {{forZones: [{{name: {zone}}}]}}");
    let (a, b) = (zones("z1"), zones("z2"));
    let by_zone = cluster("", [&a, &a, &b], "");
    assert_eq!(seen(&by_zone, 1), list(&[("p0", 0), ("p1", 0), ("p2", 1)]));
    assert_eq!(seen(&by_zone, 2), list(&[("p0", 1), ("p1", 1), ("p2", 0)]));
    let all = list(&[("p0", 0), ("p1", 0), ("p2", 0)]);
    assert_eq!(seen(&by_zone, 3), all, "nothing is near");
    assert_eq!(
        seen(&cluster("", [&a, "", &b], ""), 1),
        all,
        "hints of some are none"
    );

    let nodes = |node: usize, zone: &str| {
        format!(", hints: {{forNodes: [{{name: n{node}}}], forZones: [{{name: {zone}}}]}}")
    };
    let by_node = cluster("", [&nodes(0, "z1"), &nodes(1, "z1"), &nodes(2, "z2")], "");
    assert_eq!(seen(&by_node, 0), list(&[("p0", 0), ("p1", 1), ("p2", 2)]));
    assert_eq!(seen(&by_node, 2), list(&[("p0", 1), ("p1", 1), ("p2", 0)]));
}

fn rule(policy: &str) -> String {
    format!(
        "---
kind: DestinationRule
metadata: {{name: d, namespace: shop}}
spec: {{host: near, trafficPolicy: {{{policy}}}}}
"
    )
}

#[test]
fn a_destination_rule_says_where_callers_turn_to() {
    let found = |policy: &str, node: usize| seen(&cluster("", NO_HINTS, &rule(policy)), node);
    let enabled = "outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: true}}";
    assert_eq!(found(enabled, 0), list(&[("p0", 0), ("p1", 0), ("p2", 1)]));
    assert_eq!(found(enabled, 3), list(&[("p0", 0), ("p1", 0), ("p2", 0)]));
    let failover =
        "outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: r3, to: r2}]}}";
    assert_eq!(found(failover, 3), list(&[("p0", 1), ("p1", 1), ("p2", 0)]));
    let labels = "outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: ['topology.kubernetes.io/region', 'version=v1']}}";
    assert_eq!(found(labels, 0), list(&[("p0", 1), ("p1", 0), ("p2", 2)]));
    let disabled = "outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: false}}";
    assert_eq!(found(disabled, 0), list(&[("p0", 0), ("p1", 0), ("p2", 0)]));
    let alone = cluster(
        "",
        NO_HINTS,
        &rule("loadBalancer: {localityLbSetting: {enabled: true}}"),
    );
    assert_eq!(seen(&alone, 0), list(&[("p0", 0), ("p1", 0), ("p2", 0)]));
    assert!(said(&alone, PolicyKind::DestinationRule, "shop/d")[2].contains("without outlierDetection"));
}

#[test]
fn a_destination_rule_shares_calls_out_among_places() {
    let policy =
        "loadBalancer: {localityLbSetting: {distribute: [{from: r1/z1/*, to: {'r1/z1/*': 80, 'r2/*': 20}}]}}";
    let snapshot = cluster("", NO_HINTS, &rule(policy));
    let groups = |node: usize| {
        let who = Subscriber {
            namespace: "shop".into(),
            pod: format!("p{node}"),
            ..Subscriber::default()
        };
        let view = snapshot.target("10.96.0.40:80".parse().unwrap(), &who);
        let found = view.iter().find_map(|r| match &r.kind {
            Some(Kind::Backend(backend)) => Some(backend.clone()),
            _ => None,
        });
        let found = found.unwrap();
        let groups = found.endpoints.iter().map(|e| (e.pod.clone(), e.group));
        (groups.collect::<Vec<_>>(), found.shares)
    };
    assert_eq!(
        groups(0),
        (list(&[("p0", 0), ("p1", 0), ("p2", 1)]), vec![80, 20])
    );
    assert_eq!(
        groups(2),
        (list(&[("p0", 0), ("p1", 0), ("p2", 0)]), vec![]),
        "of that place nothing is said"
    );
    assert_eq!(
        said(&snapshot, PolicyKind::DestinationRule, "shop/d").len(),
        2,
        "no outlierDetection is needed"
    );
    let only = "loadBalancer: {localityLbSetting: {distribute: [{from: '*', to: {r2: 100}}]}}";
    let snapshot = cluster("", NO_HINTS, &rule(only));
    assert_eq!(
        seen(&snapshot, 0),
        list(&[("p2", 0)]),
        "who is of no place is not called"
    );
}

#[test]
fn a_sticky_service_is_hashed_by_address_unless_a_rule_says_otherwise() {
    let sticky = |more: &str| {
        backend(
            &cluster("sessionAffinity: ClientIP", NO_HINTS, more),
            "backend/shop/near:80",
        )
    };
    let found = sticky("");
    assert_eq!(found.balancer(), Balancer::RingHash);
    assert_eq!(
        found.hash.and_then(|h| h.kind),
        Some(wire::hash_key::Kind::SourceAddress(true))
    );
    let found = sticky(&rule("loadBalancer: {simple: RANDOM}"));
    assert_eq!((found.balancer(), found.hash), (Balancer::Random, None));
}
