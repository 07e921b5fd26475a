//! Tables from the Gateway API's YAML to what goes over the wire.

mod streams;

use mesh_api::wire::{string_match, target::Kind as Target};

use super::RouteKind;
use crate::model::{
    Key, Snapshot,
    tests::{caller, routes, service, snapshot, target_for},
    view::Subscriber,
};

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
  - matches: [{path: {type: RegularExpression, value: '('}}]
    backendRefs: [{name: web, port: 80}]";
    let snapshot = snapshot(&http_route(rules));
    let routes = service(&snapshot, "10.96.0.10:80", &caller()).routes;
    assert_eq!(
        routes.len(),
        2,
        "an expression that does not compile never matches"
    );
    assert_eq!(routes[0].direct_response.as_ref().unwrap().status, 500);
    let verdict = &snapshot.verdicts().values().next().unwrap()[0].conditions[2];
    assert_eq!(
        (verdict.kind, verdict.reason),
        ("PartiallyInvalid", "UnsupportedValue")
    );
    assert_eq!(
        verdict.message,
        "Dropped Rule values that are not supported: rules[0].filters[0]: ExtensionRef, rules[1].matches[0]: the expression does not compile"
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

#[test]
fn backends_of_other_namespaces_need_no_grant() {
    let yaml = "
kind: HTTPRoute
metadata: {name: consumer, namespace: buyer}
spec:
  parentRefs: [{group: '', kind: Service, name: web, namespace: shop}]
  rules: [{backendRefs: [{name: web-v2, namespace: shop, port: 80}]}]
";
    let snapshot = snapshot(yaml);
    let buyer = Subscriber {
        namespace: "buyer".into(),
        ..caller()
    };
    let found = service(&snapshot, "10.96.0.10:80", &buyer).routes;
    assert_eq!(found[0].backends[0].backend, "backend/shop/web-v2:80");
    assert_eq!(
        verdict(&snapshot, RouteKind::Http, "buyer/consumer", 0),
        "true Accepted, true ResolvedRefs"
    );
}

fn verdict(snapshot: &Snapshot, kind: RouteKind, name: &str, parent: usize) -> String {
    let (namespace, name) = name.split_once('/').unwrap();
    let conditions = &snapshot.verdicts()[&(kind, Key::new(namespace, name))][parent].conditions;
    let said: Vec<String> = conditions
        .iter()
        .map(|c| format!("{} {}", c.holds, c.reason))
        .collect();
    said.join(", ")
}

#[test]
fn mirrors_by_percent_fraction_and_cors() {
    let rules = "
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: web-v2, port: 80}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 42}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}, fraction: {numerator: 1, denominator: 1000}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: nobody, port: 81}}}
    - {type: CORS, cors: {allowOrigins: ['https://a', 'https://*.b.com', '*'], allowMethods: [GET], allowHeaders: [x], exposeHeaders: [y], allowCredentials: true}}
    timeouts: {request: 0s}
    backendRefs: [{name: web, port: 80}]";
    let snapshot = snapshot(&http_route(rules));
    let route = service(&snapshot, "10.96.0.10:80", &caller()).routes.remove(0);
    let mirrors: Vec<(&str, u32)> = route
        .mirrors
        .iter()
        .map(|m| (m.backend.as_str(), m.per_million))
        .collect();
    assert_eq!(
        mirrors,
        [
            ("backend/shop/web-v2:80", 1_000_000),
            ("backend/shop/web:80", 420_000),
            ("backend/shop/web:81", 1_000)
        ]
    );
    assert_eq!(
        verdict(&snapshot, RouteKind::Http, "shop/r", 0),
        "true Accepted, false BackendNotFound"
    );
    let (_, resources) = target_for(&snapshot, "10.96.0.10:80", &caller());
    assert!(
        resources.contains(&"backend/shop/web-v2:80".to_owned()),
        "mirrors are backends, too"
    );
    let cors = route.cors.unwrap();
    let origins: Vec<string_match::Kind> = cors.allow_origins.iter().filter_map(|o| o.kind.clone()).collect();
    assert_eq!(
        origins,
        [
            string_match::Kind::Exact("https://a".into()),
            string_match::Kind::Regex("https://.*\\.b\\.com".into()),
            string_match::Kind::Present(true)
        ]
    );
    assert_eq!((cors.max_age_seconds, cors.allow_credentials), (5, true));
    assert_eq!(route.request_timeout_ms, 0, "explicitly none");
}

const GRPC: &str = "
kind: GRPCRoute
metadata: {name: calls, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: web, port: 80}]
  rules:
  - {name: method, matches: [{method: {method: List}}], backendRefs: [{name: web, port: 80}]}
  - {name: service, matches: [{method: {service: shop.Items}}], backendRefs: [{name: web, port: 80}]}
  - {name: both, matches: [{method: {service: shop.Items, method: List}, headers: [{name: X-A, value: '1'}]}], backendRefs: [{name: web, port: 80, weight: 70}, {name: web-v2, port: 80, weight: 30}]}
  - {name: regex, matches: [{method: {type: RegularExpression, service: 'shop\\..*'}}], backendRefs: [{name: web, port: 80}]}
  - name: any
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-B, value: '2'}]}}]
    backendRefs: [{name: web-v2, port: 80}]
";

#[test]
fn grpc_routes_match_services_and_methods() {
    let found = routes(GRPC);
    let seen: Vec<(String, Option<string_match::Kind>)> = found
        .iter()
        .map(|r| {
            let path = r
                .matches
                .first()
                .and_then(|m| m.path.clone())
                .and_then(|p| p.kind);
            (r.name.replace("grpcroute/shop/calls#", ""), path)
        })
        .collect();
    let expected = [
        ("both", Some(string_match::Kind::Exact("/shop.Items/List".into()))),
        ("service", Some(string_match::Kind::Prefix("/shop.Items/".into()))),
        ("method", Some(string_match::Kind::Suffix("/List".into()))),
        (
            "regex",
            Some(string_match::Kind::Regex("/(?:shop\\..*)/(?:[^/]+)".into())),
        ),
        ("any", None),
        ("unmatched", None),
    ];
    let expected = expected.map(|(name, path)| (name.to_owned(), path));
    assert_eq!(seen, expected, "the longest service, then the longest method");
    let weights: Vec<u32> = found[0].backends.iter().map(|b| b.weight).collect();
    assert_eq!(weights, [70, 30]);
    assert_eq!(found[0].matches[0].headers[0].name, "x-a");
}

#[test]
fn of_two_kinds_that_want_a_port_grpc_gets_it() {
    let http = |name: &str, port: &str| {
        format!(
            "
---
kind: HTTPRoute
metadata: {{name: {name}, namespace: shop}}
spec:
  parentRefs: [{{group: '', kind: Service, name: web{port}}}]
  rules: [{{backendRefs: [{{name: web-v2, port: 80}}]}}]
"
        )
    };
    let yaml = format!("{GRPC}{}{}", http("same", ", port: 80"), http("all", ""));
    let snapshot = snapshot(&yaml);
    assert_eq!(
        verdict(&snapshot, RouteKind::Grpc, "shop/calls", 0),
        "true Accepted, true ResolvedRefs"
    );
    assert_eq!(
        verdict(&snapshot, RouteKind::Http, "shop/same", 0),
        "false Conflicted, true ResolvedRefs"
    );
    assert_eq!(
        verdict(&snapshot, RouteKind::Http, "shop/all", 0),
        "true Accepted, true ResolvedRefs",
        "the other port is free"
    );
    let names = |address: &str| -> Vec<String> {
        let routes = service(&snapshot, address, &caller()).routes;
        routes.into_iter().map(|r| r.name).collect()
    };
    assert!(
        names("10.96.0.10:80")
            .iter()
            .all(|n| n.starts_with("grpcroute") || n == "unmatched")
    );
    assert_eq!(names("10.96.0.10:81")[0], "httproute/shop/all");
}
