//! Where a pod's references lead.

use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};

use crate::{
    controllers::cache::Key,
    node::{agent::Agent, environment::Sources},
};

/// They lead into the pod's own namespace.
pub(in crate::node) struct PodSources<'a> {
    pub agent: &'a Agent,
    pub namespace: &'a str,
}

impl Sources for PodSources<'_> {
    fn config_map(&self, name: &str) -> Option<ConfigMap> {
        self.agent
            .config_maps
            .get(&Key::new(self.namespace, name))
            .map(|c| (*c).clone())
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.agent
            .secrets
            .get(&Key::new(self.namespace, name))
            .map(|s| (*s).clone())
    }

    fn services(&self) -> Vec<Service> {
        let api_server = self.agent.services.get(&Key::new("default", "kubernetes"));
        let own = self.agent.services.within(self.namespace);
        api_server.into_iter().chain(own).map(|s| (*s).clone()).collect()
    }
}
