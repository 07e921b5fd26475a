//! Gives every pod a service account and, in every container, the token and CA to speak to the API server with.

use serde_json::{Value, json};

use crate::apiserver::meta::{self, map_mut};
use crate::apiserver::rest::Call;
use crate::apiserver::status::{Failure, Result};
use crate::apiserver::store::Key;

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A little over an hour, so that kubelets can tell these tokens from those asked for explicitly.
const TOKEN_SECONDS: u64 = 3607;

pub fn admit(call: &Call, pod: &mut Value) -> Result<()> {
    let name = match meta::text(pod, &["spec", "serviceAccountName"]) {
        "" => "default".to_string(),
        name => name.to_string(),
    };
    let namespace = &call.path.namespace;
    let key = Key::new("serviceaccounts", namespace, &name);
    let Some(account) = call.server.store.get(&key) else {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        );
        return Err(Failure::forbidden(&call.resource, meta::name(pod), &why));
    };
    let Some(spec) = map_mut(pod, &["spec"]) else {
        return Ok(());
    };
    spec.insert("serviceAccountName".into(), name.clone().into());
    spec.insert("serviceAccount".into(), name.into());
    let has_secrets = spec
        .get("imagePullSecrets")
        .and_then(Value::as_array)
        .is_some_and(|s| !s.is_empty());
    if let (false, Some(secrets)) = (has_secrets, account.get("imagePullSecrets")) {
        spec.insert("imagePullSecrets".into(), secrets.clone());
    }
    let wanted = spec
        .get("automountServiceAccountToken")
        .or_else(|| account.get("automountServiceAccountToken"))
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if !wanted {
        return Ok(());
    }
    let mounted = |c: &Value| {
        meta::items(c, &["volumeMounts"])
            .iter()
            .any(|m| m["mountPath"] == MOUNT)
    };
    let existing = meta::items(pod, &["spec", "volumes"])
        .iter()
        .map(|v| meta::text(v, &["name"]))
        .find(|n| n.starts_with("kube-api-access-"))
        .map(String::from);
    let volume = existing
        .clone()
        .unwrap_or_else(|| format!("kube-api-access-{}", meta::suffix(5)));
    let mut used = false;
    let Some(spec) = map_mut(pod, &["spec"]) else {
        return Ok(());
    };
    for list in ["initContainers", "containers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if mounted(container) {
                continue;
            }
            let Some(container) = container.as_object_mut() else {
                continue;
            };
            let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
            if let Some(mounts) = mounts.as_array_mut() {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT}));
                used = true;
            }
        }
    }
    if used && existing.is_none() {
        let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.push(json!({
                "name": volume,
                "projected": {
                    "defaultMode": 420,
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                        {"configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }},
                        {"downwardAPI": {"items": [{
                            "path": "namespace",
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                        }]}},
                    ],
                },
            }));
        }
    }
    Ok(())
}
