//! RequestAuthentications: whose tokens a pod's sidecar knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mesh_api::{
    istio::{RequestAuthentication, request_authentication::JwtRule},
    wire,
};

use super::{authorization::service, key, of_another_root, oldest_first};
use crate::model::{
    Key,
    report::{Findings, PolicyKind, Reports},
    sound,
};

/// Key sets by the address that they were fetched from.
pub type KeySets = BTreeMap<String, String>;

/// All RequestAuthentications; those for one pod add up.
#[derive(Debug, Default)]
pub struct RequestAuthentications(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// `None`: the whole mesh.
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    /// Pods of these services only; empty: of any.
    services: Vec<Key>,
    issuers: Vec<wire::TokenIssuer>,
}

impl RequestAuthentications {
    pub fn build(
        objects: &[Arc<RequestAuthentication>],
        fetched: &KeySets,
        mesh_namespace: &str,
        reports: &mut Reports,
    ) -> Self {
        let mut all = Vec::new();
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                findings.unsupported(format!("spec.{field}"));
            }
            all.extend(translate(object, fetched, mesh_namespace, &mut findings));
            reports.insert(
                (PolicyKind::RequestAuthentication, key(object)),
                findings.verdicts(),
            );
        }
        Self(all)
    }

    pub fn for_pod(
        &self,
        pod: &Key,
        labels: &BTreeMap<String, String>,
        services: Option<&BTreeSet<Key>>,
    ) -> Vec<wire::TokenIssuer> {
        let is_of = |service: &Key| services.is_some_and(|all| all.contains(service));
        let selected = self.0.iter().filter(|entry| {
            let mut wanted = entry.labels.iter();
            entry.namespace.as_ref().is_none_or(|n| *n == pod.namespace)
                && wanted.all(|(name, value)| labels.get(name) == Some(value))
                && (entry.services.is_empty() || entry.services.iter().any(is_of))
        });
        selected.flat_map(|entry| entry.issuers.iter().cloned()).collect()
    }
}

fn translate(
    object: &RequestAuthentication,
    fetched: &KeySets,
    mesh_namespace: &str,
    findings: &mut Findings,
) -> Option<Entry> {
    let spec = &object.spec;
    let mut services = Vec::new();
    let targets = || spec.target_refs.iter().chain(&spec.target_ref);
    for target in targets() {
        match service(target, object.namespace()) {
            Some(service) => services.push(service),
            None => findings.unsupported(format!(
                "spec.targetRefs: {} {} is not for sidecars; a Service is",
                target.kind, target.name
            )),
        }
    }
    if services.is_empty() && targets().next().is_some() {
        let message = "spec.targetRefs: policies for gateways and waypoints are not for sidecars".into();
        findings.refused("NotForMesh", message);
        return None;
    }
    let labels = spec
        .selector
        .as_ref()
        .map(|s| s.match_labels.clone())
        .unwrap_or_default();
    if let Some(elsewhere) = of_another_root(object.namespace(), mesh_namespace).filter(|_| labels.is_empty())
    {
        findings.unsupported(elsewhere);
    }
    let numbered = spec.jwt_rules.iter().enumerate();
    let issuers = numbered.filter_map(|(i, rule)| {
        let place = format!("spec.jwtRules[{i}]");
        let issuer = issuer(rule, &place, fetched, findings);
        let issuer = wire::TokenIssuer {
            source: format!("requestauthentication/{}", key(object)),
            ..issuer
        };
        match of_headers(&issuer) {
            Ok(()) => Some(issuer),
            Err(why) => {
                // Tokens that it would have let in are nobody's: what needs them stays closed.
                findings.unsupported(format!("{place}: {why}"));
                None
            }
        }
    });
    let issuers = issuers.collect();
    Some(Entry {
        namespace: (object.namespace() != mesh_namespace).then(|| object.namespace().to_owned()),
        labels,
        services,
        issuers,
    })
}

fn issuer(rule: &JwtRule, place: &str, fetched: &KeySets, findings: &mut Findings) -> wire::TokenIssuer {
    let keys = match (rule.jwks.as_str(), rule.jwks_uri.as_str()) {
        ("", "") => {
            findings.unresolved(
                "NoKeys",
                format!("{place}: neither jwks nor jwksUri; none of its tokens is valid"),
            );
            String::new()
        }
        ("", uri) => fetched.get(uri).cloned().unwrap_or_else(|| {
            findings.unresolved("NoKeys", format!("{place}.jwksUri: {uri} has not been read yet"));
            String::new()
        }),
        (written, _) => written.to_owned(),
    };
    if !keys.is_empty() && !is_key_set(&keys) {
        findings.unresolved(
            "NoKeys",
            format!("{place}: that is no key set; none of its tokens is valid"),
        );
    }
    wire::TokenIssuer {
        source: String::new(),
        issuer: rule.issuer.clone(),
        audiences: rule.audiences.clone(),
        keys,
        headers: rule
            .from_headers
            .iter()
            .map(|h| wire::TokenHeader {
                name: h.name.to_lowercase(),
                prefix: h.prefix.clone(),
            })
            .collect(),
        parameters: rule.from_params.clone(),
        cookies: rule.from_cookies.clone(),
        forward: rule.forward_original_token == Some(true),
        payload_header: rule.output_payload_to_header.to_lowercase(),
        claim_headers: rule
            .output_claim_to_headers
            .iter()
            .map(|c| wire::ClaimHeader {
                header: c.header.to_lowercase(),
                claim: c.claim.clone(),
            })
            .collect(),
    }
}

fn of_headers(issuer: &wire::TokenIssuer) -> Result<(), String> {
    let payload = Some(&issuer.payload_header).filter(|name| !name.is_empty());
    let claims = issuer.claim_headers.iter().map(|c| &c.header);
    let mut names = issuer
        .headers
        .iter()
        .map(|h| &h.name)
        .chain(payload)
        .chain(claims);
    names.try_for_each(|name| sound::header_name(name))
}

/// Whether there is at least something that could be a key.
pub fn is_key_set(text: &str) -> bool {
    let set: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    set["keys"].is_array() || set["kty"].is_string()
}
