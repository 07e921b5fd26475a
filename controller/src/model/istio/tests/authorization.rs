use std::collections::BTreeMap;

use mesh_api::wire::{self, Attribute, AuthorizationAction, string_match::Kind};

use super::{VERSIONS, with_versions};
use crate::model::{
    Key,
    istio::authorization::AuthorizationPolicies,
    report::{PolicyKind, Reports},
    tests::{inbound, said},
};

fn policies(yaml: &str) -> Vec<wire::AuthorizationPolicy> {
    inbound(&with_versions(yaml), "one").authorization
}

fn rules(action: &str, rules: &str) -> Vec<wire::AuthorizationRule> {
    let yaml = format!(
        "\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {{action: {action}, rules: {rules}}}\n"
    );
    policies(&yaml).remove(0).rules
}

fn kinds(values: &[wire::StringMatch]) -> Vec<Kind> {
    values.iter().filter_map(|v| v.kind.clone()).collect()
}

fn exact(text: &str) -> Kind {
    Kind::Exact(text.into())
}

#[test]
fn the_policy_of_the_tutorials_works() {
    let yaml = "
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: only-a, namespace: shop}
spec:
  selector:
    matchLabels:
      app: service-b
  action: ALLOW
  rules:
  - from:
    - source:
        principals: [\"cluster.local/ns/default/sa/service-a\"]
";
    let found = policies(yaml);
    assert_eq!(
        (found[0].name.as_str(), found[0].action()),
        ("authorizationpolicy/shop/only-a", AuthorizationAction::Allow)
    );
    let condition = &found[0].rules[0].from[0].all[0];
    assert_eq!(condition.attribute(), Attribute::Principal);
    assert_eq!(
        kinds(&condition.values),
        [exact("cluster.local/ns/default/sa/service-a")]
    );
    assert!(
        inbound(&with_versions(yaml), "client").authorization.is_empty(),
        "not selected"
    );
}

#[test]
fn every_condition_reaches_the_wire() {
    let text = "[{from: [{source: {principals: ['*'], notPrincipals: ['*/sa/x'], namespaces: [a*], notNamespaces: [b], serviceAccounts: [here, there/me],
            ipBlocks: [10.0.0.0/8, 1.2.3.4], notIpBlocks: ['::1'], remoteIpBlocks: [192.168.0.0/16]}}, {source: {}}],
        to: [{operation: {hosts: ['*.Example'], notHosts: [x], ports: ['80'], notPorts: ['81'], methods: [GET], notMethods: [PUT], paths: ['/a*', '/b/{*}/c'], notPaths: ['*.bak']}}],
        when: [{key: 'request.headers[X-User]', values: [me]}, {key: source.ip, notValues: [10.1.1.1]}, {key: destination.ip, values: [10.2.0.0/16]},
          {key: destination.port, values: ['80']}, {key: connection.sni, values: [a.b]}, {key: source.namespace, values: [n]}, {key: source.principal, values: [p]},
          {key: remote.ip, values: [10.3.0.0/16]}, {key: source.serviceAccount, values: [n/s]}]}]";
    let rule = rules("ALLOW", text).remove(0);
    let attributes: Vec<Attribute> = rule.from[0].all.iter().map(wire::Condition::attribute).collect();
    assert_eq!(
        attributes,
        [
            Attribute::Principal,
            Attribute::Namespace,
            Attribute::Principal,
            Attribute::SourceAddress,
            Attribute::SourceAddress
        ]
    );
    let from = &rule.from[0].all;
    assert_eq!(kinds(&from[0].values), [Kind::Present(true)]);
    assert_eq!(kinds(&from[0].not_values), [Kind::Suffix("/sa/x".into())]);
    assert_eq!(kinds(&from[1].values), [Kind::Prefix("a".into())]);
    assert_eq!(
        kinds(&from[2].values),
        [
            exact("cluster.local/ns/shop/sa/here"),
            exact("cluster.local/ns/there/sa/me")
        ]
    );
    assert_eq!(from[3].networks, ["10.0.0.0/8", "1.2.3.4/32"]);
    assert_eq!(from[3].not_networks, ["::1/128"]);
    assert!(rule.from[1].all.is_empty(), "a source without conditions is any");
    let to = &rule.to[0].all;
    let attributes: Vec<Attribute> = to.iter().map(wire::Condition::attribute).collect();
    assert_eq!(
        attributes,
        [
            Attribute::Host,
            Attribute::Port,
            Attribute::Method,
            Attribute::Path
        ]
    );
    assert!(to[0].values[0].ignore_case && to[0].not_values.len() == 1);
    assert_eq!(
        kinds(&to[3].values),
        [Kind::Prefix("/a".into()), Kind::Template("/b/{*}/c".into())]
    );
    let when: Vec<(Attribute, &str)> = rule
        .conditions
        .iter()
        .map(|c| (c.attribute(), c.header.as_str()))
        .collect();
    assert_eq!(when[0], (Attribute::Header, "x-user"));
    assert_eq!(rule.conditions[1].not_networks, ["10.1.1.1/32"]);
    assert_eq!(when.len(), 9);
}

#[test]
fn hosts_are_the_same_with_any_port() {
    let text = "[{to: [{operation: {hosts: [a.example, 'b.example:*', '*.c.example:8080', '[::1]:80', '*:*', d.example*]}}]}]";
    let rule = rules("DENY", text).remove(0);
    let values = &rule.to[0].all[0].values;
    assert_eq!(
        kinds(values),
        [
            exact("a.example"),
            exact("b.example"),
            Kind::Suffix(".c.example".into()),
            exact("[::1]"),
            Kind::Present(true),
            Kind::Prefix("d.example".into())
        ]
    );
    assert!(values.iter().all(|value| value.ignore_case));
}

#[test]
fn what_is_not_supported_fails_closed() {
    let unsupported = [
        "[{from: [{source: {ipBlocks: [nonsense]}}]}]",
        "[{from: [{source: {invented: [x]}}]}]",
        "[{to: [{operation: {invented: [x]}}]}]",
        "[{when: [{key: 'request.auth.claims[]', values: [x]}]}]",
        "[{when: [{key: source.ip, values: [nonsense]}]}]",
        "[{when: [{key: destination.port}]}]",
        "[{invented: true}]",
    ];
    for text in unsupported {
        assert!(
            rules("ALLOW", text).is_empty(),
            "an ALLOW rule never matches: {text}"
        );
        assert!(rules("AUDIT", text).is_empty(), "{text}");
        let denied = rules("DENY", text);
        assert_eq!(denied.len(), 1, "a DENY rule matches without it: {text}");
        assert!(denied[0].conditions.is_empty(), "{text}");
        assert!(
            denied[0]
                .from
                .iter()
                .chain(&denied[0].to)
                .all(|c| c.all.is_empty()),
            "{text}"
        );
    }
    let mixed = "[{from: [{source: {ipBlocks: [nonsense]}}, {source: {namespaces: [a]}}]}]";
    assert_eq!(
        rules("ALLOW", mixed)[0].from.len(),
        1,
        "the other source still counts"
    );
}

#[test]
fn nothing_and_anything() {
    let yaml = "\nkind: AuthorizationPolicy\nmetadata: {name: none, namespace: shop}\nspec: {}\n";
    let nobody = policies(yaml);
    assert_eq!(
        (nobody[0].action(), nobody[0].rules.len()),
        (AuthorizationAction::Allow, 0)
    );
    assert_eq!(rules("ALLOW", "[{}]"), [wire::AuthorizationRule::default()]);
}

#[test]
fn deny_goes_before_allow_and_the_meshs_own_bind_everybody() {
    let yaml = "
kind: AuthorizationPolicy
metadata: {name: audit, namespace: shop}
spec: {action: AUDIT, rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: allow, namespace: shop}
spec: {rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: deny, namespace: mesh-system}
spec: {action: DENY, rules: [{to: [{operation: {ports: ['1']}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: elsewhere, namespace: other}
spec: {action: DENY, rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: custom, namespace: shop}
spec: {action: CUSTOM, provider: {name: x}, rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: gateway, namespace: shop}
spec: {targetRefs: [{kind: Gateway, name: edge}], rules: [{}]}
";
    let snapshot = with_versions(yaml);
    let names: Vec<String> = inbound(&snapshot, "one")
        .authorization
        .into_iter()
        .map(|p| p.name)
        .collect();
    assert_eq!(
        names,
        [
            "authorizationpolicy/mesh-system/deny",
            "authorizationpolicy/shop/custom",
            "authorizationpolicy/shop/allow",
            "authorizationpolicy/shop/audit"
        ]
    );
    let custom = said(&snapshot, PolicyKind::AuthorizationPolicy, "shop/custom");
    assert!(
        custom[2].contains("spec.action: CUSTOM") && custom[2].contains("spec.provider"),
        "{custom:?}"
    );
    assert!(said(&snapshot, PolicyKind::AuthorizationPolicy, "shop/gateway")[0].contains("NotForMesh"));
}

#[test]
fn services_can_be_targets_and_gateways_cannot() {
    let yaml = "
kind: AuthorizationPolicy
metadata: {name: ours, namespace: shop}
spec: {targetRefs: [{group: '', kind: Service, name: my-service}], rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: older, namespace: shop}
spec: {targetRef: {kind: Service, name: my-service}, rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: anothers, namespace: shop}
spec: {targetRefs: [{kind: Service, name: web}], action: DENY, rules: [{}]}
---
kind: AuthorizationPolicy
metadata: {name: mixed, namespace: shop}
spec: {targetRefs: [{kind: Service, name: my-service}, {group: gateway.networking.k8s.io, kind: Gateway, name: edge}], rules: [{}]}
";
    let snapshot = with_versions(yaml);
    let names = |pod: &str| -> Vec<String> {
        let all = inbound(&snapshot, pod).authorization.into_iter();
        all.map(|p| p.name.replace("authorizationpolicy/shop/", ""))
            .collect()
    };
    assert_eq!(names("one"), ["mixed", "older", "ours"]);
    assert_eq!(names("client"), [""; 0], "of neither service");
    let mixed = said(&snapshot, PolicyKind::AuthorizationPolicy, "shop/mixed");
    assert!(mixed[2].contains("Gateway edge is not for sidecars"), "{mixed:?}");
}

#[test]
fn a_policy_that_cannot_be_read_fails_closed() {
    let build = |spec: &str| {
        let spec: serde_json::Value = serde_yaml::from_str(spec).unwrap();
        let object = serde_json::json!({ "metadata": { "name": "p", "namespace": "shop" }, "spec": spec });
        let policy = mesh_api::istio::salvage::authorization_policy(&object).unwrap();
        let mut reports = Reports::default();
        let all = AuthorizationPolicies::build(
            &[std::sync::Arc::new(policy)],
            "cluster.local",
            "mesh-system",
            &mut reports,
        );
        let found = all.for_pod(&Key::new("shop", "one"), &BTreeMap::new(), None);
        (found, format!("{reports:?}"))
    };
    let (allow, said) = build("{rules: [{from: everywhere}, {to: [{operation: {methods: [GET]}}]}]}");
    assert_eq!(
        (allow[0].action(), allow[0].rules.len()),
        (AuthorizationAction::Allow, 1)
    );
    assert!(said.contains("rules[0] (cannot be read)"), "{said}");
    let (deny, _) = build("{action: DENY, rules: nonsense}");
    assert_eq!(deny[0].action(), AuthorizationAction::Deny);
    assert_eq!(
        deny[0].rules,
        [wire::AuthorizationRule::default()],
        "refuses everything"
    );
    let (unknown, _) = build("{action: 7, rules: [{}]}");
    assert_eq!(unknown[0].action(), AuthorizationAction::Deny);
}

#[test]
fn the_usual_trust_domain_stands_for_ours() {
    let yaml = "
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/a/sa/b, other.domain/ns/a/sa/b, '*/sa/c']}}]
    when: [{key: source.principal, notValues: [cluster.local/ns/x/*]}]
";
    let objects = crate::model::Objects {
        trust_domain: "prod.example".into(),
        ..crate::model::tests::objects(&format!("{VERSIONS}\n---\n{yaml}"))
    };
    let snapshot = crate::model::Snapshot::build(&objects);
    let rule = &inbound(&snapshot, "one").authorization[0].rules[0];
    assert_eq!(
        kinds(&rule.from[0].all[0].values),
        [
            exact("prod.example/ns/a/sa/b"),
            exact("other.domain/ns/a/sa/b"),
            Kind::Suffix("/sa/c".into())
        ]
    );
    assert_eq!(
        kinds(&rule.conditions[0].not_values),
        [Kind::Prefix("prod.example/ns/x/".into())]
    );
}

#[test]
fn a_policy_on_trial_decides_nothing() {
    let policy = |value: &str, action: &str| {
        let yaml = format!(
            "
kind: AuthorizationPolicy
metadata: {{name: p, namespace: shop, annotations: {{istio.io/dry-run: '{value}'}}}}
spec: {{action: {action}, rules: [{{}}]}}
"
        );
        policies(&yaml).remove(0).action()
    };
    assert_eq!(policy("true", "DENY"), AuthorizationAction::Audit);
    assert_eq!(policy("true", "ALLOW"), AuthorizationAction::Audit);
    assert_eq!(policy("false", "DENY"), AuthorizationAction::Deny);
}

#[test]
fn a_policy_in_istios_place_for_the_whole_mesh_says_that_it_is_not() {
    let about = |namespace: &str, spec: &str| {
        let yaml = format!(
            "
kind: AuthorizationPolicy
metadata: {{name: p, namespace: {namespace}}}
spec: {spec}
"
        );
        said(
            &with_versions(&yaml),
            PolicyKind::AuthorizationPolicy,
            &format!("{namespace}/p"),
        )
    };
    let found = about("istio-system", "{}");
    assert!(
        found[2].contains("istio-system as the place for the whole mesh: that is mesh-system here"),
        "{found:?}"
    );
    assert_eq!(
        about("istio-system", "{selector: {matchLabels: {app: gateway}}}").len(),
        2
    );
    assert_eq!(about("mesh-system", "{}").len(), 2);
}
