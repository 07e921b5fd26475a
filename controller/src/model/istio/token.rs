//! RequestAuthentications: whose tokens a pod's sidecar knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mesh_api::{
    istio::{RequestAuthentication, request_authentication::JwtRule},
    wire,
};

use super::{key, oldest_first, scope::Scope};
use crate::model::{
    Key,
    report::{Findings, PolicyKind, Reports},
    sound,
};

/// Key sets by the address that they were fetched from.
pub type KeySets = BTreeMap<String, String>;

/// Where an issuer says where its keys are, below its own address.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where the keys of a rule that does not bring them are to be had.
pub fn keys_address(rule: &JwtRule) -> Option<String> {
    match (rule.jwks.as_str(), rule.jwks_uri.as_str()) {
        ("", "") => {
            let is_address = rule.issuer.starts_with("https://") || rule.issuer.starts_with("http://");
            is_address.then(|| format!("{}{DISCOVERY}", rule.issuer.trim_end_matches('/')))
        }
        ("", uri) => Some(uri.to_owned()),
        _ => None,
    }
}

/// All RequestAuthentications; those for one pod add up.
#[derive(Debug, Default)]
pub struct RequestAuthentications(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    scope: Scope,
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
        let all = self.0.iter();
        let selected = all.filter(|entry| entry.scope.includes(&pod.namespace, labels, services));
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
    let targets = spec.target_refs.iter().chain(&spec.target_ref);
    let scope = Scope::of_policy(object, spec.selector.as_ref(), targets, mesh_namespace, findings)?;
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
    Some(Entry { scope, issuers })
}

fn issuer(rule: &JwtRule, place: &str, fetched: &KeySets, findings: &mut Findings) -> wire::TokenIssuer {
    let keys = match keys_address(rule) {
        _ if !rule.jwks.is_empty() => rule.jwks.clone(),
        None => {
            findings.unresolved(
                "NoKeys",
                format!("{place}: neither jwks nor jwksUri; none of its tokens is valid"),
            );
            String::new()
        }
        Some(address) => fetched.get(&address).cloned().unwrap_or_else(|| {
            let field = if rule.jwks_uri.is_empty() {
                "issuer"
            } else {
                "jwksUri"
            };
            findings.unresolved(
                "NoKeys",
                format!("{place}.{field}: {address} has not been read yet"),
            );
            String::new()
        }),
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
