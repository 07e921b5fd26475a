//! PeerAuthentications: whether a pod takes calls in plaintext.

use std::{collections::BTreeMap, sync::Arc};

use mesh_api::{
    istio::{PeerAuthentication, peer::MutualTls},
    wire::MtlsMode,
};

use super::{key, oldest_first, scope::Scope};
use crate::model::{
    Key,
    report::{Findings, PolicyKind, Reports},
};

/// All PeerAuthentications, those that win first: for the fewest pods, then the oldest.
#[derive(Debug, Default)]
pub struct PeerAuthentications(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    object: Key,
    scope: Scope,
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
        let mut all: Vec<Entry> = Vec::new();
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                findings.unsupported(format!("spec.{field}"));
            }
            let entry = read(object, mesh_namespace, &mut findings);
            if let Some(twin) = all.iter().find(|e| e.scope == entry.scope) {
                let message = format!(
                    "peerauthentication/{} is older and for the same pods",
                    twin.object
                );
                findings.refused("Conflict", message);
            } else {
                all.push(entry);
            }
            reports.insert((PolicyKind::PeerAuthentication, key(object)), findings.verdicts());
        }
        all.sort_by_key(|entry| entry.scope.breadth());
        Self(all)
    }

    /// The workload's own, else the namespace's, else the mesh's; what one leaves open the next decides.
    pub fn for_pod(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Modes {
        let fitting = || {
            let all = self.0.iter();
            all.filter(|e| e.scope.includes(namespace, labels, None))
        };
        let selected = fitting().find(|e| e.scope.selects());
        let mut levels = selected
            .into_iter()
            .chain(fitting().filter(|e| !e.scope.selects()));
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

fn read(object: &PeerAuthentication, mesh_namespace: &str, findings: &mut Findings) -> Entry {
    let spec = &object.spec;
    let labels = spec.selector.as_ref().map(|s| &s.match_labels);
    let scope = Scope::of_setting(object, labels, mesh_namespace, findings);
    let mut ports = BTreeMap::new();
    for (port, own) in &spec.port_level_mtls {
        let place = format!("spec.portLevelMtls[{port}]");
        match port.parse::<u16>() {
            Ok(number) if scope.selects() => {
                ports.insert(u32::from(number), mode(&place, own, findings));
            }
            Ok(_) => findings.unsupported(format!("{place}: ports need a selector")),
            Err(_) => findings.unsupported(format!("{place}: not a port")),
        }
    }
    Entry {
        object: key(object),
        scope,
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
