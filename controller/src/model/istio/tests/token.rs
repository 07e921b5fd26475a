//! RequestAuthentication, and policies that ask for what tokens say.

use std::collections::BTreeMap;

use mesh_api::wire::{self, Attribute, string_match::Kind};

use crate::model::{
    Snapshot,
    report::PolicyKind,
    tests::{SHOP, inbound, objects, said, snapshot},
};

const RULES: &str = "
kind: RequestAuthentication
metadata: {name: jwt, namespace: shop}
spec:
  selector: {matchLabels: {pod-template-hash: 5d}}
  jwtRules:
  - issuer: https://issuer.example
    audiences: [shop]
    jwks: '{\"keys\": []}'
    fromHeaders: [{name: X-Token, prefix: 'JWT '}]
    outputClaimToHeaders: [{header: X-Sub, claim: sub}]
    forwardOriginalToken: true
---
kind: RequestAuthentication
metadata: {name: all, namespace: mesh-system}
spec: {jwtRules: [{issuer: https://mesh.example, jwksUri: 'http://keys.example/set'}]}
---";

#[test]
fn issuers_of_the_workload_and_of_the_mesh_add_up() {
    let mut objects = objects(&format!("{SHOP}---{RULES}"));
    let known = |snapshot: &Snapshot, pod: &str| -> Vec<(String, String)> {
        let tokens = inbound(snapshot, pod).tokens;
        tokens.into_iter().map(|t| (t.issuer, t.keys)).collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let before = Snapshot::build(&objects);
    assert_eq!(known(&before, "plain"), [pair("https://mesh.example", "")]);
    let told = said(&before, PolicyKind::RequestAuthentication, "mesh-system/all");
    assert!(
        told[1].starts_with("ResolvedRefs=false NoKeys") && told[1].contains("http://keys.example/set"),
        "{told:?}"
    );
    objects.key_sets = BTreeMap::from([pair("http://keys.example/set", "{\"keys\":[1]}")]);
    let after = Snapshot::build(&objects);
    assert_eq!(
        known(&after, "plain"),
        [pair("https://mesh.example", "{\"keys\":[1]}")]
    );
    let mut both = known(&after, "web-5d-a");
    both.sort();
    assert_eq!(both.len(), 2);
    let own = inbound(&after, "web-5d-a")
        .tokens
        .into_iter()
        .find(|t| t.issuer == "https://issuer.example")
        .unwrap();
    assert_eq!(own.source, "requestauthentication/shop/jwt");
    assert_eq!((own.audiences, own.forward), (vec!["shop".to_owned()], true));
    assert_eq!(
        (own.headers[0].name.as_str(), own.headers[0].prefix.as_str()),
        ("x-token", "JWT ")
    );
    assert_eq!(own.claim_headers[0].header, "x-sub");
    assert!(
        said(&after, PolicyKind::RequestAuthentication, "mesh-system/all")[1]
            .starts_with("ResolvedRefs=true")
    );
}

#[test]
fn keys_that_nobody_names_are_where_the_issuer_says() {
    let mut objects = objects(
        "
kind: RequestAuthentication
metadata: {name: all, namespace: mesh-system}
spec: {jwtRules: [{issuer: 'https://accounts.example/'}]}
",
    );
    let address = "https://accounts.example/.well-known/openid-configuration";
    let about = |snapshot: &Snapshot| said(snapshot, PolicyKind::RequestAuthentication, "mesh-system/all");
    let told = about(&Snapshot::build(&objects));
    assert!(
        told[1].contains(address) && told[1].contains("jwtRules[0].issuer"),
        "{told:?}"
    );
    objects.key_sets = BTreeMap::from([(address.to_owned(), "{\"keys\":[]}".to_owned())]);
    assert!(about(&Snapshot::build(&objects))[1].starts_with("ResolvedRefs=true"));
}

#[test]
fn what_is_wrong_is_said_and_lets_nobody_in() {
    let snapshot = snapshot(
        "
kind: RequestAuthentication
metadata: {name: a, namespace: shop}
spec: {jwtRules: [{issuer: x}, {issuer: y, jwks: nonsense}, {issuer: z, jwks: '{\"keys\": []}', fromHeaders: [{name: 'a b'}]}]}
---
kind: RequestAuthentication
metadata: {name: b, namespace: shop}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], jwtRules: [{issuer: x}]}
---
kind: RequestAuthentication
metadata: {name: c, namespace: shop}
spec: {jwtRules: [{issuer: x, jwks: '{\"keys\": []}', timeout: 5s}]}
",
    );
    let told = |name: &str| {
        said(
            &snapshot,
            PolicyKind::RequestAuthentication,
            &format!("shop/{name}"),
        )
        .join("\n")
    };
    assert!(
        told("a").contains("spec.jwtRules[0]: neither jwks nor jwksUri"),
        "{}",
        told("a")
    );
    assert!(
        told("a").contains("spec.jwtRules[2]: \"a b\" is no name of a header"),
        "{}",
        told("a")
    );
    assert!(told("b").starts_with("Accepted=false NotForMesh"));
    assert!(told("c").contains("spec.jwtRules[0].timeout"), "{}", told("c"));
    let issuers: Vec<String> = inbound(&snapshot, "plain")
        .tokens
        .into_iter()
        .map(|t| t.issuer)
        .collect();
    assert_eq!(
        issuers,
        ["x", "y", "x"],
        "one whose token cannot be looked for is nobody"
    );
}

#[test]
fn policies_ask_for_what_tokens_say() {
    let snapshot = snapshot(
        "
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec:
  rules:
  - from: [{source: {requestPrincipals: ['https://issuer.example/*'], notRequestPrincipals: [x/y]}}]
    when:
    - {key: 'request.auth.claims[groups]', values: [staff], notValues: [night]}
    - {key: 'request.auth.claims[realm][roles]', values: ['*']}
    - {key: request.auth.audiences, values: [shop]}
    - {key: request.auth.presenter, values: [page]}
    - {key: request.auth.principal, values: [a/b]}
",
    );
    let rule = &inbound(&snapshot, "plain").authorization[0].rules[0];
    let from = &rule.from[0].all[0];
    assert_eq!(from.attribute(), Attribute::RequestPrincipal);
    assert_eq!(
        from.values[0].kind,
        Some(Kind::Prefix("https://issuer.example/".into()))
    );
    assert_eq!(from.not_values.len(), 1);
    let when: Vec<(Attribute, Vec<String>)> = rule
        .conditions
        .iter()
        .map(|c: &wire::Condition| (c.attribute(), c.claim.clone()))
        .collect();
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        when,
        [
            (Attribute::Claim, path(&["groups"])),
            (Attribute::Claim, path(&["realm", "roles"])),
            (Attribute::RequestAudience, Vec::new()),
            (Attribute::RequestPresenter, Vec::new()),
            (Attribute::RequestPrincipal, Vec::new()),
        ]
    );
    assert_eq!(rule.conditions[0].not_values.len(), 1);
    assert_eq!(
        said(&snapshot, PolicyKind::AuthorizationPolicy, "shop/p").len(),
        2
    );
}
