//! `meshctl version`.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::apps::v1::Deployment;
use mesh_api::{names, telemetry::ProxyList};
use serde_json::json;

use crate::{args::Global, cluster::Cluster, errors::Outcome, printer::Printer};

/// Prints versions; that there is no cluster or mesh is no failure here.
pub async fn run(client_only: bool, global: &Global, printer: &Printer) -> Result<Outcome> {
    let cluster = if client_only {
        None
    } else {
        Cluster::find(global).await.ok()
    };
    let (mut mesh, mut proxies) = (None, BTreeMap::<String, u64>::new());
    if let Some(cluster) = &cluster {
        mesh = controller_version(cluster).await;
        let list = cluster.telemetry::<ProxyList>(None, "proxies").await;
        for proxy in list.map(|l| l.items).unwrap_or_default() {
            *proxies.entry(proxy.version).or_default() += 1;
        }
    }
    if printer.format.is_data() {
        let image = names::image();
        printer.data(
            &json!({"client": names::VERSION, "image": image, "controlPlane": mesh, "proxies": proxies}),
        )?;
        return Ok(Outcome::Yes);
    }
    printer.line(format!("client         {}", names::VERSION))?;
    if !client_only {
        printer.line(format!(
            "control plane  {}",
            mesh.as_deref().unwrap_or("none found")
        ))?;
    }
    for (version, count) in proxies {
        printer.line(format!("proxies        {version} ({count})"))?;
    }
    Ok(Outcome::Yes)
}

/// The version of the control plane's image, if there is a control plane.
pub async fn controller_version(cluster: &Cluster) -> Option<String> {
    let deployments = cluster.api::<Deployment>(&cluster.mesh_namespace);
    let found = deployments.get_opt(names::CONTROLLER).await.ok()??;
    let image = found.spec?.template.spec?.containers.into_iter().next()?.image?;
    image.rsplit_once(':').map(|(_, tag)| tag.to_owned())
}
