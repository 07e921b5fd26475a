//! PeerAuthentications: whether a pod takes calls in plaintext.

use std::{collections::BTreeMap, sync::Arc};

use mesh_api::{
    istio::{PeerAuthentication, peer::MutualTls},
    wire::MtlsMode,
};

use super::{key, of_another_root, oldest_first};
use crate::model::{
    Key,
    report::{Findings, PolicyKind, Reports},
};

/// All PeerAuthentications, those that win first.
#[derive(Debug, Default)]
pub struct PeerAuthentications {
    mesh_namespace: String,
    all: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    object: Key,
    /// `None`: the whole namespace.
    labels: Option<BTreeMap<String, String>>,
    mode: Option<MtlsMode>,
    ports: BTreeMap<u32, Option<MtlsMode>>,
}

/// What holds for one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    pub mode: MtlsMode,
    pub source: String,
    pub ports: BTreeMap<u32, MtlsMode>,
}

impl Modes {
    pub fn of_port(&self, port: u32) -> MtlsMode {
        self.ports.get(&port).copied().unwrap_or(self.mode)
    }
}

impl PeerAuthentications {
    pub fn build(objects: &[Arc<PeerAuthentication>], mesh_namespace: &str, reports: &mut Reports) -> Self {
        let mut this = Self {
            mesh_namespace: mesh_namespace.into(),
            all: Vec::new(),
        };
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                findings.unsupported(format!("spec.{field}"));
            }
            let entry = read(object, &mut findings);
            if let Some(elsewhere) = of_another_root(object.namespace(), mesh_namespace)
                && entry.labels.is_none()
            {
                findings.unsupported(elsewhere);
            }
            let twin = this
                .all
                .iter()
                .find(|e| e.object.namespace == entry.object.namespace && e.labels == entry.labels);
            if let Some(twin) = twin {
                let message = format!(
                    "peerauthentication/{} is older and for the same pods",
                    twin.object
                );
                findings.refused("Conflict", message);
            } else {
                this.all.push(entry);
            }
            reports.insert((PolicyKind::PeerAuthentication, key(object)), findings.verdicts());
        }
        this
    }

    /// The workload's own, else the namespace's, else the mesh's; what one leaves open the next decides.
    pub fn for_pod(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Modes {
        let selected = self.all.iter().find(|e| {
            e.object.namespace == namespace
                && e.labels
                    .as_ref()
                    .is_some_and(|wanted| wanted.iter().all(|(n, v)| labels.get(n) == Some(v)))
        });
        let whole = |namespace: &str| {
            self.all
                .iter()
                .find(|e| e.object.namespace == namespace && e.labels.is_none())
        };
        let mut levels = selected
            .into_iter()
            .chain(whole(namespace))
            .chain(whole(&self.mesh_namespace));
        let (mode, source) = levels
            .find_map(|e| Some((e.mode?, format!("peerauthentication/{}", e.object))))
            .unwrap_or((MtlsMode::Permissive, "default".into()));
        let ports = selected.map(|e| &e.ports).into_iter().flatten();
        Modes {
            mode,
            source,
            ports: ports.map(|(port, own)| (*port, own.unwrap_or(mode))).collect(),
        }
    }
}

fn read(object: &PeerAuthentication, findings: &mut Findings) -> Entry {
    let spec = &object.spec;
    let labels = spec
        .selector
        .as_ref()
        .map(|s| s.match_labels.clone())
        .filter(|l| !l.is_empty());
    let mut ports = BTreeMap::new();
    for (port, own) in &spec.port_level_mtls {
        let place = format!("spec.portLevelMtls[{port}]");
        match port.parse::<u16>() {
            Ok(number) if labels.is_some() => {
                ports.insert(u32::from(number), mode(&place, own, findings));
            }
            Ok(_) => findings.unsupported(format!("{place}: ports need a selector")),
            Err(_) => findings.unsupported(format!("{place}: not a port")),
        }
    }
    Entry {
        object: key(object),
        labels,
        mode: spec
            .mtls
            .as_ref()
            .and_then(|own| mode("spec.mtls", own, findings)),
        ports,
    }
}

fn mode(place: &str, written: &MutualTls, findings: &mut Findings) -> Option<MtlsMode> {
    match written.mode.as_str() {
        "" | "UNSET" => None,
        "DISABLE" => Some(MtlsMode::Disabled),
        "PERMISSIVE" => Some(MtlsMode::Permissive),
        "STRICT" => Some(MtlsMode::Strict),
        other => {
            // Whoever writes a mode wants protection: of the two ways to be wrong, this one shows.
            findings.unsupported(format!("{place}.mode: {other} is not a mode; STRICT is in force"));
            Some(MtlsMode::Strict)
        }
    }
}
