//! Tables from Istio's YAML to what goes over the wire.

mod authorization;
mod behaviour;
mod delegate;
mod destination;
mod peer;
mod tasks;
mod token;
mod virtual_service;

use super::*;

/// A service whose pods come in two versions, and a caller of it.
const VERSIONS: &str = "
kind: Service
metadata: {name: my-service, namespace: shop}
spec: {clusterIP: 10.96.0.30, ports: [{name: http, port: 80}]}
---
kind: EndpointSlice
metadata: {name: my-service-1, namespace: shop, labels: {kubernetes.io/service-name: my-service}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.3.1], conditions: {ready: true}, targetRef: {kind: Pod, name: one, namespace: shop}}
- {addresses: [10.244.3.2], conditions: {ready: true}, targetRef: {kind: Pod, name: two, namespace: shop}}
---
kind: Pod
metadata: {name: one, namespace: shop, labels: {app: service-b, version: v1}, annotations: {meshctl.io/proxy-version: x}}
spec: {containers: [{name: app, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.244.3.1}
---
kind: Pod
metadata: {name: two, namespace: shop, labels: {app: service-b, version: v2}, annotations: {meshctl.io/proxy-version: x}}
spec: {containers: [{name: app, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.244.3.2}
---
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.3.9}
";

fn with_versions(yaml: &str) -> crate::model::Snapshot {
    crate::model::tests::snapshot(&format!("{VERSIONS}\n---\n{yaml}"))
}

#[test]
fn hosts_are_read_as_istio_reads_them() {
    let cases = [
        ("web", Host::Service(Key::new("shop", "web"))),
        ("web.other", Host::Service(Key::new("other", "web"))),
        ("web.other.svc", Host::Service(Key::new("other", "web"))),
        (
            "web.other.svc.cluster.local",
            Host::Service(Key::new("other", "web")),
        ),
        ("api.example.com", Host::Foreign),
        ("*", Host::Wildcard(String::new())),
        (
            "*.shop.svc.cluster.local",
            Host::Wildcard(".shop.svc.cluster.local".into()),
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(Host::read(written, "shop"), expected, "{written}");
    }
    let (here, there) = (Key::new("shop", "web"), Key::new("other", "web"));
    let wildcard = Host::read("*.shop.svc.cluster.local", "x");
    assert!(wildcard.is_for(&here) && !wildcard.is_for(&there));
    assert!(Host::read("*", "x").is_for(&there));
}

#[test]
fn export_to_says_whose_callers_obey() {
    let cases: [(&[&str], bool, bool); 5] = [
        (&[], true, true),
        (&["*"], true, true),
        (&["."], true, false),
        (&["other"], false, true),
        (&["~"], false, false),
    ];
    for (written, own, other) in cases {
        let written: Vec<String> = written.iter().map(|s| (*s).to_owned()).collect();
        let visible = Visibility::read(&written, "shop");
        assert_eq!(
            (visible.includes("shop"), visible.includes("other")),
            (own, other),
            "{written:?}"
        );
    }
}
