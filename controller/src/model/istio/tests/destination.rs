use mesh_api::wire::{self, Balancer, hash_key::Kind as Hash};

use super::with_versions;
use crate::model::{
    Subscriber,
    report::PolicyKind,
    tests::{backend, caller, said, snapshot},
};

fn rule(spec: &str) -> String {
    format!("\nkind: DestinationRule\nmetadata: {{name: d, namespace: shop}}\nspec: {{host: web, {spec}}}\n")
}

#[test]
fn policies_reach_the_wire() {
    let spec = "trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST},
        connectionPool: {tcp: {maxConnections: 10, connectTimeout: 2s, idleTimeout: 1m, maxConnectionDuration: 1h, tcpKeepalive: {probes: 3, time: 600s, interval: 10s}}, http: {http1MaxPendingRequests: 1, http2MaxRequests: 100, maxRequestsPerConnection: 7, maxRetries: 3}},
        outlierDetection: {consecutive5xxErrors: 7, consecutiveGatewayErrors: 3, interval: 5m, baseEjectionTime: 15m, maxEjectionPercent: 50, minHealthPercent: 20}}";
    let found = backend(&snapshot(&rule(spec)), "backend/shop/web:80");
    assert_eq!(found.balancer(), Balancer::LeastRequest);
    assert_eq!(found.source, "destinationrule/shop/d");
    let limits = found.limits.unwrap();
    assert_eq!(
        (
            limits.connections,
            limits.pending,
            limits.requests,
            limits.requests_per_connection,
            limits.retries
        ),
        (10, 1, 100, 7, 3)
    );
    assert_eq!(
        (limits.max_connection_ms, limits.keepalive),
        (
            3_600_000,
            Some(wire::Keepalive {
                time_ms: 600_000,
                interval_ms: 10_000,
                probes: 3
            })
        )
    );
    assert_eq!(
        (limits.connect_timeout_ms, limits.idle_timeout_ms),
        (2_000, 60_000)
    );
    let ejection = found.ejection.unwrap();
    assert_eq!(
        (
            ejection.consecutive_errors,
            ejection.consecutive_gateway_errors,
            ejection.max_percent,
            ejection.min_healthy_percent
        ),
        (7, 3, 50, 20)
    );
    assert_eq!((ejection.interval_ms, ejection.base_ms), (300_000, 900_000));
    let bare = backend(
        &snapshot(&rule("trafficPolicy: {outlierDetection: {}}")),
        "backend/shop/web:80",
    );
    let ejection = bare.ejection.unwrap();
    assert_eq!(
        (
            ejection.consecutive_errors,
            ejection.interval_ms,
            ejection.base_ms,
            ejection.max_percent
        ),
        (5, 10_000, 30_000, 10)
    );
}

#[test]
fn hashing_by_each_key() {
    let cases = [
        ("httpHeaderName: X-User", Hash::Header("x-user".into())),
        ("httpQueryParameterName: q", Hash::Query("q".into())),
        ("useSourceIp: true", Hash::SourceAddress(true)),
        (
            "httpCookie: {name: c, path: /, ttl: 10s}",
            Hash::Cookie(mesh_api::wire::HashCookie {
                name: "c".into(),
                path: "/".into(),
                ttl_ms: 10_000,
            }),
        ),
    ];
    for (text, expected) in cases {
        let yaml = rule(&format!(
            "trafficPolicy: {{loadBalancer: {{consistentHash: {{{text}}}}}}}"
        ));
        let found = backend(&snapshot(&yaml), "backend/shop/web:80");
        assert_eq!(found.balancer(), Balancer::RingHash, "{text}");
        assert_eq!(found.hash.unwrap().kind, Some(expected), "{text}");
    }
}

#[test]
fn ports_replace_and_subsets_refine() {
    let spec = "trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {maxConnections: 5}},
          portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: ROUND_ROBIN}}]},
        subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: LEAST_CONN}}}]";
    let snapshot = snapshot(&rule(spec));
    let found = |name: &str| {
        let found = backend(&snapshot, name);
        (found.balancer(), found.limits.map_or(0, |l| l.connections))
    };
    assert_eq!(found("backend/shop/web:80"), (Balancer::Random, 5));
    assert_eq!(
        found("backend/shop/web:81"),
        (Balancer::RoundRobin, 0),
        "not on top of the rest"
    );
    assert_eq!(found("backend/shop/web:80/v1"), (Balancer::LeastRequest, 5));
}

#[test]
fn a_port_of_a_subset_inherits_nothing() {
    let spec = "trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {maxConnections: 5}}},
        subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: LEAST_CONN},
          portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {maxConnections: 7}}}]}}]";
    let snapshot = snapshot(&rule(spec));
    let found = |name: &str| {
        let found = backend(&snapshot, name);
        (found.balancer(), found.limits.map_or(0, |l| l.connections))
    };
    assert_eq!(found("backend/shop/web:80/v1"), (Balancer::PeakEwma, 7));
    assert_eq!(found("backend/shop/web:81/v1"), (Balancer::LeastRequest, 5));
}

const SPLIT: &str = "
kind: VirtualService
metadata: {name: r, namespace: shop}
spec: {hosts: [my-service], http: [{route: [{destination: {host: my-service, subset: v1}, weight: 1}, {destination: {host: my-service, subset: two}, weight: 1}]}]}
---
";

#[test]
fn several_rules_for_one_host_are_one() {
    let yaml = "
kind: DestinationRule
metadata: {name: old, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {host: my-service, subsets: [{name: v1, labels: {version: v1}}]}
---
kind: DestinationRule
metadata: {name: young, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {host: my-service.shop.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}},
  subsets: [{name: two, labels: {version: v2}}, {name: v1, labels: {version: elsewhere}}]}
---
kind: DestinationRule
metadata: {name: youngest, namespace: shop, creationTimestamp: '2026-01-03T00:00:00Z'}
spec: {host: my-service, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}, subsets: [{name: three, labels: {a: b}}]}
";
    let snapshot = with_versions(&format!("{SPLIT}{yaml}"));
    let found = |subset: &str| {
        let found = backend(&snapshot, &format!("backend/shop/my-service:80/{subset}"));
        let pods = found.endpoints.iter().map(|e| e.pod.clone()).collect::<Vec<_>>();
        (found.balancer(), found.source.clone(), pods)
    };
    let young = "destinationrule/shop/young".to_owned();
    assert_eq!(
        found("v1"),
        (Balancer::Random, young.clone(), vec!["one".to_owned()])
    );
    assert_eq!(found("two"), (Balancer::Random, young, vec!["two".to_owned()]));
    let about = |name: &str| said(&snapshot, PolicyKind::DestinationRule, name);
    assert_eq!(about("shop/old").len(), 2, "all of it is in force");
    let young = about("shop/young");
    assert!(
        young[0].starts_with("Accepted=true") && young[2].contains("has \"v1\""),
        "{young:?}"
    );
    let youngest = about("shop/youngest").pop().unwrap();
    assert!(
        youngest.contains("spec.trafficPolicy: destinationrule/shop/young is older"),
        "{youngest}"
    );
}

#[test]
fn a_rule_for_everything_leaves_subsets_by_version_alone() {
    let yaml = "
kind: DestinationRule
metadata: {name: default, namespace: mesh-system}
spec: {host: '*.local', trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
";
    let snapshot = with_versions(&format!("{}{yaml}", SPLIT.replace("two", "v2")));
    assert!(said(&snapshot, PolicyKind::VirtualService, "shop/r")[1].starts_with("ResolvedRefs=true"));
    assert_eq!(
        backend(&snapshot, "backend/shop/my-service:80/v2").endpoints[0].pod,
        "two"
    );
}

#[test]
fn the_callers_namespace_goes_before_the_services_and_the_meshs() {
    let rule = |namespace: &str, balancer: &str, more: &str| {
        format!(
            "\nkind: DestinationRule\nmetadata: {{name: d, namespace: {namespace}}}\nspec: {{host: web.shop.svc.cluster.local, {more} trafficPolicy: {{loadBalancer: {{simple: {balancer}}}}}}}\n---"
        )
    };
    let yaml = [
        rule("mesh-system", "RANDOM", ""),
        rule("shop", "ROUND_ROBIN", "exportTo: ['.'],"),
        rule("buyer", "LEAST_REQUEST", ""),
    ]
    .concat();
    let snapshot = snapshot(yaml.trim_end_matches("---"));
    let found = |namespace: &str| {
        let who = Subscriber {
            namespace: namespace.into(),
            ..caller()
        };
        match &snapshot.backend("backend/shop/web:80", &who).unwrap().kind {
            Some(mesh_api::wire::resource::Kind::Backend(backend)) => backend.balancer(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found("shop"), Balancer::RoundRobin);
    assert_eq!(found("buyer"), Balancer::LeastRequest);
    assert_eq!(found("third"), Balancer::Random, "not exported to it");
}

#[test]
fn subsets_that_nobody_defines_are_said_and_what_is_not_supported_too() {
    let yaml = "
kind: VirtualService
metadata: {name: r, namespace: shop}
spec: {hosts: [my-service], http: [{route: [{destination: {host: my-service, subset: v3}}]}]}
---
kind: DestinationRule
metadata: {name: d, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {host: my-service, subsets: [{name: v1, labels: {version: v1}}], trafficPolicy: {tls: {mode: DISABLE}, loadBalancer: {simple: PASSTHROUGH, warmup: {duration: 3s}}, tunnel: {protocol: CONNECT}}}
---
kind: DestinationRule
metadata: {name: younger, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {host: my-service.shop.svc.cluster.local}
---
kind: DestinationRule
metadata: {name: astray, namespace: other}
spec: {host: nobody}
";
    let snapshot = with_versions(yaml);
    let about = |kind, name: &str| said(&snapshot, kind, name);
    assert!(about(PolicyKind::VirtualService, "shop/r")[1].contains("has a subset \"v3\""));
    let fields = about(PolicyKind::DestinationRule, "shop/d").pop().unwrap();
    for field in [
        "tls.mode: DISABLE",
        "simple: PASSTHROUGH",
        "loadBalancer.warmup",
        "trafficPolicy.tunnel",
    ] {
        assert!(fields.contains(field), "{fields}");
    }
    assert!(about(PolicyKind::DestinationRule, "shop/younger")[0].starts_with("Accepted=false Conflict"));
    assert!(about(PolicyKind::DestinationRule, "other/astray")[1].contains("BackendNotFound"));
}

#[test]
fn rules_can_be_for_some_callers_of_their_namespace() {
    let yaml = "
kind: DestinationRule
metadata: {name: all, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
---
kind: DestinationRule
metadata: {name: some, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {host: web, workloadSelector: {matchLabels: {app: client}}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
";
    let snapshot = with_versions(yaml);
    let found = |namespace: &str, pod: &str| {
        let who = Subscriber {
            namespace: namespace.into(),
            pod: pod.into(),
            ..Subscriber::default()
        };
        // Through the target, because callers share what they see there.
        let view = snapshot.target("10.96.0.10:80".parse().unwrap(), &who);
        let balancers = view.iter().filter_map(|r| match &r.kind {
            Some(mesh_api::wire::resource::Kind::Backend(backend)) => Some(backend.balancer()),
            _ => None,
        });
        balancers.collect::<Vec<_>>()
    };
    assert_eq!(found("shop", "one"), [Balancer::Random]);
    assert_eq!(found("shop", "client"), [Balancer::RoundRobin]);
    assert_eq!(found("other", "client"), [Balancer::Random]);
    assert_eq!(said(&snapshot, PolicyKind::DestinationRule, "shop/some").len(), 2);
}
