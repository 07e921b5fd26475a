//! The steps of an installation. Each can be repeated, and two runs at once end with one mesh.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, PostParams};
use mesh_api::names;
use serde_json::Value;

use super::{
    manifests::{self, Ownership, Settings},
    pki,
    uninstall::is_ours,
    values::Chosen,
    wait,
};
use crate::{
    cluster::Cluster,
    errors::{Hint, with_hint},
    printer::{Printer, Progress},
    units,
};

pub struct Steps<'a> {
    cluster: &'a Cluster,
    changed: usize,
    /// Definitions of others that were left as they are.
    foreign: Vec<String>,
}

impl<'a> Steps<'a> {
    pub fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            changed: 0,
            foreign: Vec::new(),
        }
    }

    async fn apply(&mut self, objects: &[Value]) -> Result<()> {
        for object in objects {
            self.changed += usize::from(self.cluster.apply(object).await?);
        }
        Ok(())
    }

    /// Takes away what other choices had made.
    async fn remove(&mut self, object: &Value) -> Result<()> {
        let (api, name) = self.cluster.api_of(object);
        if is_ours(&api, &name).await? {
            let removed = api.delete(&name, &DeleteParams::default()).await;
            removed.with_context(|| format!("cannot remove {name}"))?;
            self.changed += 1;
        }
        Ok(())
    }

    /// How much had to be done.
    pub fn tally(&self) -> String {
        match self.changed {
            0 => "nothing had to be changed".to_owned(),
            1 => "1 object changed".to_owned(),
            n => format!("{n} objects changed"),
        }
    }

    pub fn tell_foreign(&self, printer: &Printer) {
        for name in &self.foreign {
            printer.say(format!("left as it was: {name}, which the cluster had already"));
        }
    }

    /// The mesh's namespace; one that is on its way out is waited for.
    pub async fn namespace(&mut self, settings: &Settings, progress: &mut Progress) -> Result<()> {
        let deadline = Instant::now() + self.cluster.timeout;
        let api = self.cluster.all::<Namespace>();
        loop {
            let found = api
                .get_opt(&settings.namespace)
                .await
                .context("cannot read the mesh's namespace")?;
            if found.is_none_or(|n| n.metadata.deletion_timestamp.is_none()) {
                break;
            }
            if Instant::now() >= deadline {
                return Err(with_hint(
                    anyhow!(
                        "namespace {} is being removed, and still there after {}",
                        settings.namespace,
                        units::show(self.cluster.timeout)
                    ),
                    format!(
                        "`kubectl get namespace {} -o yaml` says what it waits for",
                        settings.namespace
                    ),
                ));
            }
            progress.set(format!(
                "waiting for the old namespace {} to go",
                settings.namespace
            ));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        progress.set(format!("applying namespace {}", settings.namespace));
        self.apply(&manifests::namespace(settings)?).await
    }

    pub async fn definitions(&mut self, progress: &mut Progress) -> Result<()> {
        progress.set("applying resource definitions");
        let (definitions, foreign) = wanted_definitions(self.cluster).await?;
        self.foreign = foreign;
        self.apply(&definitions).await?;
        wait::definitions(self.cluster, &definitions).await
    }

    /// The anchors in force: those of the identity that is there, which is kept, or else of a new one.
    pub async fn issuer(
        &mut self,
        own: Option<pki::Identity>,
        trust_domain: &str,
        progress: &mut Progress,
    ) -> Result<String> {
        if let Some(anchors) = existing_anchors(self.cluster).await? {
            return same_anchors(anchors, own.as_ref());
        }
        progress.set("making the mesh's certificate authority");
        let issuer = match &own {
            Some(own) => pki::bring(own.anchors.clone(), own.certificate.clone(), own.key.clone())?,
            None => pki::make(trust_domain)?,
        };
        let namespace = &self.cluster.mesh_namespace;
        let secrets = self.cluster.api::<Secret>(namespace);
        match secrets
            .create(&PostParams::default(), &issuer.secret(namespace))
            .await
        {
            Ok(_) => {
                self.changed += 1;
                Ok(issuer.anchors)
            }
            // Another install was faster by a moment: its identity is the one that counts.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let anchors = existing_anchors(self.cluster)
                    .await?
                    .context("the mesh's issuer has gone again")
                    .hint("if an uninstall runs at the same time, wait for its end")?;
                same_anchors(anchors, own.as_ref())
            }
            Err(error) => Err(error).context("cannot store the mesh's certificate authority"),
        }
    }

    pub async fn control_plane(
        &mut self,
        settings: &Settings,
        chosen: &Chosen,
        progress: &mut Progress,
    ) -> Result<()> {
        progress.set("applying the control plane");
        self.apply(&manifests::control_plane(settings)?).await?;
        if !settings.values.controller.spread {
            self.remove(&manifests::budget(settings)).await?;
        }
        wait::control_plane(self.cluster, settings, progress).await?;

        progress.set("registering webhooks and the telemetry API");
        self.apply(&manifests::registrations(settings)?).await?;
        wait::telemetry(self.cluster, progress).await?;
        // Last: what is remembered is what works.
        self.apply(&[manifests::kept(chosen, &settings.namespace)?]).await
    }
}

/// An identity that is there is never replaced in passing.
pub(super) fn same_anchors(anchors: String, own: Option<&pki::Identity>) -> Result<String> {
    match own {
        Some(own) if own.anchors.trim() != anchors.trim() => Err(with_hint(
            anyhow!("the mesh has an identity already, with other trust anchors than --trust-anchors"),
            "leave --trust-anchors out to keep it; to replace it, uninstall the mesh first",
        )),
        _ => Ok(anchors),
    }
}

/// The anchors of a mesh that is there already.
pub async fn existing_anchors(cluster: &Cluster) -> Result<Option<String>> {
    let secrets = cluster.api::<Secret>(&cluster.mesh_namespace);
    let secret = secrets
        .get_opt(names::ISSUER_SECRET)
        .await
        .context("cannot read the mesh's issuer")?;
    let Some(secret) = secret else { return Ok(None) };
    let data = secret.data.unwrap_or_default();
    let anchors = data
        .get("ca.crt")
        .context("the mesh's issuer secret has no ca.crt")
        .hint(format!(
            "put the trust anchors there, or delete secret {} to get a new identity",
            names::ISSUER_SECRET
        ))?;
    Ok(Some(
        String::from_utf8(anchors.0.clone()).context("ca.crt of the mesh's issuer is not PEM")?,
    ))
}

/// Definitions to apply, and names of those that somebody else has put there.
pub async fn wanted_definitions(cluster: &Cluster) -> Result<(Vec<Value>, Vec<String>)> {
    let (mut wanted, mut foreign) = (Vec::new(), Vec::new());
    for (ownership, definition) in manifests::definitions()? {
        let (api, name) = cluster.api_of(&definition);
        let existing = api
            .get_metadata_opt(&name)
            .await
            .with_context(|| format!("cannot read {name}"))?;
        let managed = |labels: &BTreeMap<String, String>| {
            labels
                .get(manifests::MANAGED_BY)
                .is_some_and(|m| m == names::MANAGER)
        };
        let is_there = existing.is_some();
        let theirs = existing.is_some_and(|e| !e.metadata.labels.as_ref().is_some_and(managed));
        let of_gateway_api = |name: &String| name.ends_with(".gateway.networking.k8s.io");
        if theirs && ownership != Ownership::Ours {
            foreign.push(name);
        } else if is_there || ownership != Ownership::WithOurRoutes || !foreign.iter().any(of_gateway_api) {
            wanted.push(definition);
        }
    }
    Ok((wanted, foreign))
}
