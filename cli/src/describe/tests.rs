use std::collections::BTreeMap;

use serde_json::json;

use super::{Description, PodLine, facts, lines};

fn told(kind: &str, yaml: &str) -> Option<Vec<String>> {
    let object = crate::yaml::parse(yaml, 1).unwrap();
    let pods = [BTreeMap::from([("app".to_owned(), "web".to_owned())])];
    let about = facts::About {
        namespace: "shop",
        service: "web",
        mesh_namespace: "mesh-system",
        pods: &pods,
    };
    facts::about(&about, kind, &object).map(|f| f.effects)
}

#[test]
fn routes_say_when_and_where() {
    let route = "metadata: {name: r, namespace: shop}\nspec:\n  parentRefs: [{kind: Service, name: web, group: ''}]\n  rules:\n  \
                 - matches: [{path: {type: PathPrefix, value: /v2}, headers: [{name: x, value: y}]}]\n    \
                 backendRefs: [{name: web, weight: 90}, {name: web-v2, weight: 10}]\n    timeouts: {request: 1s}\n  \
                 - backendRefs: [{name: web}]\n";
    assert_eq!(
        told("HTTPRoute", route).unwrap(),
        [
            "/v2… x=y → web 90%, web-v2 10% (with timeouts)",
            "all requests → web"
        ]
    );
    assert!(
        told(
            "HTTPRoute",
            &route.replace("name: web, group", "name: other, group")
        )
        .is_none()
    );
}

#[test]
fn istio_kinds_are_found_by_host_and_selector() {
    let service = "metadata: {name: v, namespace: shop}\nspec:\n  hosts: [HOST]\n  http:\n  - route:\n    \
                   - {destination: {host: web, subset: v1}, weight: 90}\n    - {destination: {host: web, subset: v2}, weight: 10}\n";
    for host in ["web", "web.shop", "web.shop.svc.cluster.local"] {
        let found = told("VirtualService", &service.replace("HOST", host)).unwrap();
        assert_eq!(found, ["all requests → web (v1) 90%, web (v2) 10%"]);
    }
    assert!(told("VirtualService", &service.replace("HOST", "web.other")).is_none());

    let policy = "metadata: {name: a, namespace: shop}\nspec:\n  selector: {matchLabels: {app: APP}}\n  rules:\n  - from: \
                  [{source: {principals: [cluster.local/ns/shop/sa/client]}}]\n    to: [{operation: {methods: [GET]}}]\n";
    assert_eq!(
        told("AuthorizationPolicy", &policy.replace("APP", "web")).unwrap(),
        ["ALLOW from principals=cluster.local/ns/shop/sa/client to methods=GET (this workload)"]
    );
    assert!(told("AuthorizationPolicy", &policy.replace("APP", "db")).is_none());
    let nobody = "metadata: {name: a, namespace: mesh-system}\nspec: {}\n";
    assert_eq!(
        told("AuthorizationPolicy", nobody).unwrap(),
        ["ALLOW without rules: nobody may call (the whole mesh)"]
    );
    let strict = "metadata: {name: default, namespace: shop}\nspec: {mtls: {mode: STRICT}}\n";
    assert_eq!(
        told("PeerAuthentication", strict).unwrap(),
        ["STRICT for its namespace"]
    );
}

#[test]
fn routes_of_connections_and_tokens_are_told_too() {
    let route = "metadata: {name: r, namespace: shop}\nspec:\n  hostnames: [a.example, b.example]\n  parentRefs: [{kind: \
                 Service, name: web, group: ''}]\n  rules: [{backendRefs: [{name: web-v2}]}]\n";
    assert_eq!(
        told("TLSRoute", route).unwrap(),
        ["connections for a.example, b.example → web-v2"]
    );
    let plain = route.replace("  hostnames: [a.example, b.example]\n", "");
    assert_eq!(told("TCPRoute", &plain).unwrap(), ["all connections → web-v2"]);
    let tokens = "metadata: {name: t, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, jwtRules: [{issuer: \
                  'https://a'}, {issuer: 'https://b'}]}\n";
    assert_eq!(
        told("RequestAuthentication", tokens).unwrap(),
        ["those of https://a, https://b are known, others are refused (this workload)"]
    );
}

#[test]
fn routes_of_other_namespaces_say_whose_calls_they_are_for() {
    let route = "kind: HTTPRoute\nmetadata: {name: r, namespace: front}\nspec:\n  parentRefs: [{kind: Service, name: web, \
                 namespace: shop, group: ''}]\n  rules: [{backendRefs: [{name: web-v2}]}]\n";
    assert_eq!(
        told("HTTPRoute", route).unwrap(),
        ["all requests → web-v2 (for callers in front)"]
    );
    let service = |host: &str, export: &str| {
        let text = format!(
            "kind: VirtualService\nmetadata: {{name: v, namespace: front}}\nspec:\n  exportTo: {export}\n  hosts: \
             ['{host}']\n  http: [{{route: [{{destination: {{host: web.shop}}}}]}}]\n"
        );
        told("VirtualService", &text)
    };
    let everybody = ["all requests → web.shop"];
    assert_eq!(service("web.shop.svc.cluster.local", "[]").unwrap(), everybody);
    assert_eq!(service("*.shop.svc.cluster.local", "['*']").unwrap(), everybody);
    assert_eq!(
        service("web.shop", "['.', lab]").unwrap(),
        ["all requests → web.shop (for callers in front, lab)"]
    );
    assert!(service("web", "[]").is_none() && service("*.lab.svc.cluster.local", "[]").is_none());
}

#[test]
fn own_kinds_are_found_by_service() {
    let limit = "metadata: {name: l, namespace: shop}\nspec: {service: web, requests: 10, perCaller: true}\n";
    assert_eq!(
        told("RateLimit", limit).unwrap(),
        ["10 requests in 1s for each pod and caller"]
    );
    let defaults = "metadata: {name: d, namespace: shop}\nspec: {retries: {attempts: 2}, balancer: Random}\n";
    assert_eq!(
        told("TrafficDefaults", defaults).unwrap(),
        ["balancer=Random retries.attempts=2"]
    );
    let over = "metadata: {name: f, namespace: shop}\nspec: {service: web, percent: 5, expiresAt: '2000-01-01T00:00:00Z'}\n";
    assert!(told("FaultInjection", over).is_none());
    let canary = |phase: &str| {
        let spec = "metadata: {name: c, namespace: shop}\nspec: {service: web, to: web-v2}\n";
        told(
            "Canary",
            &format!("{spec}status: {{phase: {phase}, weight: 25}}\n"),
        )
    };
    assert_eq!(canary("Shifting").unwrap(), ["Shifting: 25% to web-v2"]);
    for ended in ["Completed", "RolledBack", "Failed"] {
        assert!(canary(ended).is_none(), "{ended}");
    }
}

#[test]
fn the_whole_reads_well() {
    let description = Description {
        namespace: "shop".into(),
        service: "web".into(),
        kind: "ClusterIP".into(),
        addresses: vec!["10.96.0.7".into()],
        ports: vec!["80/http → 8080".into()],
        pods: vec![PodLine {
            pod: "web-1".into(),
            workload: "deploy/web".into(),
            ready: true,
            sidecar: false,
        }],
        in_force: vec![facts::Fact {
            what: "mutual TLS",
            effects: vec!["STRICT for its namespace".into(), "DISABLE for port 9090".into()],
            from: "peerauthentication/default".into(),
        }],
        callers: Some(Vec::new()),
    };
    insta::assert_snapshot!(lines(&description).join("\n"), @r"
    svc/web in shop
      type       ClusterIP 10.96.0.7
      ports      80/http → 8080
      pods       1 of 1 ready
                 √ web-1 (deploy/web, no sidecar)

    In force
      WHAT        EFFECT                    FROM
      mutual TLS  STRICT for its namespace  peerauthentication/default
                  DISABLE for port 9090

    Callers: none within the last 10s
    ");
    assert!(json!(description)["inForce"][0]["from"].is_string());
}
