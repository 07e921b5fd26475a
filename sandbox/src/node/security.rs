//! From security contexts to a container's rights.

use k8s_openapi::api::core::v1::{Container, Pod};

use crate::container::Rights;

/// A container's rights, or why it must not run, in Kubernetes' words.
pub(super) fn rights(pod: &Pod, container: &Container) -> Result<Rights, String> {
    let of_pod = pod
        .spec
        .as_ref()
        .and_then(|s| s.security_context.clone())
        .unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |wanted: Option<i64>| wanted.and_then(|id| u32::try_from(id).ok());
    let uid = id(own.run_as_user.or(of_pod.run_as_user)).unwrap_or(0);
    let gid = id(own.run_as_group.or(of_pod.run_as_group)).unwrap_or(0);
    if own.run_as_non_root.or(of_pod.run_as_non_root) == Some(true) && uid == 0 {
        let explicit = own.run_as_user.or(of_pod.run_as_user).is_some();
        let why = if explicit {
            "container's runAsUser breaks non-root policy"
        } else {
            "container has runAsNonRoot and image will run as root"
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let metadata = &pod.metadata;
        let (name, namespace, uid) = (
            text(&metadata.name),
            text(&metadata.namespace),
            text(&metadata.uid),
        );
        return Err(format!(
            "{why} (pod: \"{name}_{namespace}({uid})\", container: {})",
            container.name
        ));
    }
    let mut groups: Vec<u32> = of_pod
        .supplemental_groups
        .iter()
        .flatten()
        .filter_map(|g| id(Some(*g)))
        .collect();
    groups.extend(id(of_pod.fs_group));
    let capabilities = own.capabilities.unwrap_or_default();
    Ok(Rights {
        uid,
        gid,
        groups,
        privileged: own.privileged == Some(true),
        add: capabilities.add.unwrap_or_default(),
        drop: capabilities.drop.unwrap_or_default(),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(pod: serde_json::Value, container: serde_json::Value) -> Result<Rights, String> {
        let container = json!({"name": "c", "securityContext": container});
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "shop", "uid": "u"},
            "spec": {"containers": [container], "securityContext": pod},
        }))
        .unwrap();
        rights(&pod, &pod.spec.as_ref().unwrap().containers[0])
    }

    #[test]
    fn the_containers_own_word_counts_more_than_the_pods() {
        let got = of(
            json!({"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3}),
            json!({"runAsUser": 14000, "allowPrivilegeEscalation": false}),
        );
        let got = got.unwrap();
        assert_eq!(
            (got.uid, got.gid, got.groups, got.no_new_privileges),
            (14000, 2, vec![3], true)
        );
    }

    #[test]
    fn root_is_refused_where_non_root_is_required() {
        let error = of(json!({"runAsNonRoot": true}), json!({})).unwrap_err();
        assert_eq!(
            error,
            "container has runAsNonRoot and image will run as root (pod: \"p_shop(u)\", container: c)"
        );
        assert!(of(json!({"runAsNonRoot": true}), json!({"runAsUser": 5})).is_ok());
    }
}
