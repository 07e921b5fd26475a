//! Authorization by roles and bindings, read from the store on every request: there are few of them, and a change must
//! count at once.

pub mod escalation;

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin::RBAC;
use super::meta;
use super::request::{Path, User};
use super::selector::Labels;
use super::server::Server;
use super::status::{Failure, Result};
use super::store::Key;

/// Those who may do everything, whatever the roles say.
pub const MASTERS: &str = "system:masters";

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    /// Set for requests outside of resources; then only the verb counts besides.
    pub path: &'a str,
}

/// Refuses a request on a resource that its user may not make. `name` is the one object it can concern, if it is one.
pub fn check(server: &Server, user: &User, verb: &str, path: &Path, name: &str) -> Result<()> {
    let attributes = Attributes {
        verb,
        group: &path.group,
        resource: &path.resource,
        subresource: &path.subresource,
        namespace: &path.namespace,
        name,
        path: "",
    };
    allowed(server, user, &attributes)
        .map(drop)
        .ok_or_else(|| denial(user, &attributes))
}

/// Refuses a request on anything else.
pub fn check_path(server: &Server, user: &User, verb: &str, path: &str) -> Result<()> {
    let attributes = Attributes {
        verb,
        path,
        group: "",
        resource: "",
        subresource: "",
        namespace: "",
        name: "",
    };
    if allowed(server, user, &attributes).is_some() {
        return Ok(());
    }
    let why = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
    let mut failure = Failure::new(http::StatusCode::FORBIDDEN, "Forbidden", why);
    failure.details = Some(json!({}));
    Err(failure)
}

/// The 403 for a request on a resource.
pub fn denial(user: &User, a: &Attributes<'_>) -> Failure {
    let resource = if a.group.is_empty() {
        a.resource.to_string()
    } else {
        format!("{}.{}", a.resource, a.group)
    };
    let what = if a.name.is_empty() {
        resource
    } else {
        format!("{resource} {:?}", a.name)
    };
    let full = if a.subresource.is_empty() {
        a.resource.to_string()
    } else {
        format!("{}/{}", a.resource, a.subresource)
    };
    let place = if a.namespace.is_empty() {
        "at the cluster scope".to_string()
    } else {
        format!("in the namespace {:?}", a.namespace)
    };
    let message = format!(
        "{what} is forbidden: User {:?} cannot {} resource {full:?} in API group {:?} {place}",
        user.name, a.verb, a.group
    );
    let mut failure = Failure::new(http::StatusCode::FORBIDDEN, "Forbidden", message);
    let mut details = json!({"kind": a.resource});
    if !a.name.is_empty() {
        details["name"] = a.name.into();
    }
    if !a.group.is_empty() {
        details["group"] = a.group.into();
    }
    failure.details = Some(details);
    failure
}

/// Why the user may do it; `None` when they may not.
pub fn allowed(server: &Server, user: &User, attributes: &Attributes<'_>) -> Option<String> {
    if user.groups.iter().any(|g| g == MASTERS) {
        return Some(String::new());
    }
    let list = |plural: &str, ns: Option<&str>| server.store.list(&format!("{plural}.{RBAC}"), ns).0;
    for binding in list("clusterrolebindings", None) {
        if let Some(reason) = granted(server, user, attributes, &binding, "") {
            return Some(reason);
        }
    }
    if attributes.namespace.is_empty() || !attributes.path.is_empty() {
        return None;
    }
    list("rolebindings", Some(attributes.namespace))
        .iter()
        .find_map(|binding| granted(server, user, attributes, binding, attributes.namespace))
}

fn granted(
    server: &Server,
    user: &User,
    attributes: &Attributes<'_>,
    binding: &Value,
    namespace: &str,
) -> Option<String> {
    let subject = meta::items(binding, &["subjects"])
        .iter()
        .find(|s| is(user, s, namespace))?;
    let role_name = meta::text(binding, &["roleRef", "name"]);
    let role_kind = meta::text(binding, &["roleRef", "kind"]);
    let rules = rules(server, role_kind, role_name, namespace)?;
    if !rules.iter().any(|rule| allows(rule, attributes)) {
        return None;
    }
    let binding_name = meta::name(binding);
    let binding_text = if namespace.is_empty() {
        format!("ClusterRoleBinding {binding_name:?}")
    } else {
        format!("RoleBinding \"{binding_name}/{namespace}\"")
    };
    let subject_name = meta::text(subject, &["name"]);
    let subject_text = match meta::text(subject, &["kind"]) {
        "ServiceAccount" => {
            let of = match meta::text(subject, &["namespace"]) {
                "" => namespace,
                of => of,
            };
            format!("ServiceAccount \"{subject_name}/{of}\"")
        }
        kind => format!("{kind} {subject_name:?}"),
    };
    Some(format!(
        "RBAC: allowed by {binding_text} of {role_kind} {role_name:?} to {subject_text}"
    ))
}

fn is(user: &User, subject: &Value, namespace: &str) -> bool {
    let name = meta::text(subject, &["name"]);
    match meta::text(subject, &["kind"]) {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|g| g == name),
        "ServiceAccount" => {
            let of = match meta::text(subject, &["namespace"]) {
                "" => namespace,
                of => of,
            };
            user.name == format!("system:serviceaccount:{of}:{name}")
        }
        _ => false,
    }
}

/// The rules of a role, those of aggregated cluster roles gathered by label.
fn rules(server: &Server, kind: &str, name: &str, namespace: &str) -> Option<Vec<Value>> {
    let (plural, namespace) = if kind == "ClusterRole" {
        ("clusterroles", "")
    } else {
        ("roles", namespace)
    };
    let key = format!("{plural}.{RBAC}");
    let role = server.store.get(&Key::new(&key, namespace, name))?;
    let mut rules = meta::items(&role, &["rules"]).to_vec();
    for selector in meta::items(&role, &["aggregationRule", "clusterRoleSelectors"]) {
        let labels = Labels::from_object(selector);
        let others: Vec<Arc<Value>> = server.store.list(&key, None).0;
        for other in others
            .iter()
            .filter(|o| meta::name(o) != name && labels.matches(o))
        {
            rules.extend_from_slice(meta::items(other, &["rules"]));
        }
    }
    Some(rules)
}

fn allows(rule: &Value, a: &Attributes<'_>) -> bool {
    let has = |list: &str, wanted: &str| {
        meta::strings(rule, &[list])
            .iter()
            .any(|item| *item == "*" || *item == wanted)
    };
    if !has("verbs", a.verb) {
        return false;
    }
    if !a.path.is_empty() {
        return meta::strings(rule, &["nonResourceURLs"]).iter().any(|url| {
            *url == "*" || *url == a.path || url.strip_suffix('*').is_some_and(|p| a.path.starts_with(p))
        });
    }
    let resource = if a.subresource.is_empty() {
        a.resource.to_string()
    } else {
        format!("{}/{}", a.resource, a.subresource)
    };
    let by_subresource = !a.subresource.is_empty()
        && meta::strings(rule, &["resources"])
            .iter()
            .any(|r| r.strip_prefix("*/").is_some_and(|sub| sub == a.subresource));
    let names = meta::strings(rule, &["resourceNames"]);
    has("apiGroups", a.group)
        && (has("resources", &resource) || by_subresource)
        && (names.is_empty() || names.contains(&a.name))
}

/// Everything a user may do in a namespace, as `SelfSubjectRulesReview` lists it.
pub fn all_rules(server: &Server, user: &User, namespace: &str) -> Vec<Value> {
    if user.groups.iter().any(|g| g == MASTERS) {
        return vec![
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
            json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
        ];
    }
    let list = |plural: &str, ns: Option<&str>| server.store.list(&format!("{plural}.{RBAC}"), ns).0;
    let cluster = list("clusterrolebindings", None).into_iter().map(|b| (b, ""));
    let local = list("rolebindings", Some(namespace))
        .into_iter()
        .map(|b| (b, namespace));
    cluster
        .chain(local)
        .filter(|(binding, ns)| {
            meta::items(binding, &["subjects"])
                .iter()
                .any(|s| is(user, s, ns))
        })
        .filter_map(|(binding, ns)| {
            let role = &binding["roleRef"];
            rules(
                server,
                meta::text(role, &["kind"]),
                meta::text(role, &["name"]),
                ns,
            )
        })
        .flatten()
        .collect()
}
