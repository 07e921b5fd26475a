//! Nobody gives away rights that they do not have: who writes a role must hold what it grants (or may `escalate` it),
//! who writes a binding must hold what its role grants (or may `bind` it).

use serde_json::{Value, json};

use super::{Attributes, all_rules, allowed, rules};
use crate::apiserver::builtin::RBAC;
use crate::apiserver::meta;
use crate::apiserver::request::User;
use crate::apiserver::rest::Call;
use crate::apiserver::status::{Failure, Result};

/// Refuses a role or binding that grants more than its writer has.
pub fn check(call: &Call, object: &Value, old: Option<&Value>) -> Result<()> {
    let resource = &call.resource;
    if resource.group != RBAC {
        return Ok(());
    }
    let namespace = if resource.namespaced {
        call.path.namespace.as_str()
    } else {
        ""
    };
    let unchanged = |key: &str| old.is_some_and(|old| old.get(key) == object.get(key));
    let granted = if matches!(resource.plural.as_str(), "roles" | "clusterroles") {
        if (unchanged("rules") && unchanged("aggregationRule"))
            || may(call, "escalate", &resource.plural, namespace, meta::name(object))
        {
            return Ok(());
        }
        let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        if meta::at(object, &["aggregationRule"]).is_some_and(|r| !r.is_null())
            && !uncovered(&held(call, namespace), &[everything]).is_empty()
        {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(Failure::forbidden(resource, meta::name(object), why));
        }
        meta::items(object, &["rules"]).to_vec()
    } else {
        let (kind, name) = (
            meta::text(object, &["roleRef", "kind"]),
            meta::text(object, &["roleRef", "name"]),
        );
        let plural = if kind == "ClusterRole" {
            "clusterroles"
        } else {
            "roles"
        };
        if (unchanged("roleRef") && unchanged("subjects")) || may(call, "bind", plural, namespace, name) {
            return Ok(());
        }
        let Some(rules) = rules(&call.server, kind, name, namespace) else {
            let role = call.server.catalogue.get(RBAC, plural);
            return match role {
                Some(role) => Err(Failure::not_found(&role, name)),
                None => Ok(()),
            };
        };
        rules
    };
    let missing = uncovered(&held(call, namespace), &granted);
    if missing.is_empty() {
        return Ok(());
    }
    let User { name, groups, .. } = &call.user;
    let lines: Vec<String> = missing.iter().map(show).collect();
    let why = format!(
        "user {name:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(groups.iter().map(String::as_str)),
        lines.join("\n")
    );
    Err(Failure::forbidden(resource, meta::name(object), &why))
}

fn held(call: &Call, namespace: &str) -> Vec<Value> {
    all_rules(&call.server, &call.user, namespace)
}

fn may(call: &Call, verb: &str, resource: &str, namespace: &str, name: &str) -> bool {
    let attributes = Attributes {
        verb,
        group: RBAC,
        resource,
        subresource: "",
        namespace: if resource == "clusterroles" && call.resource.plural != "rolebindings" {
            ""
        } else {
            namespace
        },
        name,
        path: "",
    };
    allowed(&call.server, &call.user, &attributes).is_some()
}

/// The parts of rules that no held rule covers, those of one place gathered with their verbs.
fn uncovered(held: &[Value], granted: &[Value]) -> Vec<Value> {
    let mut missing: Vec<Value> = Vec::new();
    for rule in granted {
        for mut part in places(rule) {
            let verbs: Vec<&str> = meta::strings(rule, &["verbs"])
                .into_iter()
                .filter(|verb| !held.iter().any(|h| covers(h, &part, verb)))
                .collect();
            if verbs.is_empty() {
                continue;
            }
            let known = missing.iter_mut().find(|m| {
                let mut bare = (*m).clone();
                bare["verbs"] = json!([]);
                part["verbs"] = json!([]);
                bare == part
            });
            if let Some(list) = known.and_then(|m| m["verbs"].as_array_mut()) {
                for verb in verbs {
                    if !list.iter().any(|v| v == verb) {
                        list.push(verb.into());
                    }
                }
            } else {
                part["verbs"] = json!(verbs);
                missing.push(part);
            }
        }
    }
    missing
}

/// A rule taken apart: one group, resource and name, or one path, at a time.
fn places(rule: &Value) -> Vec<Value> {
    let mut parts: Vec<Value> = meta::strings(rule, &["nonResourceURLs"])
        .into_iter()
        .map(|url| json!({"nonResourceURLs": [url]}))
        .collect();
    let names = meta::strings(rule, &["resourceNames"]);
    for group in meta::strings(rule, &["apiGroups"]) {
        for resource in meta::strings(rule, &["resources"]) {
            if names.is_empty() {
                parts.push(json!({"apiGroups": [group], "resources": [resource]}));
            }
            for name in &names {
                parts.push(json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name]}));
            }
        }
    }
    parts
}

fn covers(held: &Value, part: &Value, verb: &str) -> bool {
    let has = |key: &str, wanted: &str| {
        meta::strings(held, &[key])
            .iter()
            .any(|item| *item == "*" || *item == wanted)
    };
    if !has("verbs", verb) {
        return false;
    }
    if let Some(path) = meta::strings(part, &["nonResourceURLs"]).first() {
        return meta::strings(held, &["nonResourceURLs"])
            .iter()
            .any(|url| url == path || url.strip_suffix('*').is_some_and(|begin| path.starts_with(begin)));
    }
    let first = |key: &str| meta::strings(part, &[key]).first().copied().unwrap_or_default();
    let (group, resource, name) = (first("apiGroups"), first("resources"), first("resourceNames"));
    let of_subresource = resource.split_once('/').is_some_and(|(_, sub)| {
        meta::strings(held, &["resources"])
            .iter()
            .any(|r| r.strip_prefix("*/") == Some(sub))
    });
    let names = meta::strings(held, &["resourceNames"]);
    has("apiGroups", group)
        && (has("resources", resource) || of_subresource)
        && (names.is_empty() || (!name.is_empty() && names.contains(&name)))
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
}

fn show(rule: &Value) -> String {
    let parts: Vec<String> = [
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    ]
    .into_iter()
    .filter(|(_, key)| rule.get(key).is_some())
    .map(|(label, key)| format!("{label}:{}", quoted(meta::strings(rule, &[key]).into_iter())))
    .collect();
    format!("{{{}}}", parts.join(", "))
}
