//! Injection: pure code that adds a sidecar to a pod, shared by the webhook and `meshctl inject --manual`.
//!
//! Works on JSON rather than on typed pods, so that fields of a newer Kubernetes survive. The order of init
//! containers is the point: the redirect step first, then the proxy as a native sidecar, then all others, so that
//! they too call through the mesh.

mod patch;
mod probes;
mod template;
mod undo;
pub(crate) mod webhook;

pub use patch::{pod_patch, sidecar};
pub use template::{Workload, uninject_workload, workload_template};
pub use undo::uninject;

use std::{collections::BTreeMap, fmt};

use mesh_api::names;
use serde_json::Value;

use crate::model::ports::PortSet;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

/// What injected pods are told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub image: String,
    pub mesh_namespace: String,
    pub trust_domain: String,
    pub defaults: Defaults,
}

/// What was chosen for all sidecars of the mesh.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Secrets, in the pods' own namespaces, by which nodes pull the image.
    pub pull_secrets: Vec<String>,
    /// `requests` and `limits`; annotations of pods go first.
    pub resources: Value,
}

impl Defaults {
    pub fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        Self::read(
            &var(names::env::PROXY_PULL_SECRETS),
            &var(names::env::PROXY_RESOURCES),
        )
    }

    fn read(secrets: &str, resources: &str) -> Self {
        let secrets = secrets.split(',').map(str::trim).filter(|s| !s.is_empty());
        Self {
            pull_secrets: secrets.map(str::to_owned).collect(),
            // What cannot be read is as if nobody had chosen: pods must start.
            resources: serde_json::from_str(resources).unwrap_or_default(),
        }
    }
}

impl Settings {
    /// Of this build, for a mesh in `mesh_namespace`.
    pub fn new(mesh_namespace: &str, trust_domain: &str) -> Self {
        Self {
            image: names::image(),
            mesh_namespace: mesh_namespace.into(),
            trust_domain: trust_domain.into(),
            defaults: Defaults::default(),
        }
    }

    /// `host:port` of the controller.
    fn controller(&self) -> String {
        let (name, namespace) = (names::CONTROLLER, &self.mesh_namespace);
        format!("{name}.{namespace}.svc:{}", names::CONTROLLER_GRPC_PORT)
    }
}

/// Where a pod is to run.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
}

/// What became of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The pod with its sidecar, and what in its annotations was not understood.
    Injected {
        pod: Value,
        warnings: Vec<String>,
    },
    Skipped(Reason),
}

/// Why a pod gets no sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It shares the node's network: redirection would catch the node's traffic.
    HostNetwork,
    /// `kube-system` and its like.
    SystemNamespace,
    /// The mesh must be able to start without itself.
    MeshNamespace,
    AlreadyInjected,
    /// Its traffic is redirected already, into another mesh's sidecar.
    OtherMesh,
    /// Sidecars are Linux programs.
    Windows,
    /// The pod or its namespace says `disabled`.
    Disabled,
    /// Neither the pod nor its namespace asks for it.
    NotEnabled,
    /// Not a pod that we can read.
    NotAPod,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNetwork => "the pod uses the host's network",
            Self::SystemNamespace => "the namespace is Kubernetes' own",
            Self::MeshNamespace => "the namespace is the mesh's own",
            Self::AlreadyInjected => "the pod has a sidecar",
            Self::OtherMesh => "the pod has a sidecar of another mesh",
            Self::Windows => "the pod is for Windows",
            Self::Disabled => "injection is disabled by label or annotation",
            Self::NotEnabled => "neither the pod nor its namespace asks for injection",
            Self::NotAPod => "it is not a pod with containers",
        })
    }
}

/// Adds a sidecar to a pod where the rules ask for one.
pub fn inject_pod(pod: &Value, place: &Place, settings: &Settings) -> Outcome {
    match decide(pod, place, settings) {
        Some(reason) => Outcome::Skipped(reason),
        None => add(pod, settings),
    }
}

/// Adds a sidecar whatever labels say: for `meshctl inject`, where the user has asked. What can never work is still
/// skipped.
pub fn inject_always(pod: &Value, namespace: &str, settings: &Settings) -> Outcome {
    match never(pod, namespace, settings) {
        Some(reason) => Outcome::Skipped(reason),
        None => add(pod, settings),
    }
}

fn add(pod: &Value, settings: &Settings) -> Outcome {
    let mut warnings = Vec::new();
    let pod = sidecar(pod, settings, &mut warnings);
    Outcome::Injected { pod, warnings }
}

fn decide(pod: &Value, place: &Place, settings: &Settings) -> Option<Reason> {
    if let Some(reason) = never(pod, &place.namespace, settings) {
        return Some(reason);
    }
    let own = annotation(pod, names::INJECT).or_else(|| pod["metadata"]["labels"][names::INJECT].as_str());
    // What was said of another mesh is not said of this one; but who is to have no sidecar gets none by namespace.
    let of_others = opts_out(pod).then_some("disabled");
    let asked = own
        .or(of_others)
        .or_else(|| place.labels.get(names::INJECT).map(String::as_str));
    match asked {
        Some("enabled" | "true") => None,
        Some("disabled" | "false") => Some(Reason::Disabled),
        _ => Some(Reason::NotEnabled),
    }
}

fn never(pod: &Value, namespace: &str, settings: &Settings) -> Option<Reason> {
    let spec = &pod["spec"];
    if !spec["containers"].is_array() {
        return Some(Reason::NotAPod);
    }
    if matches!(namespace, "kube-system" | "kube-public" | "kube-node-lease") {
        return Some(Reason::SystemNamespace);
    }
    if namespace == settings.mesh_namespace {
        return Some(Reason::MeshNamespace);
    }
    if spec["hostNetwork"] == true {
        return Some(Reason::HostNetwork);
    }
    if spec["os"]["name"] == "windows" || spec["nodeSelector"]["kubernetes.io/os"] == "windows" {
        return Some(Reason::Windows);
    }
    let ours = [names::PROXY_CONTAINER, names::REDIRECT_CONTAINER];
    if has_one_of(spec, &ours) || annotation(pod, names::INJECTED).is_some() {
        return Some(Reason::AlreadyInjected);
    }
    if has_one_of(spec, &names::OTHER_REDIRECTIONS) {
        return Some(Reason::OtherMesh);
    }
    None
}

fn has_one_of(spec: &Value, names: &[&str]) -> bool {
    let lists = ["initContainers", "containers"].into_iter();
    lists
        .filter_map(|list| spec[list].as_array())
        .flatten()
        .any(|c| c["name"].as_str().is_some_and(|name| names.contains(&name)))
}

/// Ours, or what another mesh's users write for it.
fn annotation<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    names::annotation(name, |name| pod["metadata"]["annotations"][name].as_str())
}

/// Whether a label or an annotation of another mesh keeps the pod out of meshes.
fn opts_out(pod: &Value) -> bool {
    let metadata = &pod["metadata"];
    names::OPT_OUTS.iter().any(|(name, no)| {
        let said = |part: &str| metadata[part][*name].as_str();
        said("labels") == Some(no) || said("annotations") == Some(no)
    })
}

/// Says what in a pod will not be understood, or not be as its author may think.
fn mistakes(pod: &Value, warnings: &mut Vec<String>) {
    let of_pod = &pod["spec"]["securityContext"]["runAsUser"];
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        let own = &container["securityContext"]["runAsUser"];
        let user = if own.is_null() { of_pod } else { own };
        if *user == names::PROXY_UID {
            warnings.push(format!(
                "container {} runs as user {}, the sidecar's own: its calls go past the mesh",
                container["name"].as_str().unwrap_or_default(),
                names::PROXY_UID
            ));
        }
    }
    for name in [
        names::SKIP_INBOUND_PORTS,
        names::SKIP_OUTBOUND_PORTS,
        names::OPAQUE_PORTS,
    ] {
        if let Some(part) = annotation(pod, name).and_then(PortSet::mistake) {
            warnings.push(format!(
                "annotation {name}: {part:?} is neither a port nor a range of ports"
            ));
        }
    }
    if let Some(other) = annotation(pod, names::ACCESS_LOG)
        && !matches!(other, "off" | "text" | "json")
    {
        warnings.push(format!(
            "annotation {}: {other:?} is none of off, text, json",
            names::ACCESS_LOG
        ));
    }
}
