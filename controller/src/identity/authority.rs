//! The issuer in force, behind a handle that the watch on its Secret swaps.

use std::sync::{Arc, atomic::Ordering};

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{watcher, watcher::Event},
};
use mesh_api::names;
use mesh_net::tls::{Anchors, Trust};
use tokio::sync::watch;

use super::issuer::Issuer;
use crate::{metrics::Metrics, patience::Patience, settings::Settings};

/// A shared handle; empty until the Secret has been read once.
#[derive(Clone, Debug)]
pub struct Authority {
    issuer: Arc<ArcSwapOption<Issuer>>,
    trust: Arc<ArcSwapOption<Trust>>,
    changed: watch::Sender<u64>,
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            issuer: Arc::default(),
            trust: Arc::default(),
            changed: watch::channel(0).0,
        }
    }
}

impl Authority {
    pub fn current(&self) -> Option<Arc<Issuer>> {
        self.issuer.load_full()
    }

    /// Anchors for handshakes; follows every later change.
    pub fn trust(&self) -> Option<Trust> {
        self.trust.load_full().map(|t| (*t).clone())
    }

    pub fn set(&self, issuer: Issuer) {
        let anchors: Anchors = issuer.anchors().clone();
        match self.trust.load_full() {
            Some(trust) => {
                trust.set(anchors);
            }
            None => self.trust.store(Some(Arc::new(Trust::new(anchors)))),
        }
        self.issuer.store(Some(Arc::new(issuer)));
        self.changed.send_modify(|n| *n += 1);
    }

    /// Resolves when there is an issuer, and wakes at every later one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub async fn ready(&self) {
        let mut changes = self.subscribe();
        while self.current().is_none() && changes.changed().await.is_ok() {}
    }
}

/// Follows the issuer Secret for ever.
pub async fn follow(client: Client, settings: Settings, authority: Authority, metrics: Arc<Metrics>) {
    let api: Api<Secret> = Api::namespaced(client, &settings.mesh_namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={}", names::ISSUER_SECRET));
    let mut patience = Patience::default();
    let mut events = std::pin::pin!(watcher(api, only));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(secret) | Event::InitApply(secret)) => {
                patience.reset();
                take(&secret, &settings, &authority, &metrics);
            }
            // A deleted Secret changes nothing: the issuer in memory goes on until there is another.
            Ok(_) => patience.reset(),
            Err(error) => {
                tracing::warn!(%error, "cannot watch the issuer secret");
                tokio::time::sleep(patience.next()).await;
            }
        }
    }
}

fn take(secret: &Secret, settings: &Settings, authority: &Authority, metrics: &Metrics) {
    if secret.metadata.name.as_deref() != Some(names::ISSUER_SECRET) {
        return;
    }
    let data = secret.data.clone().unwrap_or_default();
    match Issuer::from_secret(&data, &settings.trust_domain) {
        Ok(issuer) => {
            tracing::info!(not_after = issuer.not_after(), "issuer loaded");
            metrics
                .issuer_not_after
                .store(issuer.not_after(), Ordering::Relaxed);
            authority.set(issuer);
        }
        Err(error) => tracing::error!(
            %error,
            "secret {}/{} is not usable; the issuer in force stays",
            settings.mesh_namespace,
            names::ISSUER_SECRET
        ),
    }
}
