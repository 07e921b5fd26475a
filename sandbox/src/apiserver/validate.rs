//! Validation of stored objects: names and metadata of every kind, and the rules of built-in kinds that people run into.

mod pod;

use serde_json::{Value, json};

use super::builtin::{EXTENSIONS, RBAC};
use super::crd;
use super::meta;
use super::request::Path;
use super::resource::Resource;
use super::selector::Labels;
use super::status::{Cause, Failure, Result};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/// Largest total size of a ConfigMap's or Secret's data.
const MAX_DATA: usize = 1024 * 1024;

pub fn is_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    let fine = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !bytes.is_empty()
        && bytes.len() <= 63
        && bytes.iter().all(|b| fine(b) || *b == b'-')
        && bytes.first().is_some_and(fine)
        && bytes.last().is_some_and(fine)
}

fn is_subdomain(name: &str) -> bool {
    let part = |p: &str| {
        let bytes = p.as_bytes();
        let fine = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        bytes.iter().all(|b| fine(b) || *b == b'-')
            && bytes.first().is_some_and(fine)
            && bytes.last().is_some_and(fine)
    };
    name.len() <= 253 && name.split('.').all(part)
}

fn is_name_part(name: &str) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= 63
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Rules for a new object.
pub fn created(resource: &Resource, version: &str, object: &Value) -> Result<()> {
    let mut causes = Vec::new();
    name(resource, meta::name(object), &mut causes);
    if resource.is_core("pods") && !meta::items(object, &["spec", "ephemeralContainers"]).is_empty() {
        causes.push(Cause::forbidden(
            "spec.ephemeralContainers",
            "cannot be set on create",
        ));
    }
    common(resource, version, object, &mut causes);
    finish(resource, object, &causes)
}

/// Rules for a changed object.
pub fn updated(resource: &Resource, path: &Path, old: &Value, object: &Value) -> Result<()> {
    let mut causes = Vec::new();
    if meta::is_terminating(old) {
        let before = meta::finalizers(old);
        let added: Vec<String> = meta::finalizers(object)
            .into_iter()
            .filter(|f| !before.contains(f))
            .map(|f| format!("{f:?}"))
            .collect();
        if !added.is_empty() {
            causes.push(Cause::forbidden(
                "metadata.finalizers",
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers \
                     []string{{{}}}",
                    added.join(", ")
                ),
            ));
        }
    }
    common(resource, &path.version, object, &mut causes);
    if path.subresource == "ephemeralcontainers" {
        pod::extended(old, object, &mut causes);
    } else {
        immutable(resource, old, object, &mut causes);
    }
    finish(resource, object, &causes)
}

fn finish(resource: &Resource, object: &Value, causes: &[Cause]) -> Result<()> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(resource, meta::name(object), causes))
}

fn name(resource: &Resource, name: &str, causes: &mut Vec<Cause>) {
    let value = Value::from(name);
    if resource.group == RBAC {
        if name.contains(['/', '%']) || name == "." || name == ".." {
            causes.push(Cause::invalid(
                "metadata.name",
                &value,
                "may not contain '/' or '%'",
            ));
        }
    } else if resource.is_core("services") {
        let alphabetic = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if !is_label(name) || !alphabetic {
            causes.push(Cause::invalid("metadata.name", &value, DNS_1035));
        }
    } else if resource.is_core("namespaces") {
        if !is_label(name) {
            causes.push(Cause::invalid("metadata.name", &value, LABEL));
        }
    } else if !is_subdomain(name) {
        causes.push(Cause::invalid("metadata.name", &value, SUBDOMAIN));
    }
}

fn qualified(key: &str, field: &str, causes: &mut Vec<Cause>) {
    let value = Value::from(key);
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    if let Some(prefix) = prefix
        && !is_subdomain(prefix)
    {
        causes.push(Cause::invalid(field, &value, &format!("prefix part {SUBDOMAIN}")));
    }
    if !is_name_part(name) {
        causes.push(Cause::invalid(field, &value, QUALIFIED));
    }
}

fn labels(object: &Value, path: &[&str], causes: &mut Vec<Cause>) {
    let field = path.join(".");
    for (key, value) in meta::at(object, path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        qualified(key, &field, causes);
        let text = value.as_str().unwrap_or_default();
        if !text.is_empty() && !is_name_part(text) {
            causes.push(Cause::invalid(field.clone(), value, LABEL_VALUE));
        }
    }
}

fn common(resource: &Resource, version: &str, object: &Value, causes: &mut Vec<Cause>) {
    labels(object, &["metadata", "labels"], causes);
    let annotations = meta::at(object, &["metadata", "annotations"]).and_then(Value::as_object);
    for key in annotations.into_iter().flatten().map(|(k, _)| k) {
        qualified(&key.to_lowercase(), "metadata.annotations", causes);
    }
    for (i, owner) in meta::items(object, &["metadata", "ownerReferences"])
        .iter()
        .enumerate()
    {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if meta::text(owner, &[key]).is_empty() {
                let field = format!("metadata.ownerReferences[{i}].{key}");
                causes.push(Cause::invalid(field, &"".into(), "must not be empty"));
            }
        }
    }
    if let Some(version) = resource.definition.as_ref().and_then(|d| d.version(version)) {
        causes.extend(crd::schema::validate(&version.schema, object));
        return;
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod::spec(&object["spec"], "spec", causes),
        ("", "configmaps" | "secrets") => data(object, causes),
        ("", "services") => service(object, causes),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => workload(object, causes),
        ("batch", "jobs") => {
            pod::spec(&object["spec"]["template"]["spec"], "spec.template.spec", causes);
            let policy = &object["spec"]["template"]["spec"]["restartPolicy"];
            if policy == "Always" {
                causes.push(Cause::not_supported(
                    "spec.template.spec.restartPolicy",
                    policy,
                    &["OnFailure", "Never"],
                ));
            }
        }
        (EXTENSIONS, _) => causes.extend(crd::validate(object)),
        _ => {}
    }
}

fn data(object: &Value, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object.get(field).and_then(Value::as_object).into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            let fine = !key.is_empty()
                && key.len() <= 253
                && key
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if !fine {
                causes.push(Cause::invalid(
                    format!("{field}[{key}]"),
                    &key.clone().into(),
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
                     or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
                ));
            }
        }
    }
    if size > MAX_DATA {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {MAX_DATA} bytes"),
            field: "[]".into(),
        });
    }
}

fn service(object: &Value, causes: &mut Vec<Cause>) {
    let kind = meta::text(object, &["spec", "type"]);
    let ports = meta::items(object, &["spec", "ports"]);
    let headless = meta::text(object, &["spec", "clusterIP"]) == "None";
    if ports.is_empty() && kind != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    if kind == "ExternalName" && meta::text(object, &["spec", "externalName"]).is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    for (i, port) in ports.iter().enumerate() {
        let field = |name: &str| format!("spec.ports[{i}].{name}");
        let name = meta::text(port, &["name"]);
        if ports.len() > 1 && name.is_empty() {
            causes.push(Cause::required(field("name"), ""));
        } else if !name.is_empty() && !is_label(name) {
            causes.push(Cause::invalid(field("name"), &name.into(), LABEL));
        }
        if !name.is_empty() && ports[..i].iter().any(|p| p["name"] == name) {
            causes.push(Cause::duplicate(field("name"), &name.into()));
        }
        pod::port_number(&port["port"], field("port"), causes);
        let protocol = meta::text(port, &["protocol"]);
        if !matches!(protocol, "TCP" | "UDP" | "SCTP") {
            causes.push(Cause::not_supported(
                field("protocol"),
                &protocol.into(),
                &["SCTP", "TCP", "UDP"],
            ));
        }
    }
}

fn workload(object: &Value, causes: &mut Vec<Cause>) {
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or_default();
    if replicas < 0 {
        causes.push(Cause::invalid(
            "spec.replicas",
            &replicas.into(),
            "must be greater than or equal to 0",
        ));
    }
    let selector = &object["spec"]["selector"];
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    let empty = Labels::from_object(selector).is_empty();
    if empty {
        causes.push(Cause::required("spec.selector", ""));
    } else if !Labels::from_object(selector).matches_labels(labels.as_object()) {
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
    let mut template = object["spec"]["template"]["spec"].clone();
    // A stateful set's claims are volumes of its pods.
    let claims = meta::items(object, &["spec", "volumeClaimTemplates"]).iter();
    let mut claims: Vec<Value> = claims
        .map(|claim| json!({"name": claim["metadata"]["name"]}))
        .collect();
    if let Some(spec) = template.as_object_mut().filter(|_| !claims.is_empty()) {
        let own = spec.entry("volumes").or_insert_with(|| json!([]));
        if let Some(own) = own.as_array_mut() {
            // One of the same name gives way.
            claims.retain(|claim| !own.iter().any(|volume| volume["name"] == claim["name"]));
            own.append(&mut claims);
        }
    }
    pod::spec(&template, "spec.template.spec", causes);
}

fn immutable(resource: &Resource, old: &Value, object: &Value, causes: &mut Vec<Cause>) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod::updated(old, object, causes),
        ("", "services") => {
            let (before, after) = (&old["spec"]["clusterIP"], &object["spec"]["clusterIP"]);
            let was = before.as_str().unwrap_or_default();
            let is = after.as_str().unwrap_or_default();
            let external = object["spec"]["type"] == "ExternalName";
            if !was.is_empty() && was != is && !external && old["spec"]["type"] != "ExternalName" {
                causes.push(Cause::invalid(
                    "spec.clusterIPs[0]",
                    &json!([after]),
                    "may not change once set",
                ));
            }
        }
        ("", "configmaps" | "secrets") if old["immutable"] == true => {
            for field in ["data", "binaryData"] {
                if old.get(field) != object.get(field) {
                    causes.push(Cause::forbidden(
                        field,
                        "field is immutable when `immutable` is set",
                    ));
                }
            }
        }
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") | ("batch", "jobs") => {
            if old["spec"]["selector"] != object["spec"]["selector"] {
                let selector = &object["spec"]["selector"];
                causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
            }
            if resource.plural == "jobs" && old["spec"]["template"] != object["spec"]["template"] {
                let template = &object["spec"]["template"];
                causes.push(Cause::invalid("spec.template", template, "field is immutable"));
            }
        }
        (RBAC, "rolebindings" | "clusterrolebindings") if old["roleRef"] != object["roleRef"] => {
            let role = &object["roleRef"];
            let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
            causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
        }
        _ => {}
    }
}
