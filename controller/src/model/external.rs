//! Hosts that ServiceEntries declare: services of the model that are no Services of the cluster. Routes, rules for
//! destinations and faults name them as they name any other.
//!
//! Nobody but the caller's own resolver has given them an address, unless the entry does. So what is called at an address
//! that nothing else has is told apart by what is said there: a request by its host, TLS by its server name, and bytes by
//! the address, where the entry or a resolved name has it. Who asks for something else there is passed on as before.
//!
//! ```text
//!   NONE, or DNS called by its own name ──► where the caller wanted to go
//!   STATIC, or with endpoints or a selector ──► those endpoints
//!   DNS called from another host's route ──► what the control plane has resolved
//! ```

mod read;
mod target;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use mesh_api::istio::ServiceEntry;

use super::{
    Key,
    backend::{CALLED, Named},
    endpoints::{PodInfo, ServiceInfo, Services},
    istio::{Visibility, created, key, oldest_first},
    place::{Declared, Placed, Stand},
    report::{Findings, PolicyKind, Reports},
};
pub use read::names;
pub use target::is_passthrough;

use read::Read;

/// What of a service comes from a ServiceEntry.
#[derive(Clone, Debug)]
pub struct External {
    pub source: Key,
    pub visible: Visibility,
    pub created: i128,
    /// What servers' certificates are for, where not for the host.
    pub names: Vec<String>,
    networks: Vec<IpNet>,
    way: Way,
}

/// Where calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Where the caller wanted to.
    AsCalled,
    /// There, too, when it is called by its own name; else to what its name resolves to.
    ByName,
    Endpoints,
}

impl External {
    fn is_at(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Hosts by port, those that win first.
#[derive(Debug, Default)]
pub struct Externals(HashMap<u32, Vec<Key>>);

/// What else is known when the entries are read.
pub struct Surroundings<'a> {
    pub pods: &'a HashMap<Key, PodInfo>,
    pub pod_addresses: &'a HashMap<IpAddr, Key>,
    pub resolved: &'a BTreeMap<String, Vec<IpAddr>>,
    pub trust_domain: &'a str,
}

/// Endpoints of a host's port.
pub type Endpoints = Vec<((Key, u32), Vec<Placed>)>;

impl Externals {
    /// Puts the hosts among the services; says who answers for them.
    pub fn build(
        objects: &[Arc<ServiceEntry>],
        services: &mut Services,
        around: &Surroundings<'_>,
        reports: &mut Reports,
    ) -> (Self, Endpoints) {
        let (mut this, mut endpoints) = (Self::default(), Endpoints::new());
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            let read = Read::of(object, &mut findings);
            let mut conflicts = 0;
            for (i, host) in object.spec.hosts.iter().enumerate() {
                let host = host.to_lowercase();
                let service = Key::new(object.namespace(), &host);
                if let Err(why) = is_host(&host, &service, services) {
                    conflicts += 1;
                    findings.unsupported(format!("spec.hosts[{i}]: {why}"));
                    continue;
                }
                let external = External {
                    source: key(object),
                    visible: Visibility::read(&object.spec.export_to, object.namespace()),
                    created: created(object),
                    names: object.spec.subject_alt_names.clone(),
                    networks: read.networks.clone(),
                    way: read.way(object, &host),
                };
                for port in read.ports.keys() {
                    let found = read.endpoints(object, &host, *port, around);
                    if found.is_empty() && read.waits_for_names() && external.way == Way::Endpoints {
                        let why = format!("spec.hosts[{i}]: no name of {host:?} has been resolved yet");
                        findings.unresolved("NoEndpoints", why);
                    }
                    endpoints.push(((service.clone(), *port), found));
                    this.0.entry(*port).or_default().push(service.clone());
                }
                services.insert(service, ServiceInfo::declared(read.ports.clone(), external));
            }
            if conflicts > 0 && conflicts == object.spec.hosts.len() {
                findings.refused("Conflict", "others have all of its hosts".into());
            }
            reports.insert((PolicyKind::ServiceEntry, key(object)), findings.verdicts());
        }
        (this, endpoints)
    }

    fn of_port(&self, port: u32) -> &[Key] {
        self.0.get(&port).map_or(&[], Vec::as_slice)
    }

    pub fn has_port(&self, port: u32) -> bool {
        self.0.contains_key(&port)
    }
}

fn is_host(host: &str, service: &Key, services: &Services) -> Result<(), String> {
    if !host.trim_start_matches("*.").contains('.') || host.contains('/') {
        return Err(format!("{host:?} is not a full name"));
    }
    match services.get(service).and_then(|known| known.external.as_ref()) {
        Some(older) => Err(format!("serviceentry/{} is older and has {host:?}", older.source)),
        None => match cluster_service(host).filter(|key| services.contains_key(key)) {
            Some(key) => Err(format!("{host:?} is service {key} of the cluster")),
            None => Ok(()),
        },
    }
}

/// The Service that a full name means: `web.shop.svc.cluster.local`.
fn cluster_service(host: &str) -> Option<Key> {
    let (name, rest) = host.split_once('.')?;
    let (namespace, rest) = rest.split_once('.')?;
    (rest == "svc" || rest.starts_with("svc.")).then(|| Key::new(namespace, name))
}

/// The host of that name as somebody in the namespace knows it: its own first, then the oldest that is exported to it.
pub fn find<'a>(host: &str, namespace: &str, services: &'a Services) -> Option<&'a Key> {
    if !host.contains('.') {
        return None;
    }
    let host = host.to_lowercase();
    let own = services.get_key_value(&Key::new(namespace, &host));
    if let Some((key, _)) = own.filter(|(_, info)| info.external.is_some()) {
        return Some(key);
    }
    services
        .iter()
        .filter(|(key, _)| key.name == host)
        .filter_map(|(key, info)| Some((key, info.external.as_ref()?)))
        .filter(|(_, external)| external.visible.includes(namespace))
        .min_by_key(|(key, external)| (external.created, *key))
        .map(|(key, _)| key)
}

#[cfg(test)]
mod tests;
