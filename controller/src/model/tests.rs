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
            "Pod" => objects
                .pods
                .push(Arc::new(serde_json::from_value(parse).unwrap())),
            "HTTPRoute" => objects
                .http_routes
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
    match &snapshot.backend(name, "shop").unwrap().kind {
        Some(Kind::Backend(backend)) => backend.clone(),
        other => panic!("{other:?}"),
    }
}

/// An HTTPRoute of service web with these rules.
fn http_route(rules: &str) -> String {
    format!(
        "
kind: HTTPRoute
metadata: {{name: r, namespace: shop}}
spec:
  parentRefs: [{{group: '', kind: Service, name: web}}]
  rules: {rules}
"
    )
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
    let endpoints = |name: &str| match &snapshot.backend(name, "shop").unwrap().kind {
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

#[test]
fn weights_survive_with_zero_and_with_what_is_missing() {
    let rules = "[{backendRefs: [{name: web, port: 80, weight: 90}, {name: web-v2, port: 80, weight: 10},
        {name: nobody, port: 80, weight: 5}, {name: web-v2, port: 99, weight: 0}, {name: web-v2, weight: 2},
        {name: web, namespace: other, port: 80, weight: 3}, {kind: Bucket, name: web, port: 80}]}]";
    let snapshot = snapshot(&http_route(rules));
    let (kind, resources) = target_for(&snapshot, "10.96.0.10:80", &caller());
    let Target::Service(target) = kind else {
        panic!("{kind:?}")
    };
    let backends: Vec<(&str, u32)> = target.routes[0]
        .backends
        .iter()
        .map(|b| (b.backend.as_str(), b.weight))
        .collect();
    assert_eq!(
        backends,
        [
            ("backend/shop/web:80", 90),
            ("backend/shop/web-v2:80", 10),
            ("", 5),
            ("", 0),
            ("", 2),
            ("", 3),
            ("", 1)
        ]
    );
    assert_eq!(target.routes[0].name, "httproute/shop/r");
    assert_eq!(
        resources,
        ["backend/shop/web:80", "backend/shop/web-v2:80"],
        "what is referred to comes first"
    );
    let verdict = &snapshot.verdicts().values().next().unwrap()[0].conditions[1];
    assert_eq!((verdict.holds, verdict.reason), (false, "BackendNotFound"));
}

#[test]
fn a_rule_without_anywhere_to_go_answers_500() {
    for rules in [
        "[{backendRefs: []}]",
        "[{backendRefs: [{name: web, port: 80, weight: 0}]}]",
    ] {
        let routes = routes(&http_route(rules));
        assert_eq!(routes[0].backends.len(), 1, "{rules}");
        assert_eq!(
            (
                routes[0].backends[0].backend.as_str(),
                routes[0].backends[0].weight
            ),
            ("", 1),
            "{rules}"
        );
    }
}

#[test]
fn matches_are_tried_in_the_order_of_the_specification() {
    let rules = "
  - {name: root, backendRefs: [{name: web, port: 80}]}
  - {name: headers, matches: [{path: {value: /a}, headers: [{name: X-One, value: '1'}]}], backendRefs: [{name: web, port: 80}]}
  - {name: two, matches: [{path: {value: /a}, headers: [{name: x, value: '1'}, {name: y, value: '2'}]}], backendRefs: [{name: web, port: 80}]}
  - {name: method, matches: [{path: {value: /a}, method: GET}], backendRefs: [{name: web, port: 80}]}
  - {name: query, matches: [{path: {value: /a}, queryParams: [{name: q, value: '1'}]}], backendRefs: [{name: web, port: 80}]}
  - {name: longer, matches: [{path: {value: /a/b/}}], backendRefs: [{name: web, port: 80}]}
  - {name: exact, matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: web, port: 80}]}
  - {name: regex, matches: [{path: {type: RegularExpression, value: '/a.*'}}], backendRefs: [{name: web, port: 80}]}
  - {name: first, matches: [{path: {value: /z}}], backendRefs: [{name: web, port: 80}]}
  - {name: second, matches: [{path: {value: /z}}], backendRefs: [{name: web, port: 80}]}";
    let routes = routes(&http_route(rules));
    let names: Vec<&str> = routes
        .iter()
        .map(|r| r.name.trim_start_matches("httproute/shop/r#"))
        .collect();
    let expected = [
        "exact",
        "regex",
        "longer",
        "method",
        "two",
        "headers",
        "query",
        "first",
        "second",
        "root",
        "unmatched",
    ];
    assert_eq!(names, expected);
    let by_name = |name: &str| &routes[expected.iter().position(|n| *n == name).unwrap()];
    assert!(by_name("root").matches.is_empty());
    assert_eq!(by_name("method").matches[0].method, "GET");
    assert_eq!(by_name("headers").matches[0].headers[0].name, "x-one");
    let path = by_name("longer").matches[0].path.clone().unwrap().kind.unwrap();
    assert_eq!(path, string_match::Kind::PathPrefix("/a/b".into()));
    assert_eq!(by_name("unmatched").direct_response.as_ref().unwrap().status, 404);
}

#[test]
fn matches_of_one_rule_share_their_weights() {
    let rules =
        "[{matches: [{path: {value: /a}}, {path: {value: /b}}], backendRefs: [{name: web, port: 80}]}]";
    let routes = routes(&http_route(rules));
    assert_eq!(routes.len(), 2);
    assert_eq!(routes[0].matches.len(), 2);
}

#[test]
fn older_routes_win_where_matches_are_alike() {
    let route = |name: &str, created: &str| {
        format!(
            "
kind: HTTPRoute
metadata: {{name: {name}, namespace: shop, creationTimestamp: '{created}'}}
spec:
  parentRefs: [{{group: '', kind: Service, name: web}}]
  rules: [{{matches: [{{path: {{value: /x}}}}], backendRefs: [{{name: web, port: 80}}]}}]
"
        )
    };
    let yaml = format!(
        "{}---{}",
        route("a", "2026-01-02T00:00:00Z"),
        route("z", "2026-01-01T00:00:00Z")
    );
    let names: Vec<String> = routes(&yaml).into_iter().map(|r| r.name).collect();
    assert_eq!(names, ["httproute/shop/z", "httproute/shop/a", "unmatched"]);
}

#[test]
fn filters_reach_the_wire() {
    let rules = "
  - filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: '1'}], add: [{name: b, value: '2'}], remove: [C]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}
    - {type: URLRewrite, urlRewrite: {hostname: other, path: {type: ReplacePrefixMatch, replacePrefixMatch: ''}}}
    matches: [{path: {value: /old}}]
    timeouts: {request: 2s500ms, backendRequest: 1s}
    retry: {attempts: 3, codes: [503], backoff: 100ms}
    backendRefs: [{name: web, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: V, value: '1'}]}}]}]
  - matches: [{path: {value: /go}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: h, port: 8443, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /to}}}]";
    let routes = routes(&http_route(rules));
    let rewriting = &routes[0];
    let changes = rewriting.request_headers.as_ref().unwrap();
    assert_eq!(
        (changes.set[0].name.as_str(), changes.add[0].value.as_str()),
        ("x-a", "2")
    );
    assert_eq!(changes.remove, ["c"]);
    assert_eq!(rewriting.response_headers.as_ref().unwrap().remove, ["server"]);
    let rewrite = rewriting.rewrite.as_ref().unwrap();
    assert_eq!(
        (
            rewrite.host.as_str(),
            rewrite.prefix.as_str(),
            rewrite.replace_prefix.as_str()
        ),
        ("other", "/old", "/")
    );
    assert_eq!(
        (rewriting.request_timeout_ms, rewriting.backend_timeout_ms),
        (2500, 1000)
    );
    let retry = rewriting.retry.as_ref().unwrap();
    assert_eq!(
        (retry.attempts, &retry.statuses[..], retry.backoff_ms),
        (3, &[503][..], 100)
    );
    assert_eq!(
        rewriting.backends[0].request_headers.as_ref().unwrap().set[0].name,
        "v"
    );
    let redirect = routes[1].redirect.as_ref().unwrap();
    assert_eq!(
        (redirect.status, redirect.port, redirect.scheme.as_str()),
        (301, 8443, "https")
    );
    assert_eq!(
        (redirect.prefix.as_str(), redirect.replace_prefix.as_str()),
        ("/go", "/to")
    );
    assert!(routes[1].backends.is_empty());
}

#[test]
fn what_is_not_supported_is_said_and_answers_500_where_it_matters() {
    let rules = "
  - filters: [{type: ExtensionRef, extensionRef: {group: g, kind: K, name: n}}]
    backendRefs: [{name: web, port: 80}]
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web-v2, port: 80}}}]
    matches: [{path: {value: /mirrored}}]
    backendRefs: [{name: web, port: 80}]";
    let snapshot = snapshot(&http_route(rules));
    let routes = service(&snapshot, "10.96.0.10:80", &caller()).routes;
    assert_eq!(
        routes[0].backends[0].backend, "backend/shop/web:80",
        "the mirror is left out"
    );
    assert_eq!(routes[1].direct_response.as_ref().unwrap().status, 500);
    let verdict = &snapshot.verdicts().values().next().unwrap()[0].conditions[2];
    assert_eq!(
        (verdict.kind, verdict.reason),
        ("PartiallyInvalid", "UnsupportedValue")
    );
    assert_eq!(
        verdict.message,
        "not supported: rules[0].filters[0]: ExtensionRef, rules[1].filters[0]: RequestMirror"
    );
}

#[test]
fn routes_bind_the_ports_and_callers_they_are_for() {
    let yaml = "
kind: HTTPRoute
metadata: {name: one-port, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: web, port: 81}, {group: '', kind: Service, name: web, sectionName: nothing}]
  rules: [{backendRefs: [{name: web-v2, port: 80}]}]
---
kind: HTTPRoute
metadata: {name: consumer, namespace: buyer}
spec:
  parentRefs: [{group: '', kind: Service, name: web, namespace: shop}]
  rules: [{name: mine, filters: [{type: RequestRedirect, requestRedirect: {hostname: elsewhere}}]}]
---
kind: HTTPRoute
metadata: {name: of-a-gateway, namespace: shop}
spec:
  parentRefs: [{name: web}]
  rules: [{backendRefs: [{name: web-v2, port: 80}]}]
";
    let snapshot = snapshot(yaml);
    let names = |address: &str, who: &Subscriber| -> Vec<String> {
        service(&snapshot, address, who)
            .routes
            .into_iter()
            .map(|r| r.name)
            .collect()
    };
    assert_eq!(names("10.96.0.10:80", &caller()), ["default"]);
    assert_eq!(
        names("10.96.0.10:81", &caller()),
        ["httproute/shop/one-port", "unmatched"]
    );
    let buyer = Subscriber {
        namespace: "buyer".into(),
        ..caller()
    };
    assert_eq!(
        names("10.96.0.10:80", &buyer),
        ["httproute/buyer/consumer#mine", "unmatched"]
    );
    assert_eq!(
        names("10.96.0.10:81", &buyer),
        ["httproute/buyer/consumer#mine", "unmatched"]
    );
    assert_eq!(
        snapshot.verdicts().len(),
        2,
        "a Gateway's route is not ours to judge"
    );
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
