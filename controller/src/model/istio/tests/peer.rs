use mesh_api::wire::MtlsMode;

use super::with_versions;
use crate::model::{
    report::PolicyKind,
    tests::{backend, inbound, said},
};

fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n---"
    )
}

fn mode(yaml: &str) -> (MtlsMode, String) {
    let inbound = inbound(&with_versions(yaml.trim_end_matches("---")), "one");
    (inbound.mtls(), inbound.mtls_source)
}

#[test]
fn the_closest_level_that_says_something_decides() {
    let mesh = policy("mesh-system", "default", "{mtls: {mode: STRICT}}");
    let namespace = policy("shop", "default", "{mtls: {mode: PERMISSIVE}}");
    let workload = policy(
        "shop",
        "one",
        "{selector: {matchLabels: {version: v1}}, mtls: {mode: STRICT}}",
    );
    let unset = policy(
        "shop",
        "one",
        "{selector: {matchLabels: {version: v1}}, mtls: {mode: UNSET}}",
    );
    let other = policy(
        "shop",
        "two",
        "{selector: {matchLabels: {version: v2}}, mtls: {mode: STRICT}}",
    );
    let is = |mode: MtlsMode, source: &str| (mode, source.to_owned());
    assert_eq!(mode(""), is(MtlsMode::Permissive, "default"));
    assert_eq!(
        mode(&mesh),
        is(MtlsMode::Strict, "peerauthentication/mesh-system/default")
    );
    let both = format!("{mesh}{namespace}");
    assert_eq!(
        mode(&both),
        is(MtlsMode::Permissive, "peerauthentication/shop/default")
    );
    assert_eq!(
        mode(&format!("{both}{workload}")),
        is(MtlsMode::Strict, "peerauthentication/shop/one")
    );
    assert_eq!(
        mode(&format!("{both}{unset}{other}")),
        is(MtlsMode::Permissive, "peerauthentication/shop/default")
    );
    assert_eq!(
        mode(&policy("shop", "x", "{mtls: {mode: STRIKT}}")).0,
        MtlsMode::Strict,
        "a mode that is none is taken for the safe one"
    );
}

#[test]
fn ports_have_modes_of_their_own() {
    let yaml = policy(
        "shop",
        "one",
        "{selector: {matchLabels: {version: v1}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}, 9000: {mode: PERMISSIVE}, 9001: {}}}",
    );
    let snapshot = with_versions(yaml.trim_end_matches("---"));
    let found = inbound(&snapshot, "one");
    let ports: Vec<(u32, Option<MtlsMode>)> = found
        .ports
        .iter()
        .map(|p| (p.port, p.mtls.and_then(|m| MtlsMode::try_from(m).ok())))
        .collect();
    assert_eq!(
        ports,
        [
            (8080, Some(MtlsMode::Disabled)),
            (9000, Some(MtlsMode::Permissive)),
            (9001, Some(MtlsMode::Strict))
        ]
    );
    let endpoints = backend(&snapshot, "backend/shop/my-service:80").endpoints;
    assert_eq!(
        endpoints[0].identity, "",
        "callers speak plaintext where mutual TLS is switched off"
    );
    assert!(!endpoints[1].identity.is_empty());
}

#[test]
fn conflicts_and_nonsense_are_said() {
    let old = "\nkind: PeerAuthentication\nmetadata: {name: z, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}\nspec: {mtls: {mode: STRICT}}\n---";
    let young = policy(
        "shop",
        "a",
        "{mtls: {mode: DISABLE}, portLevelMtls: {80: {mode: STRICT}}, invented: true}",
    );
    let snapshot = with_versions(&format!("{old}{}", young.trim_end_matches("---")));
    assert_eq!(inbound(&snapshot, "one").mtls_source, "peerauthentication/shop/z");
    let said = said(&snapshot, PolicyKind::PeerAuthentication, "shop/a");
    assert!(said[0].starts_with("Accepted=false Conflict"), "{said:?}");
    assert!(
        said[2].contains("portLevelMtls[80]: ports need a selector") && said[2].contains("spec.invented")
    );
}

#[test]
fn a_mode_in_istios_place_for_the_whole_mesh_says_that_it_is_not() {
    let yaml = policy("istio-system", "default", "{mtls: {mode: STRICT}}");
    assert_eq!(mode(&yaml).0, MtlsMode::Permissive);
    let found = said(
        &with_versions(yaml.trim_end_matches("---")),
        PolicyKind::PeerAuthentication,
        "istio-system/default",
    );
    assert!(found[2].contains("that is mesh-system here"), "{found:?}");
}
