//! TLSRoutes and TCPRoutes.

use super::RouteKind;
use crate::model::{
    Key, Subscriber,
    tests::{caller, service, snapshot},
};

/// Ports that carry TLS, bytes, and whatever comes.
const STREAMS: &str = "
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.20, ports: [{name: tls, port: 443}, {name: tcp-db, port: 5000}, {name: http, port: 80}]}
---";

fn streams(more: &str, port: u16, who: &Subscriber) -> Vec<(String, Vec<String>, Vec<String>)> {
    let found = service(
        &snapshot(&format!("{STREAMS}{more}")),
        &format!("10.96.0.20:{port}"),
        who,
    );
    let streams = found.stream_routes.into_iter();
    streams
        .map(|r| {
            let to = r
                .backends
                .into_iter()
                .map(|b| format!("{}*{}", b.backend, b.weight));
            (r.name, r.server_names, to.collect())
        })
        .collect()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn tls_routes_ask_for_names_and_whole_ones_go_first() {
    let route = |name: &str, hosts: &str, backend: &str| {
        format!(
            "
kind: TLSRoute
metadata: {{name: {name}, namespace: shop}}
spec: {{hostnames: [{hosts}], parentRefs: [{{group: '', kind: Service, name: db, port: 443}}], rules: [{{backendRefs: [{{name: {backend}, port: 80}}]}}]}}
---"
        )
    };
    let yaml =
        route("a", "'*.example.com', '*.b.example.com'", "web") + &route("b", "X.example.com", "web-v2");
    let found = streams(&yaml, 443, &caller());
    assert_eq!(
        found,
        [
            (
                "tlsroute/shop/b".to_owned(),
                names(&["x.example.com"]),
                names(&["backend/shop/web-v2:80*1"])
            ),
            (
                "tlsroute/shop/a".to_owned(),
                names(&["*.b.example.com"]),
                names(&["backend/shop/web:80*1"])
            ),
            (
                "tlsroute/shop/a".to_owned(),
                names(&["*.example.com"]),
                names(&["backend/shop/web:80*1"])
            ),
        ]
    );
    assert_eq!(
        streams(&yaml, 5000, &caller()),
        [],
        "of another port nothing is said"
    );
}

#[test]
fn a_tls_route_binds_ports_that_may_carry_tls() {
    let yaml = "
kind: TLSRoute
metadata: {name: a, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {hostnames: [a.example.com], parentRefs: [{group: '', kind: Service, name: db}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
kind: VirtualService
metadata: {name: v, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {hosts: [db], http: [{route: [{destination: {host: web, port: {number: 80}}}]}]}
";
    let snapshot = snapshot(&format!("{STREAMS}{yaml}"));
    let name = |port: u16| service(&snapshot, &format!("10.96.0.20:{port}"), &caller());
    assert_eq!(name(443).stream_routes[0].name, "tlsroute/shop/a");
    assert_eq!(
        name(80).routes[0].name,
        "virtualservice/shop/v",
        "the younger one has the other port"
    );
    assert!(name(5000).stream_routes.is_empty());
}

#[test]
fn tcp_routes_split_connections_and_the_oldest_has_the_port() {
    let route = |name: &str, age: u8, weights: [u8; 2]| {
        format!(
            "
kind: TCPRoute
metadata: {{name: {name}, namespace: shop, creationTimestamp: '2026-01-0{age}T00:00:00Z'}}
spec: {{parentRefs: [{{group: '', kind: Service, name: db, port: 5000}}], rules: [{{backendRefs: [{{name: web, port: 80, weight: {}}}, {{name: web-v2, port: 80, weight: {}}}]}}]}}
---",
            weights[0], weights[1]
        )
    };
    let yaml = format!(
        "{STREAMS}{}{}",
        route("late", 2, [1, 1]),
        route("early", 1, [90, 10])
    );
    let snapshot = snapshot(&yaml);
    let found = service(&snapshot, "10.96.0.20:5000", &caller());
    assert_eq!(found.stream_routes.len(), 1);
    assert_eq!(found.stream_routes[0].name, "tcproute/shop/early");
    let weights: Vec<u32> = found.stream_routes[0].backends.iter().map(|b| b.weight).collect();
    assert_eq!(weights, [90, 10]);
    let late = &snapshot.verdicts()[&(RouteKind::Tcp, Key::new("shop", "late"))][0].conditions[0];
    assert_eq!((late.holds, late.reason), (false, "Conflicted"), "{late:?}");
    assert!(late.message.contains("a TCPRoute of namespace shop"), "{late:?}");
}

#[test]
fn of_kinds_that_want_a_port_the_one_that_sees_most_gets_it() {
    let yaml = format!(
        "{STREAMS}
kind: HTTPRoute
metadata: {{name: h, namespace: shop}}
spec: {{parentRefs: [{{group: '', kind: Service, name: db, port: 80}}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}
---
kind: TCPRoute
metadata: {{name: t, namespace: shop}}
spec: {{parentRefs: [{{group: '', kind: Service, name: db, port: 80}}, {{group: '', kind: Service, name: db, port: 5000}}], rules: [{{backendRefs: [{{name: web-v2, port: 80}}]}}]}}
---
kind: TLSRoute
metadata: {{name: s, namespace: shop}}
spec: {{hostnames: [a.example.com], parentRefs: [{{group: '', kind: Service, name: db, port: 5000}}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}
"
    );
    let snapshot = snapshot(&yaml);
    let on_80 = service(&snapshot, "10.96.0.20:80", &caller());
    assert_eq!(on_80.routes[0].name, "httproute/shop/h");
    assert!(on_80.stream_routes.is_empty());
    let parents = &snapshot.verdicts()[&(RouteKind::Tcp, Key::new("shop", "t"))];
    assert_eq!(
        parents.iter().map(|p| p.conditions[0].holds).collect::<Vec<_>>(),
        [false, false],
        "an HTTPRoute has one port, a TLSRoute the other: {parents:?}"
    );
    let tls = &snapshot.verdicts()[&(RouteKind::Tls, Key::new("shop", "s"))][0].conditions;
    assert!(
        tls.iter()
            .any(|c| c.kind == "PartiallyInvalid" && c.message.contains("carries no TLS there")),
        "{tls:?}"
    );
}

#[test]
fn requests_go_where_connections_would_when_only_these_are_routed() {
    let yaml = format!(
        "{STREAMS}
kind: TCPRoute
metadata: {{name: t, namespace: other}}
spec: {{parentRefs: [{{group: '', kind: Service, namespace: shop, name: db, port: 80}}], rules: [{{backendRefs: [{{namespace: shop, name: web-v2, port: 80}}]}}]}}
"
    );
    let snapshot = snapshot(&yaml);
    let consumer = Subscriber {
        namespace: "other".into(),
        ..caller()
    };
    let found = service(&snapshot, "10.96.0.20:80", &consumer);
    assert_eq!(found.routes[0].name, "tcproute/other/t");
    assert_eq!(found.routes[0].backends[0].backend, "backend/shop/web-v2:80");
    assert_eq!(
        service(&snapshot, "10.96.0.20:80", &caller()).routes[0].name,
        "default"
    );
}
