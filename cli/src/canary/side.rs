//! The sides of a canary, as users name them: Services; deployments, by the Service that leads to them; versions of the
//! service itself, by DestinationRule or by their pods' `version` label.
//!
//! What is ambiguous is asked on a terminal, and refused with the choices elsewhere.

mod facts;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::ResourceExt;
use mesh_api::names;
use serde_json::json;

pub use facts::Facts;

use crate::{errors::with_hint, units};

/// How users name a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Service(String),
    Deployment(String),
    Version(String),
    /// Without a kind: a Service if there is one of the name.
    Any(String),
}

/// What a side is.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// A Service there is.
    Service(String),
    /// A part of the service whose callers are shifted.
    Subset(String),
    /// A Service that has to be made for the canary, and goes with it.
    Made(Box<Service>),
}

impl Side {
    /// As the canary's spec has it.
    pub fn spec(&self, called: &str) -> (String, Option<String>) {
        match self {
            Self::Service(name) => (name.clone(), None),
            Self::Subset(name) => (called.to_owned(), Some(name.clone())),
            Self::Made(service) => (service.name_any(), None),
        }
    }
}

/// Why a name is no side yet.
#[derive(Debug)]
pub enum Unclear {
    /// Several could be meant; what to ask, and what each is called.
    Choose(String, Vec<String>),
    Wrong(anyhow::Error),
}

impl From<anyhow::Error> for Unclear {
    fn from(error: anyhow::Error) -> Self {
        Self::Wrong(error)
    }
}

/// `web-v2`, `svc/web-v2`, `deploy/web-v2`, `version=v2`.
pub fn named(text: &str) -> Result<Named, String> {
    let refuse = || format!("`{text}` is no side of a canary; write svc/NAME, deploy/NAME or version=NAME");
    let (kind, name) = match text.split_once(['/', '=']) {
        Some((kind, name)) => (Some(kind), name),
        None => (None, text),
    };
    match kind {
        Some("version" | "subset") if !name.is_empty() => return Ok(Named::Version(name.to_owned())),
        _ if !units::is_name(name) => return Err(refuse()),
        _ => {}
    }
    match kind {
        None => Ok(Named::Any(name.to_owned())),
        Some("svc" | "service" | "services") if !text.contains('=') => Ok(Named::Service(name.to_owned())),
        Some("deploy" | "deployment" | "deployments") if !text.contains('=') => {
            Ok(Named::Deployment(name.to_owned()))
        }
        _ => Err(refuse()),
    }
}

impl Facts {
    /// What a name means here.
    pub fn resolve(&self, named: &Named) -> Result<Side, Unclear> {
        match named {
            Named::Service(name) | Named::Any(name) if self.has_service(name) => {
                Ok(Side::Service(name.clone()))
            }
            Named::Service(name) => Err(self.no_service(name).into()),
            Named::Deployment(name) => match self.deployment(name) {
                Some(deployment) => self.of_deployment(deployment),
                None => Err(with_hint(
                    anyhow!("there is no deploy/{name} in namespace {}", self.namespace),
                    "-n chooses another namespace",
                )
                .into()),
            },
            Named::Version(name) => self.of_version(name),
            Named::Any(name) => {
                let (deployment, version) = (self.deployment(name), self.versions().contains(name));
                match deployment {
                    Some(deployment) if version && self.version_of(deployment).as_ref() != Some(name) => {
                        Err(Unclear::Choose(
                            format!("{name} is a deployment and a version"),
                            vec![format!("deploy/{name}"), format!("version={name}")],
                        ))
                    }
                    Some(deployment) => self.of_deployment(deployment),
                    None if version => self.of_version(name),
                    None => Err(self.no_service(name).into()),
                }
            }
        }
    }

    /// Where traffic comes from when nobody says so: the service itself, or, when it goes to a part of that, the
    /// other part.
    pub fn other(&self, to: &Side) -> Result<Side, Unclear> {
        let (service, subset) = to.spec(&self.called);
        if subset.is_none() && matches!(to, Side::Service(_)) && service != self.called {
            return Ok(Side::Service(self.called.clone()));
        }
        let mut others: Vec<String> = Vec::new();
        for deployment in self.behind() {
            if let Ok(side) = self.of_deployment(deployment)
                && side != *to
            {
                others.push(format!("deploy/{}", deployment.name_any()));
            }
        }
        match &others[..] {
            [one] => self.resolve(&named(one).map_err(|e| anyhow!(e))?),
            [] => Err(with_hint(
                anyhow!(
                    "svc/{} leads to nothing else that traffic could come from",
                    self.called
                ),
                "name it with --from",
            )
            .into()),
            _ => Err(Unclear::Choose("traffic could come from".into(), others)),
        }
    }

    fn of_deployment(&self, deployment: &Deployment) -> Result<Side, Unclear> {
        let name = deployment.name_any();
        let mut services = self.leading_to(deployment);
        services.retain(|s| *s != self.called);
        match &services[..] {
            [one] => return Ok(Side::Service(one.clone())),
            [] => {}
            several => {
                let choices = several.iter().map(|s| format!("svc/{s}")).collect();
                return Err(Unclear::Choose(
                    format!("several services lead to deploy/{name}"),
                    choices,
                ));
            }
        }
        if !self.behind().any(|d| d.name_any() == name) {
            return Err(with_hint(
                anyhow!("no service leads to deploy/{name}"),
                format!(
                    "weights need a Service for each side: `kubectl expose deploy/{name} -n {}`",
                    self.namespace
                ),
            )
            .into());
        }
        let version = self.version_of(deployment).filter(|version| {
            let same = self
                .behind()
                .filter(|d| self.version_of(d).as_ref() == Some(version));
            same.count() == 1
        });
        match version {
            Some(version) if !self.services_only => Ok(Side::Subset(version)),
            _ => self.made(deployment),
        }
    }

    fn of_version(&self, name: &str) -> Result<Side, Unclear> {
        let versions = self.versions();
        if !versions.iter().any(|v| v == name) {
            let hint = if versions.is_empty() {
                "its pods have no `version` labels".to_owned()
            } else {
                format!("its versions are: {}", versions.join(", "))
            };
            return Err(with_hint(anyhow!("svc/{} has no version {name}", self.called), hint).into());
        }
        if !self.services_only {
            return Ok(Side::Subset(name.to_owned()));
        }
        let of: Vec<&Deployment> = self
            .behind()
            .filter(|d| self.version_of(d).is_some_and(|v| v == name))
            .collect();
        match of[..] {
            [one] => self.of_deployment(one),
            [] => Err(anyhow!("no deployment behind svc/{} is version {name}", self.called).into()),
            _ => Err(Unclear::Choose(
                format!("several deployments are version {name}"),
                of.iter().map(|d| format!("deploy/{}", d.name_any())).collect(),
            )),
        }
    }

    /// A Service for one deployment, with the ports of the one that is called.
    fn made(&self, deployment: &Deployment) -> Result<Side, Unclear> {
        let name = deployment.name_any();
        let selector = deployment
            .spec
            .as_ref()
            .and_then(|s| s.selector.match_labels.clone());
        let Some(selector) = selector.filter(|s| !s.is_empty() && !self.has_service(&name)) else {
            return Err(with_hint(
                anyhow!(
                    "deploy/{name} cannot be told apart from the other pods of svc/{}",
                    self.called
                ),
                "give each version's pods a `version` label, or each version a Service",
            )
            .into());
        };
        let ports = self
            .service(&self.called)
            .and_then(|s| s.spec.as_ref()?.ports.clone());
        let mut ports = ports.unwrap_or_default();
        for port in &mut ports {
            port.node_port = None;
        }
        let service = json!({
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": { "app.kubernetes.io/managed-by": names::MANAGER },
            },
            "spec": { "selector": selector, "ports": ports },
        });
        let service = serde_json::from_value(service).map_err(anyhow::Error::from)?;
        Ok(Side::Made(Box::new(service)))
    }

    /// The deployments whose pods the called service leads to.
    fn behind(&self) -> impl Iterator<Item = &Deployment> {
        let leads = |d: &&Deployment| self.leading_to(d).contains(&self.called);
        self.deployments.iter().filter(leads)
    }

    /// What the called service's versions are called.
    fn versions(&self) -> Vec<String> {
        let mut all: Vec<String> = if self.subsets.is_empty() {
            self.behind().filter_map(|d| self.version_of(d)).collect()
        } else {
            self.subsets.iter().map(|(name, _)| name.clone()).collect()
        };
        all.sort();
        all.dedup();
        all
    }

    /// The subset that a deployment's pods form.
    fn version_of(&self, deployment: &Deployment) -> Option<String> {
        let labels = labels(deployment);
        if self.subsets.is_empty() {
            return labels.get("version").cloned();
        }
        let is = |(_, wanted): &&(String, BTreeMap<String, String>)| {
            !wanted.is_empty() && wanted.iter().all(|(k, v)| labels.get(k) == Some(v))
        };
        self.subsets.iter().find(is).map(|(name, _)| name.clone())
    }

    /// Services whose selector takes the deployment's pods.
    fn leading_to(&self, deployment: &Deployment) -> Vec<String> {
        let labels = labels(deployment);
        let leads = |service: &&Service| {
            let selector = service.spec.as_ref().and_then(|s| s.selector.as_ref());
            selector.is_some_and(|s| !s.is_empty() && s.iter().all(|(k, v)| labels.get(k) == Some(v)))
        };
        self.services
            .iter()
            .filter(leads)
            .map(ResourceExt::name_any)
            .collect()
    }

    fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name_any() == name)
    }

    fn has_service(&self, name: &str) -> bool {
        self.service(name).is_some()
    }

    fn deployment(&self, name: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|d| d.name_any() == name)
    }

    fn no_service(&self, name: &str) -> anyhow::Error {
        let there: Vec<String> = self
            .services
            .iter()
            .map(|s| format!("svc/{}", s.name_any()))
            .collect();
        with_hint(
            anyhow!("there is no service {name} in namespace {}", self.namespace),
            format!("services there are: {}", there.join(", ")),
        )
    }
}

/// The labels of a deployment's pods.
fn labels(deployment: &Deployment) -> BTreeMap<String, String> {
    let template = deployment.spec.as_ref().map(|s| &s.template);
    let labels = template.and_then(|t| t.metadata.as_ref()?.labels.clone());
    labels.unwrap_or_default()
}

#[cfg(test)]
mod tests;
