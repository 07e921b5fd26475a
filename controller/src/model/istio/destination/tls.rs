//! TLS that callers begin by themselves, towards what is not of the mesh. What is of it is called by mutual TLS, whatever
//! anybody writes.

use mesh_api::{istio::destination as declared, wire};

use crate::model::{Key, Snapshot, endpoints::Services, report::Findings, sound};

/// What a DestinationRule says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientTls {
    /// That there be none.
    Off,
    /// To be begun in a way that there is not here: nobody is called, rather than in plaintext.
    Refused,
    Begun {
        sni: String,
        /// For one of these the server's certificate must be; none: for the host.
        names: Vec<String>,
        unverified: bool,
    },
}

/// What is to be known of a rule's hosts to judge what it says.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// Services of the cluster are among them.
    pub of_cluster: bool,
    /// Hosts outside with a wildcard are among them, which are no names to ask for.
    pub nameless: bool,
}

impl Hosts {
    pub fn of(found: &[&Key], services: &Services) -> Self {
        let is_external = |key: &Key| services.get(key).is_some_and(|info| info.external.is_some());
        Self {
            of_cluster: found.iter().any(|key| !is_external(key)),
            nameless: found.iter().any(|key| key.name.starts_with('*')),
        }
    }
}

pub fn read(place: &str, written: &declared::ClientTls, hosts: Hosts, findings: &mut Findings) -> ClientTls {
    let place = format!("{place}.tls");
    let mode = written.mode.as_str();
    match mode {
        "" | "ISTIO_MUTUAL" => return ClientTls::Off,
        "DISABLE" => {
            findings.unsupported(format!("{place}.mode: {mode} (meshed calls stay mutual TLS)"));
            return ClientTls::Off;
        }
        _ => {}
    }
    let verified = written.insecure_skip_verify != Some(true);
    let (sni, roots) = (&written.sni, &written.ca_certificates);
    let refused = if mode == "MUTUAL" {
        Some("mode: MUTUAL: sidecars have no certificates for hosts outside".to_owned())
    } else if mode != "SIMPLE" {
        Some(format!("mode: {mode} is not a mode"))
    } else if verified && !written.credential_name.is_empty() {
        let name = &written.credential_name;
        Some(format!("credentialName: {name}: sidecars are given no Secrets"))
    } else if verified && !matches!(roots.as_str(), "" | "system") {
        Some(format!("caCertificates: {roots}: sidecars have no such file"))
    } else if sni.is_empty() && hosts.nameless {
        Some("sni: there is none, and a host with a wildcard is no name to ask for".to_owned())
    } else if sni.is_empty() {
        None
    } else {
        sound::server_name(sni).err().map(|why| format!("sni: {why}"))
    };
    if let Some(why) = refused {
        findings.unsupported(format!(
            "{place}.{why} (what is not of the mesh is not called, for that would be in plaintext)"
        ));
        return ClientTls::Refused;
    }
    if hosts.of_cluster {
        findings.unsupported(format!("{place}.mode: {mode} (meshed calls stay mutual TLS)"));
    }
    ClientTls::Begun {
        sni: sni.clone(),
        names: written.subject_alt_names.clone(),
        unverified: !verified,
    }
}

impl Snapshot {
    /// Takes what is not of the mesh out of the endpoints of a service, to be called by TLS if at all.
    pub(in crate::model) fn begin_tls(
        &self,
        wanted: Option<&ClientTls>,
        service: &Key,
        endpoints: &mut Vec<wire::Endpoint>,
    ) -> Option<wire::OutsideTls> {
        let wanted = wanted.filter(|wanted| **wanted != ClientTls::Off)?;
        let all = std::mem::take(endpoints);
        let (meshed, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|e| !e.identity.is_empty());
        *endpoints = meshed;
        let ClientTls::Begun {
            sni,
            names,
            unverified,
        } = wanted
        else {
            return None;
        };
        let info = self.services.get(service)?;
        let mut own = match &info.external {
            Some(_) => vec![service.name.clone()],
            None => ["svc.cluster.local", "svc"]
                .map(|end| format!("{}.{}.{end}", service.name, service.namespace))
                .to_vec(),
        };
        if !sni.is_empty() {
            own = vec![sni.clone()];
        }
        let server_name = own.first().filter(|name| !name.starts_with('*'))?.clone();
        let declared = info.external.as_ref().map(|external| &external.names);
        let names = [Some(names), declared]
            .into_iter()
            .flatten()
            .find(|names| !names.is_empty())
            .unwrap_or(&own);
        (!others.is_empty()).then(|| wire::OutsideTls {
            endpoints: others,
            server_name,
            names: if *unverified { Vec::new() } else { names.clone() },
            unverified: *unverified,
        })
    }
}
