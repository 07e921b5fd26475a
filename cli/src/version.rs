//! `meshctl version`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use mesh_api::names;
use serde_json::json;

use crate::{
    args::Global,
    cluster::Cluster,
    errors::{Outcome, render},
    install::{manifests::VERSION_LABEL, prechecks},
    pods,
    printer::Printer,
};

/// Prints versions; that there is no cluster or mesh is no failure here.
pub async fn run(client_only: bool, global: &Global, printer: &Printer) -> Result<Outcome> {
    let (mut kubernetes, mut mesh, mut proxies) = (None, None, BTreeMap::<String, u64>::new());
    let mut absent = "none found";
    if !client_only {
        match reach(global).await {
            Ok((cluster, version)) => {
                kubernetes = Some(version);
                mesh = match controller_version(&cluster).await {
                    Ok(found) => found,
                    Err(error) => {
                        absent = "not known";
                        for line in render(&error) {
                            printer.say(line);
                        }
                        None
                    }
                };
                let list = pods::proxies(&cluster, None).await;
                for proxy in list.map(|l| l.items).unwrap_or_default() {
                    *proxies.entry(proxy.version).or_default() += 1;
                }
            }
            Err(error) => render(&error).iter().for_each(|line| printer.say(line)),
        }
    }
    if printer.format.is_data() {
        printer.data(&json!({
            "client": names::VERSION, "image": names::image(), "kubernetes": kubernetes, "controlPlane": mesh,
            "proxies": proxies
        }))?;
        return Ok(Outcome::Yes);
    }
    printer.line(format!("client         {}", names::VERSION))?;
    if let Some(kubernetes) = kubernetes {
        printer.line(format!("kubernetes     {kubernetes}"))?;
        printer.line(format!("control plane  {}", mesh.as_deref().unwrap_or(absent)))?;
    }
    for (version, count) in proxies {
        printer.line(format!("proxies        {version} ({count})"))?;
    }
    Ok(Outcome::Yes)
}

/// The cluster, if it answers, with its version.
async fn reach(global: &Global) -> Result<(Cluster, String)> {
    let cluster = Cluster::find(global).await?;
    let (version, _) = prechecks::version(&cluster).await?;
    Ok((cluster, version))
}

/// The version of the control plane, if there is one: as it is labelled, else what its image's tag says.
pub async fn controller_version(cluster: &Cluster) -> Result<Option<String>> {
    let deployments = cluster.api::<Deployment>(&cluster.mesh_namespace);
    let found = deployments.get_opt(names::CONTROLLER).await;
    let found = found.context("cannot read the controller's deployment")?;
    Ok(found.and_then(|deployment| {
        let labelled = deployment.labels().get(VERSION_LABEL).cloned();
        labelled.or_else(|| {
            let pod = deployment.spec?.template.spec?;
            let image = pod.containers.into_iter().next()?.image?;
            image.rsplit_once(':').map(|(_, tag)| tag.to_owned())
        })
    }))
}
