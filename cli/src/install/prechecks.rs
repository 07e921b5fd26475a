//! What must be so before the mesh can be installed. `install` requires it, `check --pre` shows it.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;

use crate::{
    cluster::Cluster,
    errors::{Unreachable, with_hint},
};

/// The oldest Kubernetes that has native sidecars on by default.
pub const FLOOR: (u32, u32) = (1, 29);

/// What installing needs to be allowed to do: verb, group, resource, and whether it is in the mesh's namespace.
const NEEDED: [(&str, &str, &str, bool); 10] = [
    ("create", "", "namespaces", false),
    (
        "create",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        false,
    ),
    ("create", "rbac.authorization.k8s.io", "clusterroles", false),
    (
        "create",
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        false,
    ),
    (
        "create",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        false,
    ),
    (
        "create",
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        false,
    ),
    ("create", "apiregistration.k8s.io", "apiservices", false),
    ("create", "apps", "deployments", true),
    ("create", "", "services", true),
    ("create", "", "secrets", true),
];

/// Version of the API server, when it can be reached.
pub async fn version(cluster: &Cluster) -> Result<(String, (u32, u32))> {
    let info = cluster.client.apiserver_version().await.map_err(|e| {
        let reachable = matches!(e, kube::Error::Api(_));
        let error = anyhow::Error::new(e);
        if reachable {
            error
        } else {
            error.context(Unreachable("the cluster does not answer".into()))
        }
    })?;
    // Some servers write minor versions as `29+`.
    let number = |text: &str| {
        text.trim_end_matches(|c: char| !c.is_ascii_digit())
            .parse::<u32>()
            .unwrap_or(0)
    };
    Ok((
        info.git_version.clone(),
        (number(&info.major), number(&info.minor)),
    ))
}

/// Permissions that are missing, as `create apps/deployments`.
pub async fn missing_permissions(cluster: &Cluster) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for (verb, group, resource, namespaced) in NEEDED {
        let attributes = ResourceAttributes {
            verb: Some(verb.into()),
            group: Some(group.into()),
            resource: Some(resource.into()),
            namespace: namespaced.then(|| cluster.mesh_namespace.clone()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview {
            spec,
            ..SelfSubjectAccessReview::default()
        };
        let answer = cluster
            .all::<SelfSubjectAccessReview>()
            .create(&PostParams::default(), &review)
            .await
            .context("cannot ask for permissions")?;
        if !answer.status.is_some_and(|s| s.allowed) {
            let of = if group.is_empty() {
                String::new()
            } else {
                format!("{group}/")
            };
            missing.push(format!("{verb} {of}{resource}"));
        }
    }
    Ok(missing)
}

/// Fails with a reason unless the mesh can be installed.
pub async fn require(cluster: &Cluster) -> Result<()> {
    let (version, number) = version(cluster).await?;
    if number < FLOOR {
        return Err(with_hint(
            anyhow!("Kubernetes {version} is too old"),
            format!("sidecars need {}.{} or newer", FLOOR.0, FLOOR.1),
        ));
    }
    let missing = missing_permissions(cluster).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(with_hint(
        anyhow!("this user may not {}", missing.join(", nor ")),
        "install as a cluster administrator, or give them `meshctl install -o yaml`",
    ))
}
