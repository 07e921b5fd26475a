//! What the controller is told by its environment.

use mesh_api::{identity::Identity, names};

/// Names this replica goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the control plane lives.
    pub mesh_namespace: String,
    pub trust_domain: String,
    /// Image of injected sidecars.
    pub proxy_image: String,
    /// Name of this pod: what the Lease calls the holder.
    pub pod: String,
}

impl Settings {
    pub fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            mesh_namespace: var(names::env::MESH_NAMESPACE).unwrap_or_else(|| names::MESH_NAMESPACE.into()),
            trust_domain: var(names::env::TRUST_DOMAIN).unwrap_or_else(|| names::TRUST_DOMAIN.into()),
            proxy_image: var(names::env::PROXY_IMAGE).unwrap_or_else(names::image),
            pod: var("POD_NAME").unwrap_or_else(|| names::CONTROLLER.into()),
        }
    }

    /// Whom proxies expect at the other end of the discovery connection.
    pub fn identity(&self) -> Identity {
        Identity::new(&self.trust_domain, &self.mesh_namespace, names::CONTROLLER)
    }

    /// The names the API server calls us by.
    pub fn dns_names(&self) -> Vec<String> {
        let (name, namespace) = (names::CONTROLLER, &self.mesh_namespace);
        vec![
            name.to_owned(),
            format!("{name}.{namespace}"),
            format!("{name}.{namespace}.svc"),
            format!("{name}.{namespace}.svc.cluster.local"),
        ]
    }
}
