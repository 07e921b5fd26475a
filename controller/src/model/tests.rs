//! Tables from YAML to what goes over the wire.

use std::sync::Arc;

use mesh_api::istio::Istio;
use mesh_api::wire::{self, Protocol, resource::Kind, string_match, target::Kind as Target};
use serde::Deserialize;

use super::{Objects, Snapshot, Subscriber, ports::PortSet, workload::workload_name};

pub const SHOP: &str = "
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
kind: Service
metadata: {name: web-v2, namespace: shop}
spec: {clusterIP: 10.96.0.12, ports: [{name: http, port: 80}]}
---
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: admin, port: 9000, protocol: TCP}]
endpoints:
- {addresses: [10.244.1.2], conditions: {ready: true}, targetRef: {kind: Pod, name: web-5d-a, namespace: shop}}
- {addresses: [10.244.1.3], conditions: {ready: true}, targetRef: {kind: Pod, name: plain, namespace: shop}}
- {addresses: [10.244.1.4], conditions: {ready: false, serving: true}}
- {addresses: [10.244.1.6], conditions: {ready: true}, targetRef: {kind: Pod, name: not-seen-yet, namespace: shop}}
---
kind: EndpointSlice
metadata: {name: web-v2-1, namespace: shop, labels: {kubernetes.io/service-name: web-v2}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.244.1.5], conditions: {ready: false, serving: true, terminating: true}}]
---
kind: Pod
metadata:
  name: web-5d-a
  namespace: shop
  labels: {pod-template-hash: 5d}
  annotations: {meshctl.io/proxy-version: 0.1.0, meshctl.io/skip-inbound-ports: '9000-9010'}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d, uid: u, controller: true}]
spec: {serviceAccountName: web, containers: [{name: app, ports: [{containerPort: 7000}]}]}
status: {podIP: 10.244.1.2, podIPs: [{ip: 10.244.1.2}]}
---
kind: Pod
metadata: {name: plain, namespace: shop}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.1.3}
---
kind: Pod
metadata: {name: done, namespace: shop}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.1.9, phase: Succeeded}
";

/// The objects of a multi-document file, sorted by kind.
pub fn objects(yaml: &str) -> Objects {
    let mut objects = Objects {
        trust_domain: "cluster.local".into(),
        mesh_namespace: "mesh-system".into(),
        now_ms: 1_000_000,
        ..Objects::default()
    };
    for document in serde_yaml::Deserializer::from_str(yaml) {
        let value = serde_json::Value::deserialize(document).unwrap();
        if value.is_null() {
            continue;
        }
        let parse = value.clone();
        match value["kind"].as_str().unwrap() {
            "Service" => objects
                .services
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "EndpointSlice" => objects
                .slices
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "Node" => objects
                .nodes
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "Pod" => objects
                .pods
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "HTTPRoute" => objects
                .http_routes
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "GRPCRoute" => objects
                .grpc_routes
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "TLSRoute" => objects
                .tls_routes
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "TCPRoute" => objects
                .tcp_routes
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "FaultInjection" => objects
                .faults
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "RateLimit" => objects
                .rate_limits
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "TrafficDefaults" => objects
                .defaults
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "VirtualService" => objects
                .virtual_services
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "DestinationRule" => objects
                .destination_rules
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "AuthorizationPolicy" => objects
                .authorization_policies
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "PeerAuthentication" => objects
                .peer_authentications
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "RequestAuthentication" => objects
                .request_authentications
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "ServiceEntry" => objects
                .service_entries
                .push(Arc::new(Istio::read(&parse).unwrap())),
            "Sidecar" => objects.sidecars.push(Arc::new(Istio::read(&parse).unwrap())),
            "Telemetry" => objects.telemetries.push(Arc::new(Istio::read(&parse).unwrap())),
            other => panic!("unknown kind {other}"),
        }
    }
    objects
}

pub fn snapshot(extra: &str) -> Snapshot {
    Snapshot::build(&objects(
        &format!("{SHOP}\n---\n{extra}").replace("\n---\n\n---", "\n---"),
    ))
}

pub fn caller() -> Subscriber {
    Subscriber {
        namespace: "shop".into(),
        pod: "client".into(),
        service_account: "client".into(),
        workload: "deploy/client".into(),
    }
}

pub fn target_for(snapshot: &Snapshot, address: &str, who: &Subscriber) -> (Target, Vec<String>) {
    let resources = snapshot.target(address.parse().unwrap(), who);
    let (target, backends) = resources.split_last().unwrap();
    assert_eq!(target.name, format!("target/{address}"));
    let Some(Kind::Target(wire::Target { kind: Some(kind) })) = &target.kind else {
        panic!("{target:?}")
    };
    (kind.clone(), backends.iter().map(|b| b.name.clone()).collect())
}

pub fn service(snapshot: &Snapshot, address: &str, who: &Subscriber) -> wire::ServiceTarget {
    match target_for(snapshot, address, who).0 {
        Target::Service(service) => service,
        other => panic!("{other:?}"),
    }
}

pub fn routes(yaml: &str) -> Vec<wire::Route> {
    service(&snapshot(yaml), "10.96.0.10:80", &caller()).routes
}

/// What the status of an object says, as `Kind=Status Reason: message`.
pub fn said(snapshot: &Snapshot, kind: super::report::PolicyKind, name: &str) -> Vec<String> {
    let (namespace, name) = name.split_once('/').unwrap();
    let verdicts = &snapshot.reports()[&(kind, super::Key::new(namespace, name))];
    verdicts
        .iter()
        .map(|v| format!("{}={} {}: {}", v.kind, v.holds, v.reason, v.message))
        .collect()
}

/// How a pod's proxy treats calls.
pub fn inbound(snapshot: &Snapshot, pod: &str) -> wire::Inbound {
    let who = Subscriber {
        namespace: "shop".into(),
        pod: pod.into(),
        ..Subscriber::default()
    };
    match &snapshot.inbound(&who).unwrap().kind {
        Some(Kind::Inbound(inbound)) => inbound.clone(),
        other => panic!("{other:?}"),
    }
}

/// A backend as callers in `shop` see it.
pub fn backend(snapshot: &Snapshot, name: &str) -> wire::Backend {
    match &snapshot.backend(name, &caller()).unwrap().kind {
        Some(Kind::Backend(backend)) => backend.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_without_routes_goes_to_its_own_endpoints() {
    let snapshot = Snapshot::build(&objects(SHOP));
    let (kind, backends) = target_for(&snapshot, "10.96.0.10:80", &caller());
    let Target::Service(target) = kind else {
        panic!("{kind:?}")
    };
    assert_eq!(
        (target.namespace.as_str(), target.name.as_str(), target.port),
        ("shop", "web", 80)
    );
    assert_eq!(target.protocol, i32::from(Protocol::Http1));
    assert_eq!(target.routes.len(), 1);
    assert_eq!(target.routes[0].name, "default");
    assert_eq!(target.routes[0].backends[0].backend, "backend/shop/web:80");
    assert_eq!(backends, ["backend/shop/web:80"]);
}

#[test]
fn endpoints_carry_the_identity_of_meshed_pods_only() {
    let snapshot = Snapshot::build(&objects(SHOP));
    let endpoints = |name: &str| match &snapshot.backend(name, &caller()).unwrap().kind {
        Some(Kind::Backend(backend)) => backend.endpoints.clone(),
        other => panic!("{other:?}"),
    };
    let web = endpoints("backend/shop/web:80");
    assert_eq!(
        web.len(),
        2,
        "neither the endpoint that is not ready nor the pod that is not known: {web:?}"
    );
    assert_eq!(web[0].address, "10.244.1.2:8080");
    assert_eq!(web[0].identity, "spiffe://cluster.local/ns/shop/sa/web");
    assert_eq!(
        (web[0].workload.as_str(), web[0].pod.as_str()),
        ("deploy/web", "web-5d-a")
    );
    assert_eq!(
        (web[1].address.as_str(), web[1].identity.as_str()),
        ("10.244.1.3:8080", "")
    );
    assert_eq!(web[1].workload, "pod/plain");
    let admin = endpoints("backend/shop/web:81");
    assert_eq!(
        (admin[0].address.as_str(), admin[0].identity.as_str()),
        ("10.244.1.2:9000", ""),
        "skipped port"
    );
    let leaving = endpoints("backend/shop/web-v2:80");
    assert_eq!(
        leaving.len(),
        1,
        "with none ready, one that still serves is better than nobody"
    );
}

#[test]
fn other_addresses_are_pods_or_unknown() {
    let snapshot = Snapshot::build(&objects(SHOP));
    let kind = |address| target_for(&snapshot, address, &caller()).0;
    match kind("10.244.1.2:8080") {
        Target::Pod(pod) => assert_eq!(pod.identity, "spiffe://cluster.local/ns/shop/sa/web"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(kind("10.244.1.3:8080"), Target::Pod(pod) if pod.identity.is_empty()));
    for unknown in ["93.184.216.34:443", "10.96.0.10:8443", "10.244.1.9:80"] {
        assert!(matches!(kind(unknown), Target::Unknown(_)), "{unknown}");
    }
}

#[test]
fn the_inbound_view_knows_the_pods_ports() {
    let snapshot = Snapshot::build(&objects(SHOP));
    let who = Subscriber {
        namespace: "shop".into(),
        pod: "web-5d-a".into(),
        ..Subscriber::default()
    };
    let resource = snapshot.inbound(&who).unwrap();
    let Some(Kind::Inbound(inbound)) = &resource.kind else {
        panic!("{resource:?}")
    };
    assert_eq!(
        (inbound.workload.as_str(), inbound.mtls_source.as_str()),
        ("deploy/web", "default")
    );
    let ports: Vec<(u32, i32)> = inbound.ports.iter().map(|p| (p.port, p.protocol)).collect();
    let (detect, http) = (i32::from(Protocol::Detect), i32::from(Protocol::Http1));
    assert_eq!(ports, [(7000, detect), (8080, http), (9000, detect)]);
    let unknown = Subscriber {
        namespace: "shop".into(),
        pod: "nobody".into(),
        ..Subscriber::default()
    };
    assert!(snapshot.inbound(&unknown).is_none());
}

#[test]
fn protocols_of_ports() {
    let cases = [
        ("{port: 80}", Protocol::Detect),
        ("{port: 80, name: http}", Protocol::Http1),
        ("{port: 80, name: http-web}", Protocol::Http1),
        ("{port: 80, name: https-web}", Protocol::Tls),
        ("{port: 80, name: http2}", Protocol::Http2),
        ("{port: 80, name: grpc-api}", Protocol::Grpc),
        ("{port: 80, name: grpc-web}", Protocol::Http1),
        ("{port: 80, name: tcp-any}", Protocol::Opaque),
        ("{port: 80, name: metrics}", Protocol::Detect),
        ("{port: 3306}", Protocol::Opaque),
        ("{port: 3306, name: http}", Protocol::Http1),
        ("{port: 80, name: tcp, appProtocol: http}", Protocol::Http1),
        ("{port: 80, appProtocol: kubernetes.io/h2c}", Protocol::Http2),
        ("{port: 80, appProtocol: kubernetes.io/wss}", Protocol::Tls),
        ("{port: 80, appProtocol: example.com/custom}", Protocol::Opaque),
        ("{port: 80, appProtocol: grpc-web}", Protocol::Http1),
        ("{port: 80, appProtocol: http-alt}", Protocol::Http1),
        ("{port: 80, appProtocol: HTTP2}", Protocol::Http2),
        ("{port: 99, name: http}", Protocol::Opaque),
    ];
    for (yaml, expected) in cases {
        let port = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(
            super::ports::protocol(&port, &PortSet::parse("99")),
            expected,
            "{yaml}"
        );
    }
}

#[test]
fn sets_of_ports() {
    let set = PortSet::parse("80, 8000-8010,nonsense,9-1,0");
    for (port, inside) in [
        (80, true),
        (8000, true),
        (8010, true),
        (8011, false),
        (1, false),
        (5, false),
        (0, false),
    ] {
        assert_eq!(set.contains(port), inside, "{port}");
    }
    assert_eq!(PortSet::mistake("80, 8000-8010,nonsense"), Some("nonsense"));
    assert_eq!(PortSet::mistake(""), None);
}

#[test]
fn workloads_are_called_after_what_users_deployed() {
    let cases = [
        ("{name: a}", "pod/a"),
        (
            "{name: a, ownerReferences: [{kind: ReplicaSet, name: web-abc123, apiVersion: v, uid: u}], labels: {pod-template-hash: abc123}}",
            "deploy/web",
        ),
        (
            "{name: a, ownerReferences: [{kind: ReplicaSet, name: web-abc123, apiVersion: v, uid: u}]}",
            "rs/web-abc123",
        ),
        (
            "{name: a, ownerReferences: [{kind: Job, name: import, apiVersion: v, uid: u}]}",
            "job/import",
        ),
        (
            "{name: a, ownerReferences: [{kind: StatefulSet, name: db, apiVersion: v, uid: u}]}",
            "sts/db",
        ),
        (
            "{name: a, ownerReferences: [{kind: DaemonSet, name: log, apiVersion: v, uid: u}]}",
            "ds/log",
        ),
        (
            "{name: a, ownerReferences: [{kind: Rollout, name: web, apiVersion: v, uid: u}]}",
            "rollout/web",
        ),
        (
            "{name: a, ownerReferences: [{kind: Node, name: n1, apiVersion: v, uid: u}]}",
            "pod/a",
        ),
    ];
    for (metadata, expected) in cases {
        let pod = serde_yaml::from_str(&format!("metadata: {metadata}")).unwrap();
        assert_eq!(workload_name(&pod), expected, "{metadata}");
    }
}

const FAULT: &str = "
kind: FaultInjection
metadata: {name: slow, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {service: web, percent: 12.5, delayMillis: 2000, expiresAt: '1970-01-01T01:00:00Z', from: deploy/client, pathPrefix: /api, method: get, headers: [{name: X-User, value: me}]}
---
kind: FaultInjection
metadata: {name: broken, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {service: web, percent: 50, abortHttp: 503, expiresAt: '1970-01-01T02:00:00Z'}
---
kind: FaultInjection
metadata: {name: over, namespace: shop, creationTimestamp: '2025-01-01T00:00:00Z'}
spec: {service: web, percent: 100, abortHttp: 500, expiresAt: '1970-01-01T00:00:01Z'}
";

#[test]
fn faults_stand_before_every_route_for_the_callers_they_are_for() {
    let snapshot = snapshot(FAULT);
    assert_eq!(snapshot.next_expiry(), Some(3_600_000));
    let fault = |who: &Subscriber| {
        service(&snapshot, "10.96.0.10:80", who).routes[0]
            .fault
            .clone()
            .unwrap()
    };
    let slow = fault(&caller());
    assert_eq!(
        slow.source, "faultinjection/shop/slow",
        "the oldest in force that is for the caller"
    );
    assert_eq!(
        (slow.delay_per_million, slow.delay_ms, slow.abort_per_million),
        (125_000, 2000, 0)
    );
    assert_eq!(slow.expires_at_ms, 3_600_000);
    let condition = &slow.matches[0];
    assert_eq!(
        (condition.method.as_str(), condition.headers[0].name.as_str()),
        ("GET", "x-user")
    );
    let path = condition.path.clone().unwrap().kind.unwrap();
    assert_eq!(path, string_match::Kind::Prefix("/api".into()));
    let broken = fault(&Subscriber {
        workload: "deploy/other".into(),
        ..caller()
    });
    assert_eq!(
        (broken.abort_per_million, broken.abort_http_status),
        (500_000, 503)
    );
    assert!(broken.matches.is_empty());
    let elsewhere = Subscriber {
        namespace: "other".into(),
        ..caller()
    };
    assert_eq!(
        fault(&elsewhere).source,
        "faultinjection/shop/broken",
        "same name, another namespace"
    );
}

#[test]
fn versions_are_hashes_of_content() {
    let (once, again) = (snapshot(FAULT), snapshot(FAULT));
    let versions = |snapshot: &Snapshot| -> Vec<(String, u64)> {
        let resources = snapshot.target("10.96.0.10:80".parse().unwrap(), &caller());
        resources.iter().map(|r| (r.name.clone(), r.version)).collect()
    };
    assert_eq!(versions(&once), versions(&again));
    let without = versions(&Snapshot::build(&objects(SHOP)));
    assert_eq!(versions(&once)[0], without[0], "the backend is the same");
    assert_ne!(versions(&once)[1], without[1], "the target has a fault");
}

#[test]
fn routes_that_nobody_can_feel_are_told() {
    let yaml = "
kind: Service
metadata: {name: headless, namespace: shop}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {clusterIP: 10.96.0.51, ports: [{name: tcp-db, port: 80}, {name: http, port: 81}]}
---
kind: HTTPRoute
metadata: {name: headless, namespace: shop}
spec: {parentRefs: [{group: '', kind: Service, name: headless}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
kind: HTTPRoute
metadata: {name: bytes, namespace: shop}
spec: {parentRefs: [{group: '', kind: Service, name: bytes, port: 80}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
kind: HTTPRoute
metadata: {name: requests, namespace: shop}
spec: {parentRefs: [{group: '', kind: Service, name: bytes, port: 81}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
kind: VirtualService
metadata: {name: headless, namespace: shop}
spec: {hosts: [headless], tcp: [{route: [{destination: {host: web}}]}]}
";
    let snapshot = snapshot(yaml);
    let about = |name: &str| {
        let key = (super::gateway::RouteKind::Http, super::Key::new("shop", name));
        let conditions = &snapshot.verdicts()[&key][0].conditions;
        conditions.get(2).map_or(String::new(), |c| c.message.clone())
    };
    assert!(about("headless").contains("service shop/headless is headless"));
    assert!(about("bytes").contains("service shop/bytes carries bytes"));
    assert_eq!(about("requests"), "");
    let declared = said(
        &snapshot,
        super::report::PolicyKind::VirtualService,
        "shop/headless",
    );
    assert!(
        declared[2].contains("spec.hosts[0]: service shop/headless is headless"),
        "{declared:?}"
    );
}
