//! Restarts and upgrades while requests come in steadily: not one of them may fail.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(2);

/// Services of one replica that are restarted, and callers that are not: by GET, by POST, and by gRPC through a server of
/// their own. What is called by POST lingers when it is told to end, as such apps must: a request that may not be sent
/// twice is lost when its connection is closed in the moment it arrives, whoever carries it.
fn apps() -> [App; 7] {
    [
        App::server("ledger").with("--linger 2s"),
        App::server("server").with("--delay 5ms"),
        App::server("grpc").with("--protocol grpc"),
        App::server("front").with("--call grpc://grpc.load:80"),
        App::client("getter", "http://server.load/", 20),
        App::client("poster", "http://ledger.load/", 20).with("--body hello"),
        App::client("streamer", "http://front.load/", 10),
    ]
}

const SERVICES: [(&str, &str); 4] = [
    ("server", "http"),
    ("ledger", "http"),
    ("grpc", "grpc"),
    ("front", "http"),
];
const RESTARTED: [&str; 3] = ["server", "ledger", "grpc"];
const CALLERS: [&str; 3] = ["getter", "poster", "streamer"];

#[test]
fn no_request_fails_while_workloads_restart_and_the_mesh_is_upgraded() -> Result<()> {
    let cluster = Cluster::start("load")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    cluster.objects.apply(&manifests::namespace("load", true))?;
    for (name, port) in SERVICES {
        cluster
            .objects
            .apply(&manifests::service("load", name, name, port))?;
    }
    for app in apps() {
        cluster.objects.apply(&app.deployment("load", &image))?;
    }
    for (name, _) in SERVICES {
        cluster.objects.rolled_out("load", name)?;
    }
    for name in CALLERS {
        cluster.objects.rolled_out("load", name)?;
    }
    // What failed before everything was there is not what this is about.
    let before = eventually(LIMIT, || {
        let counted = counted(&cluster)?;
        ensure!(
            counted.iter().all(|c| c.good > 20),
            "too little traffic yet: {counted:?}"
        );
        Ok(counted)
    })?;

    for name in RESTARTED {
        restart(&cluster, name)?;
        cluster.objects.rolled_out("load", name)?;
    }
    for name in RESTARTED {
        pretend_old(&cluster, name)?;
    }
    // The control plane is replaced, too.
    let done = cluster.meshctl(&[
        "upgrade",
        "--restart-workloads",
        "--set",
        "controller.logLevel=debug",
    ])?;
    for name in RESTARTED {
        ensure!(
            done.contains(&format!("√ deploy/{name} in load restarted")),
            "{done}"
        );
    }

    eventually(LIMIT, || {
        let now = counted(&cluster)?;
        let more = now
            .iter()
            .zip(&before)
            .all(|(now, before)| now.good > before.good + 100);
        ensure!(more, "too little traffic: {before:?}, then {now:?}");
        Ok(())
    })?;
    let after = counted(&cluster)?;
    for (caller, (before, after)) in CALLERS.iter().zip(before.iter().zip(&after)) {
        ensure!(
            after.bad == before.bad,
            "{caller} lost {} of {} requests: {:?}",
            after.bad - before.bad,
            after.good + after.bad - before.good - before.bad,
            after.words
        );
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Counted {
    good: u64,
    bad: u64,
    /// Seconds in which something failed.
    words: Vec<String>,
}

/// What the callers say of their answers, so far.
fn counted(cluster: &Cluster) -> Result<Vec<Counted>> {
    CALLERS
        .iter()
        .map(|caller| {
            let log = cluster.objects.log("load", &format!("app={caller}"), "app")?;
            let mut all = Counted::default();
            for line in log.lines().filter(|l| l.starts_with('{')) {
                let second: Value = serde_json::from_str(line)?;
                let statuses = second["statuses"].as_object().context("no statuses")?;
                for (status, n) in statuses {
                    let n = n.as_u64().unwrap_or_default();
                    if status == "200" {
                        all.good += n;
                    } else {
                        all.bad += n;
                        all.words.push(line.to_owned());
                    }
                }
            }
            Ok(all)
        })
        .collect()
}

/// What `kubectl rollout restart` does.
fn restart(cluster: &Cluster, name: &str) -> Result<()> {
    let at = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_nanos();
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {
        "kubectl.kubernetes.io/restartedAt": at.to_string()
    }}}}});
    cluster
        .objects
        .merge(("apps/v1", "Deployment"), "load", name, &patch)
}

/// Has a workload's pods say that their sidecar is of an old version.
fn pretend_old(cluster: &Cluster, name: &str) -> Result<()> {
    for pod in cluster.objects.pods("load", &format!("app={name}"))? {
        let pod = pod["metadata"]["name"].as_str().context("a pod without a name")?;
        let patch = json!({"metadata": {"annotations": {"meshctl.io/proxy-version": "0.0.1"}}});
        cluster.objects.merge(("v1", "Pod"), "load", pod, &patch)?;
    }
    Ok(())
}
