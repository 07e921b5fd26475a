//! `meshctl install` and `uninstall`: pre-checks, server-side apply in order, and waiting until the mesh serves.
//!
//! ```text
//! namespace → CRDs (ours; others' where absent) → issuer → RBAC, trust bundle, service, deployment
//!   → wait for the deployment → webhooks, aggregated API → wait until that answers through the API server
//! ```
//! Every step is idempotent, so that running it again finishes what an interrupted run began.

pub mod manifests;
pub mod pki;
pub mod prechecks;
mod steps;
pub mod uninstall;
pub mod values;
mod wait;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use mesh_api::names;
use serde_json::Value;

use crate::{
    args::{Format, Global},
    cluster::Cluster,
    errors::Outcome,
    printer::Printer,
    yaml,
};
use manifests::Settings;
use steps::Steps;
use values::{Choices, Chosen, require_same_domain};

/// How long a cluster may take to say what it has, before manifests are printed as for a new one.
const LOOK: Duration = Duration::from_secs(4);

/// Install the mesh into a cluster, or finish or renew an installation
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl install                                into the cluster of the current context
  meshctl install --profile ha                   three controllers
  meshctl install --set controller.replicas=2    a single value; -f FILE takes many
  meshctl install --image reg.example/mesh:1 --image-pull-secret reg
  meshctl install --dry-run                      say what would be done
  meshctl install -o yaml | kubectl apply -f -   leave applying to somebody else

Values: image, imagePullSecrets, trustDomain, certificateLifetime, proxy.resources, and below
controller: replicas, logLevel, spread (on different nodes, never all evicted at once), resources,
nodeSelector, tolerations, priorityClassName, podAnnotations.")]
pub struct Args {
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    issuer: IssuerFiles,
    /// Apply the resource definitions, and nothing else
    #[arg(long, conflicts_with = "skip_crds")]
    crds_only: bool,
    /// Leave the resource definitions to somebody else
    #[arg(long)]
    skip_crds: bool,
    /// Say what would be applied, and apply nothing
    #[arg(long)]
    dry_run: bool,
}

/// An issuer of one's own, instead of one made on the spot.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Identity")]
pub struct IssuerFiles {
    /// Certificates that all of the mesh trusts, PEM
    #[arg(long, value_name = "FILE", requires_all = ["issuer_cert", "issuer_key"])]
    trust_anchors: Option<PathBuf>,
    /// Certificate that signs workloads, signed by a trust anchor, PEM
    #[arg(long, value_name = "FILE", requires_all = ["trust_anchors", "issuer_key"])]
    issuer_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires_all = ["trust_anchors", "issuer_cert"])]
    issuer_key: Option<PathBuf>,
}

impl IssuerFiles {
    /// The issuer that these files hold, if any are named.
    fn read(&self) -> Result<Option<pki::Identity>> {
        let (Some(anchors), Some(certificate), Some(key)) =
            (&self.trust_anchors, &self.issuer_cert, &self.issuer_key)
        else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        pki::bring(read(anchors)?, read(certificate)?, read(key)?).map(Some)
    }
}

/// What a cluster has that is to stay as it is; nothing where there is no cluster to ask.
#[derive(Default)]
struct There {
    chosen: Option<Chosen>,
    anchors: Option<String>,
    /// Definitions of others.
    foreign: Vec<String>,
}

impl There {
    /// Manifests can be printed without any cluster: one that does not answer soon is none.
    async fn look(global: &Global) -> Self {
        let look = async {
            let cluster = Cluster::find(global).await?;
            anyhow::Ok(Self {
                chosen: Chosen::kept(&cluster).await?,
                anchors: steps::existing_anchors(&cluster).await?,
                foreign: steps::wanted_definitions(&cluster).await?.1,
            })
        };
        match tokio::time::timeout(LOOK, look).await {
            Ok(Ok(found)) => found,
            _ => Self::default(),
        }
    }
}

/// `-o yaml`: everything that would be applied. A mesh that is there keeps its identity and what was chosen for it; for
/// a new one an identity is made on the spot.
pub async fn print(args: &Args, global: &Global, printer: &Printer) -> Result<Outcome> {
    let own = args.issuer.read()?;
    let there = There::look(global).await;
    let chosen = args.choices.on_top_of(there.chosen.clone())?;
    let values = chosen.values()?;
    require_same_domain(there.chosen.as_ref(), &values)?;
    let (anchors, secret) = if let Some(anchors) = there.anchors {
        (steps::same_anchors(anchors, own.as_ref())?, None)
    } else {
        let made = own.is_none();
        let issuer = own.map_or_else(|| pki::make(&values.trust_domain), Ok)?;
        if made && !args.crds_only {
            printer.say(
                "this holds a new identity with its private key: applied once it makes a mesh, applied again it stays, \
                 printed again it is another one; --trust-anchors, --issuer-cert and --issuer-key bring yours",
            );
        }
        let secret = issuer.secret(&global.mesh_namespace);
        (issuer.anchors, Some(secret))
    };
    let settings = Settings {
        namespace: global.mesh_namespace.clone(),
        values,
        anchors,
    };
    let mut objects = Vec::new();
    if !args.crds_only {
        objects.extend(manifests::namespace(&settings)?);
    }
    if !args.skip_crds {
        for (_, definition) in manifests::definitions()? {
            let name = definition["metadata"]["name"].as_str().unwrap_or_default();
            if there.foreign.iter().any(|foreign| foreign == name) {
                printer.say(format!("left out: {name}, which the cluster has already"));
            } else {
                objects.push(definition);
            }
        }
    }
    if !args.crds_only {
        match secret {
            Some(secret) => objects.push(serde_json::to_value(secret)?),
            None => printer.say("left out: the identity, which the mesh in the cluster keeps"),
        }
        objects.extend(manifests::control_plane(&settings)?);
        objects.push(manifests::kept(&chosen, &settings.namespace)?);
        objects.extend(manifests::registrations(&settings)?);
    }
    if printer.format == Format::Json {
        printer.data(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}))?;
        return Ok(Outcome::Yes);
    }
    for object in &objects {
        printer.raw(format!("---\n{}", yaml::text(object)?).as_bytes())?;
    }
    Ok(Outcome::Yes)
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let own = args.issuer.read()?;
    let mut progress = printer.progress("asking the cluster whether the mesh can be installed");
    prechecks::require(cluster).await?;
    let before = Chosen::kept(cluster).await?;
    let chosen = args.choices.on_top_of(before.clone())?;
    let values = chosen.values()?;
    require_same_domain(before.as_ref(), &values)?;
    if args.dry_run {
        drop(progress);
        return dry_run(args, &chosen, cluster, printer).await;
    }

    let mut steps = Steps::new(cluster);
    if args.crds_only {
        steps.definitions(&mut progress).await?;
        steps.tell_foreign(printer);
        progress.done(format!(
            "√ the resource definitions are served ({})",
            steps.tally()
        ));
        return Ok(Outcome::Yes);
    }
    let mut settings = Settings {
        namespace: cluster.mesh_namespace.clone(),
        values,
        anchors: String::new(),
    };
    steps.namespace(&settings, &mut progress).await?;
    if !args.skip_crds {
        steps.definitions(&mut progress).await?;
    }
    settings.anchors = steps
        .issuer(own, &settings.values.trust_domain, &mut progress)
        .await?;
    steps.control_plane(&settings, &chosen, &mut progress).await?;
    steps.tell_foreign(printer);
    progress.done(format!(
        "√ the mesh is installed in namespace {} ({})",
        settings.namespace,
        steps.tally()
    ));
    printer.say("  next: `meshctl check`, then `meshctl inject deploy/NAME -n NAMESPACE`");
    Ok(Outcome::Yes)
}

/// Brings an installed mesh to this version, with what was chosen for it; identity and routes stay as they are.
pub async fn renew(
    choices: &Choices,
    dry_run_only: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let args = Args {
        choices: choices.clone(),
        issuer: IssuerFiles::default(),
        crds_only: false,
        skip_crds: false,
        dry_run: dry_run_only,
    };
    run(&args, cluster, printer).await
}

async fn dry_run(args: &Args, chosen: &Chosen, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let settings = Settings {
        namespace: cluster.mesh_namespace.clone(),
        values: chosen.values()?,
        anchors: String::new(),
    };
    let (definitions, foreign) = steps::wanted_definitions(cluster).await?;
    let there = cluster
        .all::<Namespace>()
        .get_opt(&settings.namespace)
        .await?
        .is_some();
    let mut objects = Vec::new();
    if !args.crds_only {
        objects.extend(manifests::namespace(&settings)?);
    }
    if !args.skip_crds {
        objects.extend(definitions);
    }
    if !args.crds_only {
        objects.extend(manifests::control_plane(&settings)?);
        objects.push(manifests::kept(chosen, &settings.namespace)?);
        objects.extend(manifests::registrations(&settings)?);
        if steps::existing_anchors(cluster).await?.is_none() {
            printer.done(format!(
                "would create Secret {} with a new identity",
                names::ISSUER_SECRET
            ))?;
        }
    }
    for object in &objects {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        printer.done(format!(
            "would apply {} {}",
            text("/kind"),
            text("/metadata/name")
        ))?;
    }
    for name in foreign {
        printer.done(format!("would leave {name} as it is"))?;
    }
    if there {
        printer.say(format!("namespace {} is there already", settings.namespace));
    }
    Ok(Outcome::Yes)
}
