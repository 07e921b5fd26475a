//! `meshctl install` and `uninstall`: pre-checks, server-side apply in order, and waiting until the mesh serves.
//!
//! ```text
//! namespace → CRDs (ours; Gateway API where absent) → RBAC → issuer → trust bundle → service, deployment
//!   → wait for the deployment → webhooks, aggregated API → wait until that answers through the API server
//! ```
//! Every step is idempotent, so that running it again finishes what an interrupted run began.

pub mod manifests;
pub mod pki;
pub mod prechecks;
pub mod uninstall;
mod wait;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::PostParams;
use mesh_api::names;
use serde_json::Value;

use crate::{
    args::{Format, Global},
    cluster::Cluster,
    errors::{Hint, Outcome},
    printer::Printer,
};
use manifests::Settings;

/// Install the mesh into a cluster, or finish or renew an installation
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl install                                into the cluster of the current context
  meshctl install --dry-run                      say what would be done
  meshctl install -o yaml | kubectl apply -f -   leave applying to somebody else")]
pub struct Args {
    /// Name that identities begin with: spiffe://NAME/…
    #[arg(long, value_name = "NAME", default_value = names::TRUST_DOMAIN)]
    trust_domain: String,
    /// Say what would be applied, and apply nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    fn settings(&self, namespace: &str, anchors: String) -> Settings {
        Settings {
            namespace: namespace.to_owned(),
            image: names::image(),
            trust_domain: self.trust_domain.clone(),
            anchors,
        }
    }
}

/// `-o yaml`: everything that would be applied to an empty cluster, with an identity made on the spot.
pub fn print(args: &Args, global: &Global, printer: &Printer) -> Result<Outcome> {
    let issuer = pki::make(&args.trust_domain)?;
    let settings = args.settings(&global.mesh_namespace, issuer.anchors.clone());
    let mut objects = manifests::namespace(&settings)?;
    objects.extend(manifests::definitions()?.into_iter().map(|(_, d)| d));
    objects.push(serde_json::to_value(issuer.secret(&settings.namespace))?);
    objects.extend(manifests::control_plane(&settings)?);
    objects.extend(manifests::registrations(&settings)?);
    if printer.format == Format::Json {
        printer.data(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}))?;
        return Ok(Outcome::Yes);
    }
    for object in &objects {
        printer.raw(format!("---\n{}", serde_yaml::to_string(object)?).as_bytes())?;
    }
    Ok(Outcome::Yes)
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let mut progress = printer.progress("asking the cluster whether the mesh can be installed");
    prechecks::require(cluster).await?;

    let existing = existing_issuer(cluster).await?;
    let made = if existing.is_some() {
        None
    } else {
        Some(pki::make(&args.trust_domain)?)
    };
    let anchors = existing
        .or_else(|| made.as_ref().map(|m| m.anchors.clone()))
        .unwrap_or_default();
    let settings = args.settings(&cluster.mesh_namespace, anchors);
    if args.dry_run {
        drop(progress);
        return dry_run(&settings, made.is_some(), cluster, printer).await;
    }

    let mut tally = Tally::default();
    progress.set(format!("applying namespace {}", settings.namespace));
    tally.apply(cluster, &manifests::namespace(&settings)?).await?;

    progress.set("applying resource definitions");
    let (definitions, foreign) = wanted_definitions(cluster).await?;
    tally.apply(cluster, &definitions).await?;
    wait::definitions(cluster, &definitions).await?;

    if let Some(issuer) = &made {
        progress.set("making the mesh's certificate authority");
        let secrets = cluster.api::<Secret>(&settings.namespace);
        // Two installs at once: the first one's identity is the one that counts.
        secrets
            .create(&PostParams::default(), &issuer.secret(&settings.namespace))
            .await
            .context("cannot store the mesh's certificate authority")
            .hint("if another install runs at the same time, run this one again")?;
        tally.changed += 1;
    }

    progress.set("applying the control plane");
    tally
        .apply(cluster, &manifests::control_plane(&settings)?)
        .await?;
    wait::control_plane(cluster, &settings, &mut progress).await?;

    progress.set("registering webhooks and the telemetry API");
    tally
        .apply(cluster, &manifests::registrations(&settings)?)
        .await?;
    wait::telemetry(cluster, &mut progress).await?;

    for name in foreign {
        printer.say(format!("left as it was: {name}, which the cluster had already"));
    }
    let what = match tally.changed {
        0 => "nothing had to be changed".to_owned(),
        n => format!("{n} objects changed"),
    };
    progress.done(format!(
        "√ the mesh is installed in namespace {} ({what})",
        settings.namespace
    ));
    printer.say("  next: `meshctl check`, then `meshctl inject deploy/NAME -n NAMESPACE`");
    Ok(Outcome::Yes)
}

#[derive(Default)]
struct Tally {
    changed: usize,
}

impl Tally {
    async fn apply(&mut self, cluster: &Cluster, objects: &[Value]) -> Result<()> {
        for object in objects {
            self.changed += usize::from(cluster.apply(object).await?);
        }
        Ok(())
    }
}

/// The anchors of a mesh that is there already; its identity is kept.
async fn existing_issuer(cluster: &Cluster) -> Result<Option<String>> {
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
async fn wanted_definitions(cluster: &Cluster) -> Result<(Vec<Value>, Vec<String>)> {
    let (mut wanted, mut foreign) = (Vec::new(), Vec::new());
    for (ownership, definition) in manifests::definitions()? {
        let (api, name) = cluster.api_of(&definition);
        let existing = api
            .get_metadata_opt(&name)
            .await
            .with_context(|| format!("cannot read {name}"))?;
        let managed = |labels: &std::collections::BTreeMap<String, String>| {
            labels
                .get(manifests::MANAGED_BY)
                .is_some_and(|m| m == names::MANAGER)
        };
        let theirs = existing.is_some_and(|e| !e.metadata.labels.as_ref().is_some_and(managed));
        if theirs && ownership == manifests::Ownership::WhereAbsent {
            foreign.push(name);
        } else {
            wanted.push(definition);
        }
    }
    Ok((wanted, foreign))
}

async fn dry_run(
    settings: &Settings,
    makes_issuer: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let (definitions, foreign) = wanted_definitions(cluster).await?;
    let there = cluster
        .all::<Namespace>()
        .get_opt(&settings.namespace)
        .await?
        .is_some();
    let mut objects = manifests::namespace(settings)?;
    objects.extend(definitions);
    objects.extend(manifests::control_plane(settings)?);
    objects.extend(manifests::registrations(settings)?);
    if makes_issuer {
        printer.line(format!(
            "would create Secret {} with a new identity",
            names::ISSUER_SECRET
        ))?;
    }
    for object in &objects {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        printer.line(format!(
            "would apply {} {}",
            text("/kind"),
            text("/metadata/name")
        ))?;
    }
    for name in foreign {
        printer.line(format!("would leave {name} as it is"))?;
    }
    if there {
        printer.say(format!("namespace {} is there already", settings.namespace));
    }
    Ok(Outcome::Yes)
}
