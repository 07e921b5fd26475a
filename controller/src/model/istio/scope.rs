//! For which pods an object is: those of its namespace or of the whole mesh, with some labels, or behind some services.
//!
//! What stands in the mesh's own namespace is for the whole mesh. Istio's kinds differ in what a selector means there:
//! a policy's then selects pods of any namespace ([`Scope::of_policy`]), that of everything else pods of that namespace
//! only ([`Scope::of_setting`]).

use std::collections::{BTreeMap, BTreeSet};

use mesh_api::istio::{Istio, Selector, authorization::TargetRef};

use crate::model::{Key, report::Findings};

/// Where Istio's users put what is for the whole mesh.
const ISTIOS_ROOT: &str = "istio-system";

/// Labels of pods that an object names.
type Labels = BTreeMap<String, String>;

/// The pods that an object is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// `None`: the whole mesh.
    namespace: Option<String>,
    labels: Labels,
    /// Pods of these services only; empty: of any.
    services: Vec<Key>,
}

impl Scope {
    /// Of an AuthorizationPolicy or a RequestAuthentication. `None`: it is for what the mesh has not, gateways and
    /// waypoints, and refused.
    pub fn of_policy<'a, S>(
        object: &Istio<S>,
        selector: Option<&Selector>,
        targets: impl Iterator<Item = &'a TargetRef>,
        mesh_namespace: &str,
        findings: &mut Findings,
    ) -> Option<Self> {
        let mut services = Vec::new();
        let mut others = false;
        for target in targets {
            let core = matches!(target.group.as_str(), "" | "core");
            if core && target.kind == "Service" {
                services.push(Key::new(object.namespace(), &target.name));
            } else {
                others = true;
                findings.unsupported(format!(
                    "spec.targetRefs: {} {} is not for sidecars; a Service is",
                    target.kind, target.name
                ));
            }
        }
        if others && services.is_empty() {
            let message = "spec.targetRefs: policies for gateways and waypoints are not for sidecars".into();
            findings.refused("NotForMesh", message);
            return None;
        }
        let labels = selector.map(|s| s.match_labels.clone()).unwrap_or_default();
        if labels.is_empty() {
            // With a selector it is mostly for gateways that stand there.
            told_of_another_root(object, mesh_namespace, findings);
        }
        let everywhere = object.namespace() == mesh_namespace;
        Some(Self {
            namespace: (!everywhere).then(|| object.namespace().to_owned()),
            labels,
            services,
        })
    }

    /// Of a PeerAuthentication, a Sidecar or a Telemetry.
    pub fn of_setting<S>(
        object: &Istio<S>,
        labels: Option<&Labels>,
        mesh_namespace: &str,
        findings: &mut Findings,
    ) -> Self {
        let labels = labels.cloned().unwrap_or_default();
        if labels.is_empty() {
            told_of_another_root(object, mesh_namespace, findings);
        }
        let everywhere = labels.is_empty() && object.namespace() == mesh_namespace;
        Self {
            namespace: (!everywhere).then(|| object.namespace().to_owned()),
            labels,
            services: Vec::new(),
        }
    }

    /// Whether a pod with these labels, of these services, is one of them.
    pub fn includes(&self, namespace: &str, labels: &Labels, services: Option<&BTreeSet<Key>>) -> bool {
        let is_of = |service: &Key| services.is_some_and(|all| all.contains(service));
        self.namespace.as_ref().is_none_or(|n| n == namespace)
            && self
                .labels
                .iter()
                .all(|(name, value)| labels.get(name) == Some(value))
            && (self.services.is_empty() || self.services.iter().any(is_of))
    }

    /// Whether it tells pods of one namespace apart by their labels.
    pub fn selects(&self) -> bool {
        !self.labels.is_empty()
    }

    /// What is for few pods comes before what is for many: for some, for a namespace, for all.
    pub fn breadth(&self) -> (bool, bool) {
        (self.labels.is_empty(), self.namespace.is_none())
    }
}

fn told_of_another_root<S>(object: &Istio<S>, mesh_namespace: &str, findings: &mut Findings) {
    if let Some(elsewhere) = of_another_root(object.namespace(), mesh_namespace) {
        findings.unsupported(elsewhere);
    }
}

/// What to say of an object that would be for the whole mesh, had the mesh that namespace.
pub fn of_another_root(namespace: &str, mesh_namespace: &str) -> Option<String> {
    (namespace == ISTIOS_ROOT && mesh_namespace != ISTIOS_ROOT).then(|| {
        format!(
            "{ISTIOS_ROOT} as the place for the whole mesh: that is {mesh_namespace} here, and this is for namespace {ISTIOS_ROOT} only"
        )
    })
}
