//! Tables from ServiceEntries, and what else is said of their hosts, to what goes over the wire.

use std::collections::BTreeMap;

use mesh_api::wire::{self, Protocol, string_match::Kind, target::Kind as Target};

use crate::model::{
    Snapshot, Subscriber,
    report::PolicyKind,
    tests::{SHOP, backend, caller, objects, said, service, snapshot, target_for},
};

/// Of the documentation: a site outside by HTTP and HTTPS.
const SITE: &str = "
kind: ServiceEntry
metadata: {name: site, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec:
  hosts: [site.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}]
  resolution: DNS
  location: MESH_EXTERNAL
";

fn with_site(more: &str) -> Snapshot {
    snapshot(&format!("{SITE}---{more}"))
}

fn hosts(route: &wire::Route) -> Vec<String> {
    let authorities = route.matches.iter().filter_map(|m| m.authority.clone()?.kind);
    authorities
        .map(|kind| match kind {
            Kind::Exact(host) => host,
            Kind::Suffix(suffix) => format!("*{suffix}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn to(backends: &[wire::WeightedBackend]) -> Vec<&str> {
    backends.iter().map(|b| b.backend.as_str()).collect()
}

#[test]
fn requests_are_told_apart_by_host_and_tls_by_server_name() {
    let snapshot = with_site("");
    let (http, backends) = target_for(&snapshot, "203.0.113.7:80", &caller());
    let Target::Service(http) = http else {
        panic!("{http:?}")
    };
    assert_eq!(
        (http.namespace.as_str(), http.name.as_str()),
        ("shop", "site.example.com")
    );
    assert_eq!(http.protocol(), Protocol::Detect, "whatever else is called there");
    assert_eq!(http.routes.len(), 2);
    assert_eq!(http.routes[0].name, "serviceentry/shop/site");
    assert_eq!(hosts(&http.routes[0]), ["site.example.com"]);
    let there = "backend/shop/site.example.com:80/@203.0.113.7:80";
    assert_eq!(to(&http.routes[0].backends), [there]);
    assert_eq!(http.routes[1].name, "passthrough");
    assert!(http.routes[1].matches.is_empty());
    assert_eq!(
        to(&http.routes[1].backends),
        ["backend//passthrough:80/@203.0.113.7:80"]
    );
    assert_eq!(backends, [there, "backend//passthrough:80/@203.0.113.7:80"]);
    for name in backends {
        let found = backend(&snapshot, &name);
        assert_eq!(found.endpoints[0].address, "203.0.113.7:80");
        assert_eq!(found.endpoints[0].identity, "");
    }

    let tls = service(&snapshot, "203.0.113.7:443", &caller());
    assert_eq!(tls.protocol(), Protocol::Tls);
    assert_eq!(tls.stream_routes[0].server_names, ["site.example.com"]);
    assert_eq!(
        to(&tls.stream_routes[0].backends),
        ["backend/shop/site.example.com:443/@203.0.113.7:443"]
    );
    assert!(
        tls.stream_routes[1].server_names.is_empty(),
        "the rest is passed on"
    );
    assert!(matches!(
        target_for(&snapshot, "203.0.113.7:81", &caller()).0,
        Target::Unknown(_)
    ));
    assert_eq!(
        said(&snapshot, PolicyKind::ServiceEntry, "shop/site")[0],
        "Accepted=true Accepted: in force"
    );
}

#[test]
fn routes_and_rules_name_such_hosts_as_any_other() {
    let snapshot = with_site(
        "
kind: VirtualService
metadata: {name: site, namespace: shop}
spec:
  hosts: [site.example.com]
  http:
  - {match: [{uri: {prefix: /slow}}], timeout: 3s, retries: {attempts: 2}, route: [{destination: {host: site.example.com}}]}
  - {fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, route: [{destination: {host: site.example.com}}]}
---
kind: DestinationRule
metadata: {name: site, namespace: shop}
spec: {host: site.example.com, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 7}}}}
",
    );
    let found = service(&snapshot, "203.0.113.7:80", &caller());
    assert_eq!(found.routes.len(), 3);
    assert_eq!(found.routes[0].request_timeout_ms, 3_000);
    assert_eq!(hosts(&found.routes[0]), ["site.example.com"]);
    assert!(found.routes[0].matches[0].path.is_some());
    assert_eq!(found.routes[1].fault.as_ref().unwrap().abort_http_status, 418);
    let there = "backend/shop/site.example.com:80/@203.0.113.7:80";
    assert_eq!(to(&found.routes[0].backends), [there]);
    let there = backend(&snapshot, there);
    assert_eq!(there.limits.unwrap().requests, 7);
    assert_eq!(there.source, "destinationrule/shop/site");
    for kind in [PolicyKind::VirtualService, PolicyKind::DestinationRule] {
        let said = said(&snapshot, kind, "shop/site");
        assert!(
            said.len() == 2 && said[1].starts_with("ResolvedRefs=true"),
            "{said:?}"
        );
    }
}

#[test]
fn tls_of_a_host_goes_where_a_virtual_service_says() {
    let snapshot = with_site(
        "
kind: VirtualService
metadata: {name: site, namespace: shop}
spec:
  hosts: [site.example.com]
  tls: [{match: [{port: 443, sniHosts: [site.example.com]}], route: [{destination: {host: web, port: {number: 81}}}]}]
",
    );
    let found = service(&snapshot, "203.0.113.7:443", &caller());
    assert_eq!(found.stream_routes[0].server_names, ["site.example.com"]);
    assert_eq!(to(&found.stream_routes[0].backends), ["backend/shop/web:81"]);
}

#[test]
fn a_service_of_the_cluster_can_be_led_to_a_host_outside() {
    let yaml = format!(
        "{SHOP}---{SITE}---
kind: VirtualService
metadata: {{name: out, namespace: shop}}
spec: {{hosts: [web], http: [{{rewrite: {{authority: site.example.com}}, route: [{{destination: {{host: site.example.com, port: {{number: 80}}}}}}]}}]}}
"
    );
    let mut objects = objects(&yaml);
    objects.resolved = BTreeMap::from([(
        "site.example.com".to_owned(),
        vec!["198.51.100.4".parse().unwrap(), "198.51.100.3".parse().unwrap()],
    )]);
    let snapshot = Snapshot::build(&objects);
    let found = service(&snapshot, "10.96.0.10:80", &caller());
    assert_eq!(
        to(&found.routes[0].backends),
        ["backend/shop/site.example.com:80"]
    );
    let resolved = backend(&snapshot, "backend/shop/site.example.com:80");
    let addresses: Vec<_> = resolved.endpoints.iter().map(|e| e.address.as_str()).collect();
    assert_eq!(addresses, ["198.51.100.3:80", "198.51.100.4:80"]);
}

#[test]
fn static_endpoints_have_ports_weights_labels_and_may_be_pods() {
    let snapshot = snapshot(
        "
kind: ServiceEntry
metadata: {name: old, namespace: shop}
spec:
  hosts: [old.example.com]
  addresses: [240.0.0.1]
  ports: [{number: 9000, name: tcp, protocol: TCP, targetPort: 7001}]
  resolution: STATIC
  endpoints:
  - {address: 192.0.2.5, weight: 3, labels: {version: v1}}
  - {address: 192.0.2.6, ports: {tcp: 7002}, labels: {version: v2}}
  - {address: 10.244.1.2}
---
kind: DestinationRule
metadata: {name: old, namespace: shop}
spec: {host: old.example.com, subsets: [{name: v2, labels: {version: v2}}]}
---
kind: VirtualService
metadata: {name: old, namespace: shop}
spec: {hosts: [old.example.com], tcp: [{route: [{destination: {host: old.example.com, subset: v2}, weight: 10}, {destination: {host: old.example.com}, weight: 90}]}]}
",
    );
    let found = service(&snapshot, "240.0.0.1:9000", &caller());
    assert_eq!(found.protocol(), Protocol::Opaque);
    assert_eq!(
        to(&found.stream_routes[0].backends),
        [
            "backend/shop/old.example.com:9000/v2",
            "backend/shop/old.example.com:9000"
        ]
    );
    let all = backend(&snapshot, "backend/shop/old.example.com:9000");
    let endpoints: Vec<_> = all
        .endpoints
        .iter()
        .map(|e| (e.address.as_str(), e.group))
        .collect();
    assert_eq!(
        endpoints,
        [
            ("10.244.1.2:7001", 0),
            ("192.0.2.5:7001", 1),
            ("192.0.2.6:7002", 2)
        ]
    );
    assert_eq!(all.shares, [1, 3, 1]);
    assert_eq!(
        all.endpoints[0].identity, "spiffe://cluster.local/ns/shop/sa/web",
        "a pod of the mesh stays one"
    );
    let v2 = backend(&snapshot, "backend/shop/old.example.com:9000/v2");
    assert_eq!(v2.endpoints.len(), 1);
    // Bytes that go straight to one of the endpoints are the host's, too.
    let straight = service(&snapshot, "192.0.2.5:9000", &caller());
    assert_eq!(straight.name, "old.example.com");
}

#[test]
fn pods_can_be_selected_and_wildcards_stand_behind_whole_names() {
    let snapshot = snapshot(
        "
kind: ServiceEntry
metadata: {name: wild, namespace: shop}
spec: {hosts: ['*.example.org'], ports: [{number: 80, name: http, protocol: HTTP}]}
---
kind: ServiceEntry
metadata: {name: whole, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {hosts: [one.example.org], ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}], resolution: STATIC, workloadSelector: {labels: {pod-template-hash: 5d}}}
",
    );
    let found = service(&snapshot, "203.0.113.7:80", &caller());
    assert_eq!(found.name, "external", "of several");
    assert_eq!(hosts(&found.routes[0]), ["one.example.org"]);
    assert_eq!(to(&found.routes[0].backends), ["backend/shop/one.example.org:80"]);
    assert_eq!(hosts(&found.routes[1]), ["*.example.org"]);
    assert_eq!(
        to(&found.routes[1].backends),
        ["backend/shop/*.example.org:80/@203.0.113.7:80"]
    );
    let pods = backend(&snapshot, "backend/shop/one.example.org:80");
    assert_eq!(pods.endpoints[0].address, "10.244.1.2:8080");
    assert_eq!(pods.endpoints[0].pod, "web-5d-a");
}

#[test]
fn hosts_are_known_to_whom_they_are_exported() {
    let elsewhere = Subscriber {
        namespace: "other".into(),
        ..caller()
    };
    let everywhere = with_site("");
    assert!(matches!(
        target_for(&everywhere, "203.0.113.7:80", &elsewhere).0,
        Target::Service(_)
    ));
    let own = snapshot(&SITE.replace("  hosts:", "  exportTo: ['.']\n  hosts:"));
    assert!(matches!(
        target_for(&own, "203.0.113.7:80", &elsewhere).0,
        Target::Unknown(_)
    ));
    assert!(matches!(
        target_for(&own, "203.0.113.7:80", &caller()).0,
        Target::Service(_)
    ));
}

#[test]
fn where_only_declared_hosts_may_be_called_others_are_refused() {
    let snapshot = with_site(
        "
kind: Sidecar
metadata: {name: closed, namespace: shop}
spec: {workloadSelector: {labels: {pod-template-hash: 5d}}, outboundTrafficPolicy: {mode: REGISTRY_ONLY}, egress: [{hosts: ['./*']}]}
",
    );
    let closed = Subscriber {
        pod: "web-5d-a".into(),
        ..caller()
    };
    let found = service(&snapshot, "203.0.113.7:80", &closed);
    assert_eq!(found.routes[1].direct_response.as_ref().unwrap().status, 502);
    let tls = service(&snapshot, "203.0.113.7:443", &closed);
    assert!(
        tls.stream_routes
            .iter()
            .all(|route| !route.server_names.is_empty())
    );
    assert_eq!(
        service(&snapshot, "203.0.113.7:80", &caller()).routes[1].name,
        "passthrough"
    );
    let said = said(&snapshot, PolicyKind::Sidecar, "shop/closed");
    assert!(
        said[2].contains("spec.egress (sidecars learn of what their apps call"),
        "{said:?}"
    );
}

/// A rule for the site's port 80.
fn with_tls(tls: &str) -> Snapshot {
    with_site(&format!(
        "
kind: DestinationRule
metadata: {{name: site, namespace: shop}}
spec: {{host: site.example.com, trafficPolicy: {{portLevelSettings: [{{port: {{number: 80}}, tls: {{{tls}}}}}]}}}}
"
    ))
}

const PORT_80: &str = "backend/shop/site.example.com:80/@203.0.113.7:80";

#[test]
fn tls_is_begun_where_a_rule_says_so_and_nowhere_else() {
    for (tls, server_name, names, unverified) in [
        (
            "mode: SIMPLE",
            "site.example.com",
            &["site.example.com"][..],
            false,
        ),
        (
            "mode: SIMPLE, caCertificates: system, sni: front.example.net",
            "front.example.net",
            &["front.example.net"][..],
            false,
        ),
        (
            "mode: SIMPLE, subjectAltNames: [a.example.net, b.example.net]",
            "site.example.com",
            &["a.example.net", "b.example.net"][..],
            false,
        ),
        (
            "mode: SIMPLE, insecureSkipVerify: true, caCertificates: /etc/ca.pem",
            "site.example.com",
            &[][..],
            true,
        ),
    ] {
        let snapshot = with_tls(tls);
        let there = backend(&snapshot, PORT_80);
        assert!(there.endpoints.is_empty(), "{tls}: nobody is called in plaintext");
        let found = there.tls.unwrap();
        assert_eq!(found.endpoints[0].address, "203.0.113.7:80", "{tls}");
        assert_eq!(found.server_name, server_name, "{tls}");
        assert_eq!(found.names, names, "{tls}");
        assert_eq!(found.unverified, unverified, "{tls}");
        let said = said(&snapshot, PolicyKind::DestinationRule, "shop/site");
        assert_eq!(said.len(), 2, "{tls}: {said:?}");
        let other = backend(&snapshot, "backend/shop/site.example.com:443/@203.0.113.7:443");
        assert_eq!(other.endpoints.len(), 1, "the app's own TLS goes on");
        assert!(other.tls.is_none());
    }
}

#[test]
fn tls_that_cannot_be_begun_is_not_sent_in_plaintext() {
    for (tls, why) in [
        (
            "mode: MUTUAL, clientCertificate: /etc/c.pem",
            "tls.mode: MUTUAL: sidecars have no certificates",
        ),
        (
            "mode: SIMPLE, caCertificates: /etc/ca.pem",
            "tls.caCertificates: /etc/ca.pem: sidecars have no such file",
        ),
        (
            "mode: SIMPLE, credentialName: mine",
            "tls.credentialName: mine: sidecars are given no Secrets",
        ),
        ("mode: SIMPLE, sni: 'a b'", "\"a b\" is no name of a server"),
        ("mode: SOMETHING", "tls.mode: SOMETHING is not a mode"),
    ] {
        let snapshot = with_tls(tls);
        let there = backend(&snapshot, PORT_80);
        assert!(there.endpoints.is_empty() && there.tls.is_none(), "{tls}");
        let said = said(&snapshot, PolicyKind::DestinationRule, "shop/site");
        assert!(
            said[2].contains(why) && said[2].contains("is not called"),
            "{said:?}"
        );
    }
    for tls in ["mode: DISABLE", "mode: ISTIO_MUTUAL"] {
        assert_eq!(backend(&with_tls(tls), PORT_80).endpoints.len(), 1, "{tls}");
    }
}

/// As Istio's documentation has it, first the shorter way and then the older one, by a subset for the port of TLS.
#[test]
fn requests_on_one_port_leave_by_tls_on_another() {
    let entry = "
kind: ServiceEntry
metadata: {name: site, namespace: shop}
spec:
  hosts: [site.example.com]
  subjectAltNames: [www.example.com]
  ports: [{number: 80, name: http-port, protocol: HTTP, targetPort: 443}, {number: 443, name: https-port, protocol: HTTPS}]
  resolution: DNS
---
kind: DestinationRule
metadata: {name: site, namespace: shop}
spec: {host: site.example.com, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}}
";
    let older = "
kind: ServiceEntry
metadata: {name: site, namespace: shop}
spec:
  hosts: [site.example.com]
  subjectAltNames: [www.example.com]
  ports: [{number: 80, name: http-port, protocol: HTTP}, {number: 443, name: https-port-for-tls-origination, protocol: HTTPS}]
  resolution: DNS
---
kind: VirtualService
metadata: {name: site, namespace: shop}
spec:
  hosts: [site.example.com]
  http: [{match: [{port: 80}], route: [{destination: {host: site.example.com, subset: tls-origination, port: {number: 443}}}]}]
---
kind: DestinationRule
metadata: {name: site, namespace: shop}
spec:
  host: site.example.com
  subsets:
  - name: tls-origination
    trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}
";
    for (yaml, name) in [
        (entry, "backend/shop/site.example.com:80"),
        (older, "backend/shop/site.example.com:443/tls-origination"),
    ] {
        let mut objects = objects(yaml);
        objects
            .resolved
            .insert("site.example.com".into(), vec!["198.51.100.7".parse().unwrap()]);
        let snapshot = Snapshot::build(&objects);
        let found = service(&snapshot, "203.0.113.7:80", &caller());
        assert_eq!(to(&found.routes[0].backends), [name]);
        let there = backend(&snapshot, name);
        assert!(there.endpoints.is_empty(), "{there:?}");
        let tls = there.tls.unwrap();
        assert_eq!(tls.endpoints[0].address, "198.51.100.7:443");
        assert_eq!(tls.names, ["www.example.com"], "as the entry has it");
        for kind in [PolicyKind::DestinationRule, PolicyKind::ServiceEntry] {
            assert_eq!(said(&snapshot, kind, "shop/site").len(), 2);
        }
    }
}

#[test]
fn a_host_with_a_wildcard_needs_a_name_to_ask_for() {
    let with = |sni: &str| {
        snapshot(&format!(
            "
kind: ServiceEntry
metadata: {{name: all, namespace: shop}}
spec: {{hosts: ['*.example.com'], ports: [{{number: 80, name: http, protocol: HTTP}}]}}
---
kind: DestinationRule
metadata: {{name: all, namespace: shop}}
spec: {{host: '*.example.com', trafficPolicy: {{tls: {{mode: SIMPLE{sni}}}}}}}
"
        ))
    };
    let name = "backend/shop/*.example.com:80/@203.0.113.7:80";
    let nameless = with("");
    let found = backend(&nameless, name);
    assert!(found.endpoints.is_empty() && found.tls.is_none());
    let said = said(&nameless, PolicyKind::DestinationRule, "shop/all");
    assert!(said[2].contains("tls.sni: there is none"), "{said:?}");
    let named = backend(&with(", sni: www.example.com"), name).tls.unwrap();
    assert_eq!(
        (named.server_name.as_str(), named.names.len()),
        ("www.example.com", 1)
    );
}

#[test]
fn pods_without_a_sidecar_are_called_by_tls_and_those_with_one_as_ever() {
    let yaml = format!(
        "{SHOP}---
kind: DestinationRule
metadata: {{name: web, namespace: shop}}
spec: {{host: web, trafficPolicy: {{tls: {{mode: SIMPLE}}}}}}
"
    );
    let snapshot = snapshot(&yaml);
    let found = backend(&snapshot, "backend/shop/web:80");
    assert!(!found.endpoints.is_empty() && found.endpoints.iter().all(|e| !e.identity.is_empty()));
    let tls = found.tls.unwrap();
    assert!(tls.endpoints.iter().all(|e| e.identity.is_empty()));
    assert!(tls.endpoints.iter().any(|e| e.pod == "plain"));
    assert_eq!(tls.server_name, "web.shop.svc.cluster.local");
    assert_eq!(tls.names, ["web.shop.svc.cluster.local", "web.shop.svc"]);
    let said = said(&snapshot, PolicyKind::DestinationRule, "shop/web");
    assert!(
        said[2].contains("tls.mode: SIMPLE (meshed calls stay mutual TLS)"),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_with_an_entry_is_said() {
    let entry = |name: &str, spec: &str| {
        format!("\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{spec}}}\n---")
    };
    let http = "ports: [{number: 80, name: http, protocol: HTTP}]";
    let snapshot = snapshot(&[
        entry("a", &format!("hosts: [a.example.com], {http}")),
        entry("b", &format!("hosts: [a.example.com], {http}")),
        entry("c", &format!("hosts: [web.shop.svc.cluster.local, short, c.example.com], {http}")),
        entry("d", &format!("hosts: [d.example.com], {http}, resolution: STATIC")),
        entry("e", &format!("hosts: [e.example.com], {http}, resolution: STATIC, endpoints: [{{address: elsewhere.example, serviceAccount: x}}]")),
        entry("f", "hosts: [f.example.com]"),
        entry("h", &format!("hosts: [h.example.com], {http}, resolution: DNS, endpoints: [{{address: far.example.com}}]")),
        entry("g", "hosts: [g.example.com], ports: [{number: 80, name: x, protocol: CARRIER_PIGEON}], invented: [x]"),
    ].concat());
    let said = |name: &str| said(&snapshot, PolicyKind::ServiceEntry, &format!("shop/{name}")).join("\n");
    assert!(said("b").starts_with("Accepted=false Conflict"), "{}", said("b"));
    assert!(said("b").contains("serviceentry/shop/a is older"));
    assert!(
        said("c").contains("is service shop/web of the cluster")
            && said("c").contains("\"short\" is not a full name")
    );
    assert!(said("c").starts_with("Accepted=true"));
    assert!(said("d").contains("ResolvedRefs=false NoEndpoints"));
    assert!(
        said("e").contains("spec.endpoints[0].address") && said("e").contains("serviceAccount"),
        "{}",
        said("e")
    );
    assert!(
        said("h").contains("ResolvedRefs=false NoEndpoints: spec.hosts[0]"),
        "{}",
        said("h")
    );
    assert!(said("f").starts_with("Accepted=false Invalid: spec.ports"));
    assert!(
        said("g").contains("CARRIER_PIGEON") && said("g").contains("spec.invented"),
        "{}",
        said("g")
    );
}
