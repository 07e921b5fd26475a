//! What Istio's users have learnt to write, task by task: all of it is in force as it stands.

use mesh_api::wire::{
    self, Attribute,
    AuthorizationAction::{Allow, Audit, Deny},
    string_match::Kind,
};

use super::with_versions;
use crate::model::{
    Snapshot,
    tests::{backend, caller, inbound, service},
};

/// Without a word of blame for any object.
fn in_force(yaml: &str) -> Snapshot {
    let snapshot = with_versions(yaml);
    for ((kind, key), verdicts) in snapshot.reports() {
        for verdict in verdicts {
            let good = verdict.kind != "PartiallyInvalid" && verdict.holds;
            assert!(good, "{kind:?} {key}: {verdict:?}");
        }
    }
    snapshot
}

fn routes(snapshot: &Snapshot) -> Vec<wire::Route> {
    service(snapshot, "10.96.0.30:80", &caller()).routes
}

const SUBSETS: &str = "
---
kind: DestinationRule
metadata: {name: my-service, namespace: shop}
spec:
  host: my-service
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
";

fn with_rule(rules: &str) -> Vec<wire::Route> {
    let yaml = format!(
        "
kind: VirtualService
metadata: {{name: my-service, namespace: shop}}
spec:
  hosts: [my-service.shop.svc.cluster.local]
  http:
{rules}{SUBSETS}"
    );
    routes(&in_force(&yaml))
}

#[test]
fn routing_by_user_and_faults_for_that_user_alone() {
    let found = with_rule(
        "
  - match:
    - headers: {end-user: {exact: jason}}
    fault: {delay: {percentage: {value: 100.0}, fixedDelay: 7s}, abort: {percentage: {value: 0.1}, httpStatus: 500}}
    route: [{destination: {host: my-service, subset: v2}}]
  - match: [{headers: {cookie: {regex: '^(.*?;)?(user=jason)(;.*)?$'}}, uri: {prefix: /login}, ignoreUriCase: true}]
    route: [{destination: {host: my-service, subset: v2}}]
  - route: [{destination: {host: my-service, subset: v1}}]
",
    );
    let fault = found[0].fault.as_ref().unwrap();
    assert_eq!((fault.delay_ms, fault.delay_per_million), (7_000, 1_000_000));
    assert_eq!((fault.abort_http_status, fault.abort_per_million), (500, 1_000));
    assert!(found[1].matches[0].path.as_ref().unwrap().ignore_case);
    assert!(found[1].fault.is_none() && found[2].matches.is_empty());
    assert_eq!(found[2].backends[0].backend, "backend/shop/my-service:80/v1");
}

#[test]
fn an_authority_with_a_port_is_what_the_caller_wrote() {
    let found = with_rule(
        "
  - match: [{authority: {exact: 'my-service:80'}}]
    route: [{destination: {host: my-service}}]
  - match: [{authority: {regex: 'my-.*'}}]
    route: [{destination: {host: my-service}}]
",
    );
    let [first, second] = [&found[0].matches[0], &found[1].matches[0]];
    assert!(first.authority.is_none());
    assert_eq!(first.headers[0].name, ":authority");
    let value = first.headers[0].value.clone().unwrap();
    assert_eq!(value.kind, Some(Kind::Exact("my-service:80".into())));
    assert!(
        second.authority.is_some() && second.headers.is_empty(),
        "whatever the port"
    );
}

#[test]
fn time_outs_retries_and_copies() {
    let found = with_rule(
        "
  - route: [{destination: {host: my-service, subset: v1}, weight: 100}]
    mirror: {host: my-service, subset: v2}
    mirrorPercentage: {value: 100.0}
    timeout: 0.5s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: 'gateway-error,connect-failure,refused-stream,retriable-4xx'}
    headers: {request: {set: {x-a: b}}, response: {remove: [x-b]}}
",
    );
    let route = &found[0];
    assert_eq!(route.request_timeout_ms, 500);
    let retry = route.retry.as_ref().unwrap();
    assert!(retry.on_gateway_error && retry.on_connect_failure && retry.on_retriable_4xx);
    assert_eq!((retry.attempts, retry.per_try_timeout_ms), (3, 2_000));
    assert_eq!(route.mirrors[0].backend, "backend/shop/my-service:80/v2");
}

#[test]
fn circuits_break_and_regions_stand_in_for_each_other() {
    let snapshot = in_force(
        "
kind: DestinationRule
metadata: {name: my-service, namespace: shop}
spec:
  host: my-service
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 1}
      http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}
    loadBalancer:
      simple: ROUND_ROBIN
      localityLbSetting: {enabled: true, failover: [{from: region1, to: region2}]}
    outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 3m, maxEjectionPercent: 100}
",
    );
    let found = backend(&snapshot, "backend/shop/my-service:80");
    let (limits, ejection) = (found.limits.unwrap(), found.ejection.unwrap());
    assert_eq!(
        (limits.connections, limits.pending, limits.requests_per_connection),
        (1, 1, 1)
    );
    assert_eq!((ejection.consecutive_errors, ejection.base_ms), (1, 180_000));
    assert_eq!((ejection.interval_ms, ejection.max_percent), (1_000, 100));
}

#[test]
fn who_may_call_and_with_which_token() {
    let snapshot = in_force(
        "
kind: RequestAuthentication
metadata: {name: jwt, namespace: shop}
spec:
  selector: {matchLabels: {app: service-b}}
  jwtRules: [{issuer: testing@issuer.example, jwks: '{\"keys\": []}'}]
---
kind: AuthorizationPolicy
metadata: {name: require-jwt, namespace: shop}
spec:
  selector: {matchLabels: {app: service-b}}
  action: ALLOW
  rules:
  - from: [{source: {requestPrincipals: ['testing@issuer.example/testing@issuer.example']}}]
    when: [{key: 'request.auth.claims[groups]', values: [group1]}]
---
kind: AuthorizationPolicy
metadata: {name: deny-others, namespace: shop}
spec:
  selector: {matchLabels: {app: service-b}}
  action: DENY
  rules:
  - from: [{source: {notNamespaces: [shop]}}]
    to: [{operation: {ports: ['9000', '9001'], methods: [GET]}}]
    when: [{key: 'request.headers[x-token]', notValues: [admin]}]
---
kind: AuthorizationPolicy
metadata: {name: on-trial, namespace: shop, annotations: {istio.io/dry-run: 'true'}}
spec: {selector: {matchLabels: {app: service-b}}, action: DENY, rules: [{to: [{operation: {paths: [/headers]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: allow-nothing, namespace: shop}
spec: {}
---
kind: PeerAuthentication
metadata: {name: one, namespace: shop}
spec: {selector: {matchLabels: {app: service-b}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}
",
    );
    let pod = inbound(&snapshot, "one");
    let found: Vec<(&str, wire::AuthorizationAction, usize)> = pod
        .authorization
        .iter()
        .map(|p| (p.name.as_str(), p.action(), p.rules.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("authorizationpolicy/shop/deny-others", Deny, 1),
            ("authorizationpolicy/shop/allow-nothing", Allow, 0),
            ("authorizationpolicy/shop/require-jwt", Allow, 1),
            ("authorizationpolicy/shop/on-trial", Audit, 1),
        ]
    );
    let deny = &pod.authorization[0].rules[0];
    assert_eq!(deny.from[0].all[0].attribute(), Attribute::Namespace);
    assert_eq!(
        (deny.from[0].all[0].not_values.len(), deny.conditions.len()),
        (1, 1)
    );
    assert_eq!(pod.tokens[0].issuer, "testing@issuer.example");
    assert_eq!(pod.ports[0].mtls, Some(wire::MtlsMode::Disabled.into()));
}

#[test]
fn hosts_outside_and_how_sidecars_behave() {
    let snapshot = in_force(
        "
kind: ServiceEntry
metadata: {name: httpbin-ext, namespace: shop}
spec:
  hosts: [httpbin.example.org]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
  location: MESH_EXTERNAL
---
kind: VirtualService
metadata: {name: httpbin-ext, namespace: shop}
spec:
  hosts: [httpbin.example.org]
  http: [{timeout: 3s, route: [{destination: {host: httpbin.example.org}, weight: 100}]}]
---
kind: ServiceEntry
metadata: {name: wiki, namespace: shop}
spec: {hosts: ['*.wiki.example.org'], ports: [{number: 443, name: https, protocol: HTTPS}]}
---
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
---
kind: Telemetry
metadata: {name: mesh-default, namespace: mesh-system}
spec: {accessLogging: [{providers: [{name: envoy}]}]}
",
    );
    let web = service(&snapshot, "203.0.113.7:80", &caller());
    assert_eq!(web.routes[0].request_timeout_ms, 3_000);
    let wiki = service(&snapshot, "203.0.113.8:443", &caller());
    assert_eq!(wiki.stream_routes[0].server_names, ["*.wiki.example.org"]);
}
