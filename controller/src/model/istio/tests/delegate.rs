use mesh_api::wire::{self, string_match::Kind};

use crate::model::{
    Snapshot,
    report::PolicyKind,
    tests::{caller, said, service, snapshot},
};

const ROOT: &str = "
kind: VirtualService
metadata: {name: root, namespace: shop}
spec:
  hosts: [web]
  http:
  - {name: api, match: [{uri: {prefix: /api}, headers: {x: {exact: y}}}], delegate: {name: part, namespace: team}, timeout: 3s}
  - {match: [{uri: {prefix: /lost}}], delegate: {name: nobody}}
  - {match: [{uri: {prefix: /hidden}}], delegate: {name: hidden, namespace: team}}
  - route: [{destination: {host: web}}]
---
kind: VirtualService
metadata: {name: part, namespace: team}
spec:
  http:
  - {name: new, match: [{uri: {prefix: /api/v2}}, {uri: {exact: /api/new}, method: {exact: GET}}], timeout: 1s, route: [{destination: {host: web-v2.shop}}]}
  - {match: [{uri: {prefix: /other}}], route: [{destination: {host: web.shop}}]}
  - {match: [{uri: {regex: '/api/.*'}}], route: [{destination: {host: web.shop}}]}
  - {delegate: {name: deeper}}
  - route: [{destination: {host: api}}]
---
kind: VirtualService
metadata: {name: hidden, namespace: team}
spec: {exportTo: ['.'], http: [{route: [{destination: {host: api}}]}]}
---
kind: VirtualService
metadata: {name: unused, namespace: team}
spec: {http: [{route: [{destination: {host: api}}]}]}
---
kind: Service
metadata: {name: api, namespace: team}
spec: {clusterIP: 10.96.7.7, ports: [{name: http, port: 80}]}
";

fn paths(route: &wire::Route) -> Vec<String> {
    let text = |m: &wire::RequestMatch| match m.path.as_ref().and_then(|p| p.kind.clone()) {
        Some(Kind::Prefix(text)) => format!("{text}*"),
        Some(Kind::Exact(text)) => text,
        other => format!("{other:?}"),
    };
    let own = route.matches.iter();
    own.map(|m| format!("{} {} {}", text(m), m.method, m.headers.len()))
        .collect()
}

fn found() -> Snapshot {
    snapshot(ROOT)
}

#[test]
fn rules_of_a_delegate_stand_in_the_place_of_the_roots() {
    let target = service(&found(), "10.96.0.10:80", &caller());
    let routes: Vec<_> = target
        .routes
        .iter()
        .map(|r| {
            (
                r.name.as_str(),
                r.backends[0].backend.as_str(),
                r.request_timeout_ms,
                paths(r),
            )
        })
        .collect();
    let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        routes,
        [
            (
                "virtualservice/team/part#api-new",
                "backend/shop/web-v2:80",
                1_000,
                own(&["/api/v2*  1", "/api/new GET 1"])
            ),
            (
                "virtualservice/team/part#api",
                "backend/team/api:80",
                3_000,
                own(&["/api*  1"])
            ),
            ("virtualservice/shop/root", "backend/shop/web:80", 0, own(&[])),
        ],
        "short names are of the delegate's namespace, and what it leaves open is as the root has it"
    );
}

#[test]
fn what_a_delegate_cannot_have_is_said_where_it_is_asked_for() {
    let snapshot = found();
    let root = said(&snapshot, PolicyKind::VirtualService, "shop/root");
    assert!(root[0].starts_with("Accepted=true"), "{root:?}");
    assert!(
        root[1].contains("spec.http[1].delegate: there is no VirtualService shop/nobody"),
        "{root:?}"
    );
    for part in [
        "spec.http[0].delegate: virtualservice/team/part spec.http[1].match",
        "virtualservice/team/part spec.http[2].match",
        "virtualservice/team/part spec.http[3].delegate",
    ] {
        assert!(root[2].contains(part), "{part}: {root:?}");
    }
    let about = |name: &str| said(&snapshot, PolicyKind::VirtualService, name).remove(0);
    assert!(about("team/part").starts_with("Accepted=true"));
    assert!(
        about("team/hidden").starts_with("Accepted=true"),
        "somebody asks for it, in vain"
    );
    assert!(about("team/unused").starts_with("Accepted=false NoHosts"));
}
