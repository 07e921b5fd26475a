//! What must be so before the mesh can be installed. `install` requires it, `check --pre` shows it.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::{
    apps::v1::Deployment,
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    rbac::v1::ClusterRoleBinding,
};
use kube::api::PostParams;
use mesh_api::names;

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

/// The namespace of a mesh that is elsewhere in the cluster. What belongs to no namespace has one name: two meshes would
/// take it from each other.
pub async fn elsewhere(cluster: &Cluster) -> Option<String> {
    let bindings = cluster.all::<ClusterRoleBinding>();
    // Who may not look may not change it either.
    let binding = bindings.get_opt(names::CONTROLLER).await.ok()??;
    let subject = binding.subjects?.into_iter().next()?;
    let namespace = subject.namespace.filter(|n| *n != cluster.mesh_namespace)?;
    // Without a controller it is what is left of one.
    let deployments = cluster.api::<Deployment>(&namespace);
    deployments.get_opt(names::CONTROLLER).await.ok()??;
    Some(namespace)
}

/// Fails when the cluster's mesh is in another namespace than the one that is meant.
pub async fn require_no_other(cluster: &Cluster) -> Result<()> {
    let Some(there) = elsewhere(cluster).await else {
        return Ok(());
    };
    Err(with_hint(
        anyhow!(
            "the mesh of this cluster is in namespace {there}, not in {}; a cluster has one",
            cluster.mesh_namespace
        ),
        format!("--mesh-namespace {there} means it"),
    ))
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
        return require_no_other(cluster).await;
    }
    Err(with_hint(
        anyhow!("this user may not {}", missing.join(", nor ")),
        "install as a cluster administrator, or give them `meshctl install -o yaml`",
    ))
}
