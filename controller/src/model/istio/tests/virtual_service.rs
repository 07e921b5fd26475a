use mesh_api::wire::{self, string_match::Kind};

use super::with_versions;
use crate::model::{
    report::PolicyKind,
    tests::{backend, caller, routes, said, service, snapshot},
    view::Subscriber,
};

fn vs(rules: &str) -> String {
    format!(
        "
kind: VirtualService
apiVersion: networking.istio.io/v1beta1
metadata: {{name: r, namespace: shop}}
spec:
  hosts: [web]
{rules}
"
    )
}

fn only(rule: &str) -> wire::Route {
    routes(&vs(&format!("  http:\n  - {rule}"))).remove(0)
}

#[test]
fn the_split_of_the_tutorials_works_with_and_without_a_destination_rule() {
    let split = "
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: my-service, namespace: shop}
spec:
  hosts:
  - my-service
  http:
  - route:
    - destination:
        host: my-service
        subset: v1
      weight: 90
    - destination:
        host: my-service
        subset: v2
      weight: 10
";
    let rule = "
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: my-service, namespace: shop}
spec:
  host: my-service
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
";
    for yaml in [split.to_owned(), format!("{split}{rule}")] {
        let snapshot = with_versions(&yaml);
        let target = service(&snapshot, "10.96.0.30:80", &caller());
        assert_eq!(target.routes.len(), 1);
        let shares: Vec<(&str, u32)> = target.routes[0]
            .backends
            .iter()
            .map(|b| (b.backend.as_str(), b.weight))
            .collect();
        assert_eq!(
            shares,
            [
                ("backend/shop/my-service:80/v1", 90),
                ("backend/shop/my-service:80/v2", 10)
            ]
        );
        for (subset, address) in [("v1", "10.244.3.1:8080"), ("v2", "10.244.3.2:8080")] {
            let found = backend(&snapshot, &format!("backend/shop/my-service:80/{subset}"));
            let addresses: Vec<&str> = found.endpoints.iter().map(|e| e.address.as_str()).collect();
            assert_eq!((found.subset.as_str(), addresses), (subset, vec![address]));
        }
        assert_eq!(
            said(&snapshot, PolicyKind::VirtualService, "shop/my-service"),
            [
                "Accepted=true Accepted: in force",
                "ResolvedRefs=true ResolvedRefs: all references resolve"
            ]
        );
    }
}

#[test]
fn the_delay_of_the_tutorials_works() {
    let route = only(
        "{fault: {delay: {fixedDelay: 2s, percentage: {value: 50}}}, route: [{destination: {host: web}}]}",
    );
    let fault = route.fault.unwrap();
    assert_eq!(
        (fault.delay_ms, fault.delay_per_million, fault.abort_per_million),
        (2_000, 500_000, 0)
    );
    assert_eq!(fault.source, "virtualservice/shop/r");
    assert_eq!((fault.expires_at_ms, fault.matches.len()), (0, 0));
}

#[test]
fn faults_abort_by_status_of_either_kind() {
    let abort = |text: &str| {
        only(&format!(
            "{{fault: {{abort: {text}}}, route: [{{destination: {{host: web}}}}]}}"
        ))
        .fault
        .unwrap()
    };
    let http = abort("{httpStatus: 503, percentage: {value: 0.1}}");
    assert_eq!(
        (http.abort_http_status, http.abort_per_million, http.abort_grpc),
        (503, 1_000, false)
    );
    let grpc = abort("{grpcStatus: UNAVAILABLE, percentage: {value: 100}}");
    assert_eq!(
        (grpc.abort_grpc, grpc.abort_grpc_status, grpc.abort_per_million),
        (true, 14, 1_000_000)
    );
    assert_eq!(
        abort("{httpStatus: 500}").abort_per_million,
        0,
        "no percentage is nobody, as in Istio"
    );
    assert_eq!(
        abort("{grpcStatus: NONSENSE, percentage: {value: 5}}").abort_per_million,
        0
    );
}

#[test]
fn matches_reach_the_wire() {
    let exact = |text: &str| Kind::Exact(text.into());
    let request = |text: &str| {
        only(&format!(
            "{{match: [{text}], route: [{{destination: {{host: web}}}}]}}"
        ))
        .matches
    };
    let path = |text: &str| request(text)[0].path.clone().unwrap();
    assert_eq!(path("{uri: {exact: /a}}").kind, Some(exact("/a")));
    assert_eq!(
        path("{uri: {prefix: /a}}").kind,
        Some(Kind::Prefix("/a".into())),
        "of characters, not elements"
    );
    assert_eq!(
        path("{uri: {regex: '/a.*'}}").kind,
        Some(Kind::Regex("/a.*".into()))
    );
    assert!(path("{uri: {exact: /a}, ignoreUriCase: true}").ignore_case);
    assert_eq!(request("{method: {exact: GET}}")[0].method, "GET");
    assert_eq!(
        request("{method: {regex: 'GET|PUT'}}")[0]
            .any_method
            .clone()
            .unwrap()
            .kind,
        Some(Kind::Regex("GET|PUT".into()))
    );
    assert_eq!(
        request("{scheme: {exact: http}}")[0].scheme.clone().unwrap().kind,
        Some(exact("http"))
    );
    assert_eq!(
        request("{authority: {prefix: web}}")[0]
            .authority
            .clone()
            .unwrap()
            .kind,
        Some(Kind::Prefix("web".into()))
    );
    let headers =
        &request("{headers: {X-User: {exact: me}, y: {}}, withoutHeaders: {Z: {prefix: a}}}")[0].headers;
    let named: Vec<(&str, Option<Kind>, bool)> = headers
        .iter()
        .map(|h| (h.name.as_str(), h.value.clone().unwrap().kind, h.invert))
        .collect();
    assert_eq!(
        named,
        [
            ("x-user", Some(exact("me")), false),
            ("y", Some(Kind::Present(true)), false),
            ("z", Some(Kind::Prefix("a".into())), true)
        ]
    );
    assert_eq!(request("{queryParams: {q: {exact: '1'}}}")[0].query[0].name, "q");
    assert_eq!(request("{uri: {exact: /a}}, {uri: {exact: /b}}").len(), 2);
    assert!(
        request("{uri: {prefix: /}}").is_empty(),
        "every path: no need to look"
    );
    assert!(
        request("{uri: {exact: /a}}, {name: all}").is_empty(),
        "one match fits everything"
    );
}

#[test]
fn rules_are_tried_as_written_and_nothing_follows_the_last() {
    let rules = "  http:
  - {name: first, match: [{uri: {prefix: /a}}], route: [{destination: {host: web}}]}
  - {name: second, match: [{uri: {exact: /a/b}}], route: [{destination: {host: web-v2}}]}";
    let names = |yaml: &str| -> Vec<String> { routes(yaml).into_iter().map(|r| r.name).collect() };
    assert_eq!(
        names(&vs(rules)),
        [
            "virtualservice/shop/r#first",
            "virtualservice/shop/r#second",
            "unmatched"
        ]
    );
    let all = format!("{rules}\n  - {{route: [{{destination: {{host: web}}}}]}}");
    assert_eq!(
        names(&vs(&all)),
        [
            "virtualservice/shop/r#first",
            "virtualservice/shop/r#second",
            "virtualservice/shop/r"
        ]
    );
}

#[test]
fn callers_are_told_apart() {
    let rules = "  http:
  - {name: labelled, match: [{sourceLabels: {app: client}}], route: [{destination: {host: web}}]}
  - {name: namespace, match: [{sourceNamespace: other}], route: [{destination: {host: web}}]}
  - {name: port, match: [{port: 81}], route: [{destination: {host: web}}]}
  - {name: gateway, match: [{gateways: [edge]}], route: [{destination: {host: web}}]}
  - {name: mesh, match: [{gateways: [edge, mesh]}], route: [{destination: {host: web}}]}";
    let snapshot = with_versions(&vs(rules));
    let names = |address: &str, who: &Subscriber| -> Vec<String> {
        let routes = service(&snapshot, address, who).routes;
        routes
            .iter()
            .map(|r| r.name.replace("virtualservice/shop/r#", ""))
            .collect()
    };
    assert_eq!(names("10.96.0.10:80", &caller()), ["labelled", "mesh"]);
    assert_eq!(names("10.96.0.10:81", &caller()), ["labelled", "port", "mesh"]);
    let other = Subscriber {
        namespace: "other".into(),
        ..caller()
    };
    assert_eq!(names("10.96.0.10:80", &other), ["namespace", "mesh"]);
}

#[test]
fn actions_reach_the_wire() {
    let route = only(
        "{route: [{destination: {host: web-v2.shop.svc.cluster.local, port: {number: 80}}, headers: {request: {set: {V: '2'}}}}],
            timeout: 1.5s, headers: {request: {add: {X-A: '1'}, remove: [X-B]}, response: {set: {X-C: '3'}}},
            retries: {attempts: 3, perTryTimeout: 500ms, retryOn: 'gateway-error,503,cancelled,reset,retriable-4xx,bogus', backoff: 25ms},
            mirrors: [{destination: {host: web}, percentage: {value: 12.5}}],
            corsPolicy: {allowOrigins: [{exact: 'https://a'}, {regex: '.*b'}], allowOrigin: ['*'], allowMethods: [GET], allowHeaders: [x], exposeHeaders: [y],
              maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE}}",
    );
    assert_eq!(route.backends[0].backend, "backend/shop/web-v2:80");
    assert_eq!(route.backends[0].weight, 1);
    assert_eq!(
        route.backends[0].request_headers.as_ref().unwrap().set[0].name,
        "v"
    );
    assert_eq!(route.request_timeout_ms, 1_500);
    let headers = route.request_headers.unwrap();
    assert_eq!(
        (headers.add[0].name.as_str(), headers.remove[0].as_str()),
        ("x-a", "x-b")
    );
    assert_eq!(route.response_headers.unwrap().set[0].value, "3");
    let retry = route.retry.unwrap();
    assert_eq!(
        (retry.attempts, retry.per_try_timeout_ms, retry.backoff_ms),
        (3, 500, 25)
    );
    assert!(retry.on_gateway_error && retry.on_reset && retry.on_retriable_4xx && !retry.on_server_error);
    assert_eq!(
        (&retry.statuses[..], &retry.grpc_statuses[..]),
        (&[503][..], &[1][..])
    );
    assert_eq!(
        (route.mirrors[0].backend.as_str(), route.mirrors[0].per_million),
        ("backend/shop/web:80", 125_000)
    );
    let cors = route.cors.unwrap();
    assert_eq!((cors.allow_origins.len(), cors.max_age_seconds), (3, 86_400));
    assert!(cors.allow_credentials && !cors.forward_unmatched_preflights);
}

#[test]
fn the_older_form_of_mirrors_and_retries_that_are_none() {
    let route = only(
        "{route: [{destination: {host: web}}], mirror: {host: web-v2}, mirrorPercentage: {value: 5}, retries: {attempts: 0}, timeout: 0s}",
    );
    assert_eq!(route.mirrors[0].per_million, 50_000);
    assert_eq!((route.retry, route.request_timeout_ms), (None, 0));
    let route = only("{route: [{destination: {host: web}}], mirror: {host: web-v2}, retries: {attempts: 2}}");
    assert_eq!(route.mirrors[0].per_million, 1_000_000);
    let retry = route.retry.unwrap();
    assert!(retry.on_connect_failure && retry.statuses == [503] && retry.grpc_statuses == [14, 1]);
}

#[test]
fn redirects_answers_and_rewrites() {
    let redirect =
        only("{redirect: {uri: /new, authority: other, scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}}")
            .redirect
            .unwrap();
    assert_eq!(
        (redirect.status, redirect.port, redirect.replace_path.as_str()),
        (301, 443, "/new")
    );
    assert_eq!(
        (redirect.host.as_str(), redirect.scheme.as_str()),
        ("other", "https")
    );
    let answer = only("{directResponse: {status: 418, body: {string: tea}}}")
        .direct_response
        .unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (418, "tea"));
    let rules = "  http:
  - {match: [{uri: {prefix: /old}}, {uri: {exact: /one}}], rewrite: {uri: /new, authority: h}, route: [{destination: {host: web}}]}";
    let found = routes(&vs(rules));
    let rewrite = |i: usize| found[i].rewrite.clone().unwrap();
    assert_eq!(
        (rewrite(0).prefix.as_str(), rewrite(0).replace_prefix.as_str()),
        ("/old", "/new")
    );
    assert_eq!(
        (rewrite(1).prefix.as_str(), rewrite(1).replace_path.as_str()),
        ("", "/new")
    );
    assert_eq!(rewrite(1).host, "h");
    let by_regex = only(
        r"{rewrite: {uriRegexRewrite: {match: '^/service/([^/]+)(/.*)$', rewrite: '\2/costs$5/\1'}}, route: [{destination: {host: web}}]}",
    );
    let rewrite = by_regex.rewrite.unwrap();
    assert_eq!(
        (rewrite.regex.as_str(), rewrite.substitution.as_str()),
        ("^/service/([^/]+)(/.*)$", "${2}/costs$$5/${1}")
    );
}

#[test]
fn expressions_say_themselves_what_case_is_to_them() {
    let found = routes(&vs("  http:
  - {match: [{uri: {regex: /A.*}, ignoreUriCase: true}, {uri: {prefix: /A}, ignoreUriCase: true}], route: [{destination: {host: web}}]}"));
    let ignore: Vec<bool> = found[0]
        .matches
        .iter()
        .map(|m| m.path.as_ref().unwrap().ignore_case)
        .collect();
    assert_eq!(ignore, [false, true]);
}

#[test]
fn what_does_not_resolve_answers_500_in_its_share_and_is_said() {
    let rules = "  http:
  - {route: [{destination: {host: web}, weight: 50}, {destination: {host: nobody}, weight: 30}, {destination: {host: api.example.com}, weight: 20}], delegate: {name: x}}
  - {match: [{uri: {regex: '('}}], route: [{destination: {host: web}}]}
  - {match: [{uri: {exact: /x}, port: 80, invented: {exact: y}}], route: [{destination: {host: web}}]}";
    let snapshot = snapshot(&vs(rules));
    let found = service(&snapshot, "10.96.0.10:80", &caller()).routes;
    assert_eq!(found.len(), 1, "what cannot be read as written never matches");
    let backends: Vec<(&str, u32)> = found[0]
        .backends
        .iter()
        .map(|b| (b.backend.as_str(), b.weight))
        .collect();
    assert_eq!(backends, [("backend/shop/web:80", 50), ("", 30), ("", 20)]);
    let said = said(&snapshot, PolicyKind::VirtualService, "shop/r");
    assert_eq!(
        said[1],
        "ResolvedRefs=false BackendNotFound: spec.http[0].route[1].destination: there is no service shop/nobody"
    );
    for field in [
        "spec.http[0].delegate",
        "spec.http[2].match[0].invented",
        "spec.http[1].match[0].uri: the expression",
    ] {
        assert!(said[2].contains(field), "{said:?}");
    }
}

#[test]
fn the_oldest_has_the_host_and_gateways_are_not_ours() {
    let yaml = "
kind: VirtualService
metadata: {name: young, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {hosts: [web], http: [{route: [{destination: {host: web-v2}}]}]}
---
kind: VirtualService
metadata: {name: z-old, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {hosts: [web.shop.svc.cluster.local], http: [{route: [{destination: {host: web}}]}]}
---
kind: VirtualService
metadata: {name: edge, namespace: shop}
spec: {hosts: ['*'], gateways: [edge], http: [{route: [{destination: {host: web-v2}}]}]}
---
kind: HTTPRoute
metadata: {name: younger, namespace: shop, creationTimestamp: '2026-01-03T00:00:00Z'}
spec: {parentRefs: [{group: '', kind: Service, name: web}], rules: [{backendRefs: [{name: web-v2, port: 80}]}]}
";
    let snapshot = snapshot(yaml);
    assert_eq!(
        service(&snapshot, "10.96.0.10:80", &caller()).routes[0].name,
        "virtualservice/shop/z-old"
    );
    let verdict = |name: &str| said(&snapshot, PolicyKind::VirtualService, name).remove(0);
    assert!(verdict("shop/young").starts_with("Accepted=false Conflict"));
    assert!(verdict("shop/edge").starts_with("Accepted=false NotForMesh"));
}

#[test]
fn a_whole_name_goes_before_a_wildcard_and_only_for_whom_it_is_exported() {
    let yaml = "
kind: VirtualService
metadata: {name: any, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {hosts: ['*.shop.svc.cluster.local'], http: [{route: [{destination: {host: web-v2}}]}]}
---
kind: VirtualService
metadata: {name: one, namespace: shop, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {hosts: [web], exportTo: ['.'], http: [{route: [{destination: {host: web}}]}]}
";
    let snapshot = snapshot(yaml);
    let name = |who: &Subscriber| service(&snapshot, "10.96.0.10:80", who).routes[0].name.clone();
    assert_eq!(name(&caller()), "virtualservice/shop/one");
    let other = Subscriber {
        namespace: "other".into(),
        ..caller()
    };
    assert_eq!(name(&other), "virtualservice/shop/any");
}

#[test]
fn what_is_for_few_callers_goes_before_what_is_for_all() {
    let of = |namespace: &str, name: &str, day: u8, export: &str| {
        format!(
            "
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '2026-01-0{day}T00:00:00Z'}}
spec: {{hosts: [web.shop.svc.cluster.local], exportTo: [{export}], http: [{{route: [{{destination: {{host: web.shop.svc.cluster.local}}}}]}}]}}
---"
        )
    };
    let yaml = [
        of("shop", "public", 1, "'*'"),
        of("shop", "some", 2, "buyer, seller"),
        of("buyer", "own", 3, "'.'"),
    ]
    .concat();
    let snapshot = snapshot(yaml.trim_end_matches("---"));
    let name = |namespace: &str| {
        let who = Subscriber {
            namespace: namespace.into(),
            ..caller()
        };
        service(&snapshot, "10.96.0.10:80", &who).routes[0].name.clone()
    };
    assert_eq!(name("shop"), "virtualservice/shop/public");
    assert_eq!(name("seller"), "virtualservice/shop/some");
    assert_eq!(name("buyer"), "virtualservice/buyer/own");
}

#[test]
fn connections_are_routed_by_name_and_by_nothing() {
    let rules = "  tls:
  - {match: [{sniHosts: ['A.example', '*.b.example'], port: 80}], route: [{destination: {host: web-v2}}]}
  tcp:
  - {match: [{port: 81}], route: [{destination: {host: web}}]}
  - {route: [{destination: {host: web, port: {number: 80}}, weight: 80}, {destination: {host: web-v2}, weight: 20}]}";
    let snapshot = snapshot(&vs(rules));
    let target = service(&snapshot, "10.96.0.10:80", &caller());
    let streams: Vec<(&[String], usize)> = target
        .stream_routes
        .iter()
        .map(|s| (&s.server_names[..], s.backends.len()))
        .collect();
    assert_eq!(streams[0].0, ["a.example", "*.b.example"]);
    assert_eq!((streams.len(), streams[1]), (2, (&[][..], 2)));
    assert_eq!(
        target.routes[0].backends.len(),
        2,
        "requests go where the connection would"
    );
    let admin = service(&snapshot, "10.96.0.10:81", &caller());
    assert_eq!(admin.stream_routes[0].backends[0].backend, "backend/shop/web:81");
}

#[test]
fn values_that_envoy_would_fill_in_are_said_to_be_sent_as_they_are() {
    let yaml = |value: &str| {
        format!(
            "
kind: VirtualService
metadata: {{name: v, namespace: shop}}
spec: {{hosts: [my-service], http: [{{headers: {{request: {{set: {{x: '{value}'}}}}}}, route: [{{destination: {{host: my-service}}}}]}}]}}
"
        )
    };
    for (value, told) in [
        ("%REQ(:authority)%", true),
        ("to %DOWNSTREAM_REMOTE_ADDRESS%", true),
        ("100% of 50%", false),
        ("a%20b", false),
    ] {
        let said = said(&with_versions(&yaml(value)), PolicyKind::VirtualService, "shop/v");
        assert_eq!(said.len() == 3, told, "{value}: {said:?}");
    }
}
