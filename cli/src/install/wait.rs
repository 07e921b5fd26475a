//! Waiting until what was applied truly serves.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use mesh_api::{names, telemetry::ProxyList};
use serde_json::Value;

use super::manifests::Settings;
use crate::{
    check::UNREACHED,
    cluster::Cluster,
    errors::{render, with_hint},
    printer::Progress,
    rollout, units,
    units::{Workload, WorkloadKind},
};

const POLL: Duration = Duration::from_millis(200);

/// Until the API server serves every definition.
pub async fn definitions(cluster: &Cluster, definitions: &[Value]) -> Result<()> {
    let api = cluster.all::<CustomResourceDefinition>();
    let deadline = Instant::now() + cluster.timeout;
    for name in definitions
        .iter()
        .filter_map(|d| d.pointer("/metadata/name")?.as_str())
    {
        loop {
            let conditions = api
                .get(name)
                .await?
                .status
                .and_then(|s| s.conditions)
                .unwrap_or_default();
            if conditions
                .iter()
                .any(|c| c.type_ == "Established" && c.status == "True")
            {
                break;
            }
            if Instant::now() >= deadline {
                let refused = conditions.iter().find(|c| c.status == "False");
                let why = refused.and_then(|c| c.message.clone()).unwrap_or_default();
                return Err(anyhow!("the API server does not serve {name}: {why}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Until the controller's deployment is available.
pub async fn control_plane(cluster: &Cluster, settings: &Settings, progress: &mut Progress) -> Result<()> {
    let controller = Workload {
        kind: WorkloadKind::Deployment,
        name: names::CONTROLLER.to_owned(),
    };
    rollout::wait(cluster, &settings.namespace, &controller, progress).await
}

/// Until the telemetry API answers through the API server: then routing, certificates and the controller all work.
pub async fn telemetry(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    progress.set("waiting for the telemetry API to answer");
    let deadline = Instant::now() + cluster.timeout;
    loop {
        let Err(error) = cluster.telemetry::<ProxyList>(None, "proxies").await else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            let why = render(&error).swap_remove(0);
            return Err(with_hint(
                anyhow!("not serving after {}: {why}", units::show(cluster.timeout)),
                UNREACHED,
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}
