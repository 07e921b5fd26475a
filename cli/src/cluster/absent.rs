//! What is said of things that are not there: perhaps not even their namespace is. Whoever mistypes a name should not be
//! told that all is well, nor that there is nothing.

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::{ResourceExt, api::ListParams};
use mesh_api::names;

use super::Cluster;
use crate::{
    errors::{is_not_found, render, with_hint},
    printer::Printer,
    units,
};

impl Cluster {
    /// Fails where a namespace is known not to be there; not everybody may look.
    pub async fn require_namespace(&self, name: &str) -> Result<()> {
        let found = self.all::<Namespace>().get_metadata_opt(name).await;
        if matches!(found, Ok(None)) {
            return Err(self.no_namespace(name).await);
        }
        Ok(())
    }

    /// That a namespace is not there, with those that are.
    pub async fn no_namespace(&self, name: &str) -> anyhow::Error {
        let list = self
            .all::<Namespace>()
            .list_metadata(&ListParams::default())
            .await;
        let there = list.map(|l| l.items).unwrap_or_default();
        let mut names: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
        names.sort();
        let hint = match &names[..] {
            [] => "-n chooses another namespace".to_owned(),
            names => format!("namespaces there are: {}", units::listed(names)),
        };
        with_hint(anyhow!("there is no namespace {name}"), hint)
    }

    /// Fails where the mesh's controller does not answer: nobody would do what is asked for.
    pub async fn require_controller(&self) -> Result<()> {
        let path = format!("/apis/{}/{}", names::TELEMETRY_GROUP, names::TELEMETRY_VERSION);
        let request = http::Request::get(path).body(Vec::new())?;
        match self.client.request::<serde_json::Value>(request).await {
            Err(error) if is_away(&error) => Err(away(error)),
            // Who may not ask finds out otherwise.
            _ => Ok(()),
        }
    }

    /// For what is written down now and done as soon as somebody is there to do it.
    pub async fn tell_when_nobody_acts(&self, printer: &Printer) {
        if let Err(error) = self.require_controller().await {
            let mut lines = render(&error).into_iter();
            let why = lines.next().unwrap_or_default();
            printer.warn(format!("this has no effect before the mesh is back: {why}"));
            lines.for_each(|hint| printer.say(hint));
        }
    }

    /// That something is not in a namespace.
    pub async fn absent(&self, what: &str, namespace: &str) -> anyhow::Error {
        match self.require_namespace(namespace).await {
            Err(error) => error,
            Ok(()) => with_hint(
                anyhow!("there is no {what} in namespace {namespace}"),
                "-n chooses another namespace",
            ),
        }
    }
}

/// Whether the API server knows of nobody who answers for the mesh.
pub(super) fn is_away(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 503))
}

/// That the mesh's controller does not answer.
pub(super) fn away(error: kube::Error) -> anyhow::Error {
    if is_not_found(&error) {
        return with_hint(
            anyhow!("the mesh is not installed in this cluster"),
            "`meshctl install` installs it",
        );
    }
    with_hint(
        anyhow::Error::new(error).context("the mesh's controller does not answer"),
        "`meshctl check` says what is wrong",
    )
}
