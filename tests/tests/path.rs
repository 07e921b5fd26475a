//! The product's backbone, step by step: sandbox, install, injection, a call over mutual TLS, golden signals.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn a_call_between_two_injected_pods_is_secured_and_seen() -> Result<()> {
    let cluster = Cluster::start("path")?;
    cluster.meshctl(&["install"])?;
    cluster.meshctl(&["check"])?;
    let objects = &cluster.objects;
    let image = cluster.image()?;
    let workloads = [
        manifests::namespace("path", true),
        manifests::account("path", "server"),
        manifests::account("path", "caller"),
        manifests::service("path", "server", "server", "http"),
        App::server("server")
            .version("v1")
            .account("server")
            .deployment("path", &image),
        App::client("caller", "http://server.path/", 20)
            .account("caller")
            .deployment("path", &image),
    ];
    objects.apply(&workloads.concat())?;
    for deployment in ["server", "caller"] {
        objects.rolled_out("path", deployment)?;
    }
    for app in ["app=server", "app=caller"] {
        let pod = &objects.pods("path", app)?[0];
        let inits = pod["spec"]["initContainers"]
            .as_array()
            .context("no init containers")?;
        ensure!(
            inits.iter().any(|c| c["name"] == "mesh-proxy"),
            "no sidecar in {app}: {inits:?}"
        );
    }

    let seen = eventually(LIMIT, || {
        let log = objects.log("path", "app=server", "app")?;
        log.lines()
            .find(|l| l.contains("sa/caller"))
            .map(str::to_owned)
            .context("no call with an identity yet")
    })?;
    ensure!(
        seen.contains("spiffe://cluster.local/ns/path/sa/caller"),
        "{seen}"
    );

    eventually(LIMIT, || {
        let edges: Value = serde_json::from_str(&cluster.meshctl(&["edges", "-n", "path", "-o", "json"])?)?;
        let edge = edges["items"]
            .as_array()
            .and_then(|items| items.iter().find(|e| e["source"]["workload"] == "deploy/caller"))
            .context("the edge is not reported yet")?;
        ensure!(edge["tls"]["version"] == "TLS 1.3", "{edge}");
        ensure!(
            edge["destination"]["identity"] == "spiffe://cluster.local/ns/path/sa/server",
            "{edge}"
        );
        ensure!(edge["success"] == 1.0, "{edge}");
        ensure!(edge["p99"].as_f64().is_some_and(|ms| ms > 0.0), "{edge}");
        Ok(())
    })?;
    let top = cluster.meshctl(&["top", "-n", "path", "--once"])?;
    ensure!(top.contains("deploy/caller") && top.contains("100"), "{top}");
    cluster.meshctl(&["mtls", "verify", "-n", "path"])?;
    eventually(LIMIT, || {
        let proxies: Value =
            serde_json::from_str(&cluster.meshctl(&["proxy", "status", "-n", "path", "-o", "json"])?)?;
        let server = proxies
            .as_array()
            .and_then(|all| all.iter().find(|p| p["workload"] == "deploy/server"));
        let server = server.context("the server's sidecar is not known")?;
        let added = server["addedMillis"]
            .as_f64()
            .context("nothing is known of what the mesh adds")?;
        ensure!(added > 0.0 && added < 100.0, "{server}");
        ensure!(
            server["memoryBytes"].as_u64().is_some_and(|m| m > 1 << 20),
            "{server}"
        );
        Ok(())
    })?;
    Ok(())
}
