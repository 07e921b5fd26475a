//! Makes a new snapshot when what it is made from has changed, several changes at a time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    cluster::Cluster,
    metrics::{Metrics, count},
    model::{Objects, Snapshot},
    settings::Settings,
};

/// Changes come in bursts (a rollout, a list); this long is waited for the rest of one.
const COALESCE: Duration = Duration::from_millis(20);

/// The snapshot in force; `None` until the caches are complete.
pub type Current = watch::Receiver<Option<Arc<Snapshot>>>;

/// Rebuilds for ever; ends when nobody listens.
pub async fn rebuild(
    cluster: Cluster,
    settings: Settings,
    current: watch::Sender<Option<Arc<Snapshot>>>,
    metrics: Arc<Metrics>,
) {
    let mut changes = cluster.model_changes();
    loop {
        changes.mark_unchanged();
        let mut wait = Duration::from_hours(1);
        if cluster.is_synced() {
            let now = Timestamp::now().as_millisecond();
            let snapshot = Snapshot::build(&objects(&cluster, &settings, now));
            if let Some(expiry) = snapshot.next_expiry() {
                wait = wait.min(Duration::from_millis((expiry - now).max(1).unsigned_abs()));
            }
            count(&metrics.snapshots);
            current.send_replace(Some(Arc::new(snapshot)));
        } else {
            wait = COALESCE;
        }
        tokio::select! {
            woken = changes.changed() => if woken.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
        tokio::time::sleep(COALESCE).await;
    }
}

fn objects(cluster: &Cluster, settings: &Settings, now_ms: i64) -> Objects {
    Objects {
        trust_domain: settings.trust_domain.clone(),
        mesh_namespace: settings.mesh_namespace.clone(),
        now_ms,
        tracing: settings.tracing.clone(),
        services: cluster.services.all(),
        slices: cluster.slices.all(),
        pods: cluster.pods.all(),
        nodes: cluster.nodes.all(),
        http_routes: cluster.http_routes.all(),
        grpc_routes: cluster.grpc_routes.all(),
        tls_routes: cluster.tls_routes.all(),
        tcp_routes: cluster.tcp_routes.all(),
        faults: cluster.faults.all(),
        rate_limits: cluster.rate_limits.all(),
        defaults: cluster.defaults.all(),
        virtual_services: cluster.virtual_services.all(),
        destination_rules: cluster.destination_rules.all(),
        authorization_policies: cluster.authorization_policies.all(),
        peer_authentications: cluster.peer_authentications.all(),
        request_authentications: cluster.request_authentications.all(),
        key_sets: cluster.keys.all(),
        service_entries: cluster.service_entries.all(),
        sidecars: cluster.sidecars.all(),
        telemetries: cluster.telemetries.all(),
        resolved: cluster.names.all(),
    }
}
