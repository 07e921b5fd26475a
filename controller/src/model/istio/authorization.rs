//! AuthorizationPolicies: who may call a pod, and with what.
//!
//! A condition that we do not understand fails closed: an ALLOW rule with one never matches, a DENY rule matches
//! without it. So does an action that we do not know: it refuses whatever it would have looked at.

mod conditions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mesh_api::{
    istio::{AuthorizationPolicy, authorization::Rule},
    wire::{self, AuthorizationAction},
};

use super::{key, oldest_first, scope::Scope};
use crate::model::{
    Key,
    report::{Findings, PolicyKind, Reports},
};
use conditions::Reader;

/// Istio's annotation for policies on trial.
const DRY_RUN: &str = "istio.io/dry-run";

/// A policy in terms of the model.
#[derive(Debug)]
pub struct Policy {
    scope: Scope,
    wire: wire::AuthorizationPolicy,
}

/// All policies: DENY, then ALLOW, then AUDIT, each oldest first.
#[derive(Debug, Default)]
pub struct AuthorizationPolicies(Vec<Policy>);

impl AuthorizationPolicies {
    pub fn build(
        objects: &[Arc<AuthorizationPolicy>],
        trust_domain: &str,
        mesh_namespace: &str,
        reports: &mut Reports,
    ) -> Self {
        let mut all = Vec::new();
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                findings.unsupported(format!("spec.{field}"));
            }
            all.extend(translate(object, trust_domain, mesh_namespace, &mut findings));
            reports.insert(
                (PolicyKind::AuthorizationPolicy, key(object)),
                findings.verdicts(),
            );
        }
        all.sort_by_key(|policy| match policy.wire.action() {
            AuthorizationAction::Deny => 0,
            AuthorizationAction::Allow => 1,
            AuthorizationAction::Audit => 2,
        });
        Self(all)
    }

    /// What is in force for a pod of these services, in the order in which it is looked at.
    pub fn for_pod(
        &self,
        pod: &Key,
        labels: &BTreeMap<String, String>,
        services: Option<&BTreeSet<Key>>,
    ) -> Vec<wire::AuthorizationPolicy> {
        self.0
            .iter()
            .filter(|p| p.scope.includes(&pod.namespace, labels, services))
            .map(|p| p.wire.clone())
            .collect()
    }
}

fn translate(
    object: &AuthorizationPolicy,
    trust_domain: &str,
    mesh_namespace: &str,
    findings: &mut Findings,
) -> Option<Policy> {
    let spec = &object.spec;
    let targets = spec.target_refs.iter().chain(&spec.target_ref);
    let scope = Scope::of_policy(object, spec.selector.as_ref(), targets, mesh_namespace, findings)?;
    let action = match spec.action.as_deref() {
        None | Some("" | "ALLOW") => AuthorizationAction::Allow,
        Some("DENY") => AuthorizationAction::Deny,
        Some("AUDIT") => AuthorizationAction::Audit,
        Some(other) => {
            findings.unsupported(format!("spec.action: {other}; what it matches is refused"));
            AuthorizationAction::Deny
        }
    };
    let mut rules = Vec::new();
    for (i, rule) in spec.rules.iter().enumerate() {
        let mut reader = Reader {
            object,
            trust_domain,
            closed_by_dropping: action == AuthorizationAction::Deny,
            findings,
        };
        rules.extend(translate_rule(&mut reader, &format!("rules[{i}]"), rule));
    }
    Some(Policy {
        scope,
        wire: wire::AuthorizationPolicy {
            name: format!("authorizationpolicy/{}", key(object)),
            action: if is_dry_run(object) {
                AuthorizationAction::Audit
            } else {
                action
            }
            .into(),
            rules,
        },
    })
}

/// On trial: what it matches is noted, and it decides nothing.
fn is_dry_run(object: &AuthorizationPolicy) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    annotations.is_some_and(|a| a.get(DRY_RUN).is_some_and(|value| value == "true"))
}

/// `None` when the rule can never match.
fn translate_rule(reader: &mut Reader<'_>, path: &str, rule: &Rule) -> Option<wire::AuthorizationRule> {
    let mut translated = wire::AuthorizationRule::default();
    let own = ["from", "to", "when"];
    if reader.unknown_besides(path, &own) && !reader.closed_by_dropping {
        return None;
    }
    for (i, from) in rule.from.iter().enumerate() {
        let found = reader.source(&format!("{path}.from[{i}]"), &from.source);
        translated.from.extend(found.map(|all| wire::Conditions { all }));
    }
    for (i, to) in rule.to.iter().enumerate() {
        let found = reader.operation(&format!("{path}.to[{i}]"), &to.operation);
        translated.to.extend(found.map(|all| wire::Conditions { all }));
    }
    // On the wire none of either stands for any: where all of them fell away, nothing can match.
    if translated.from.is_empty() != rule.from.is_empty() || translated.to.is_empty() != rule.to.is_empty() {
        return None;
    }
    for (i, when) in rule.when.iter().enumerate() {
        match reader.when(&format!("{path}.when[{i}]"), when) {
            Ok(condition) => translated.conditions.push(condition),
            Err(()) if reader.closed_by_dropping => {}
            Err(()) => return None,
        }
    }
    Some(translated)
}
