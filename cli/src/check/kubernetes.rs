//! The cluster itself.

use anyhow::Result;
use mesh_api::names;

use super::Category;
use crate::{
    cluster::Cluster,
    install::prechecks::{self, FLOOR},
    version::controller_version,
};

/// Fails as a whole when the cluster cannot be reached: then there is nothing to look at.
pub async fn look(cluster: &Cluster, pre: bool) -> Result<Category> {
    let mut category = Category::new("Kubernetes");
    let (version, number) = prechecks::version(cluster).await?;
    category.ok("the API server answers");
    if number >= FLOOR {
        category.ok(format!("Kubernetes {version} has native sidecars"));
    } else {
        category.error(
            format!("Kubernetes {version} is too old"),
            format!("sidecars need {}.{} or newer", FLOOR.0, FLOOR.1),
        );
    }
    if pre {
        permissions(&mut category, cluster).await;
        if let Some(there) = prechecks::elsewhere(cluster).await {
            category.error(
                format!("the mesh of this cluster is in namespace {there}"),
                format!("a cluster has one; --mesh-namespace {there} means it"),
            );
        }
        match controller_version(cluster).await.ok().flatten() {
            None => category.ok(format!("no mesh is in namespace {} yet", cluster.mesh_namespace)),
            Some(there) => category.warning(
                format!("mesh {there} is in namespace {} already", cluster.mesh_namespace),
                if there == names::VERSION {
                    "`meshctl install` would renew it".to_owned()
                } else {
                    format!("`meshctl install` would bring it to {}", names::VERSION)
                },
            ),
        }
    }
    Ok(category)
}

async fn permissions(category: &mut Category, cluster: &Cluster) {
    match prechecks::missing_permissions(cluster).await {
        Ok(missing) if missing.is_empty() => category.ok("this user may do all that installing needs"),
        Ok(missing) => category.error(
            format!("this user may not {}", missing.join(", nor ")),
            "install as a cluster administrator, or give them `meshctl install -o yaml`",
        ),
        Err(error) => category.failed("permissions", &error),
    }
}
