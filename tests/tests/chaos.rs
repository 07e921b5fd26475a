//! What callers feel when the control plane dies: nothing. A steady load goes on while the controller is away, while the
//! API server does not answer, and while certificates of a minute are renewed again and again.
//!
//! `MESH_CHAOS_SECONDS` says how long each is away, `MESH_CHAOS_RATE` how many requests there are in a second; 15 and
//! 500 when they are not set.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(2);
const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");

const MOVED: &str = r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: chaos}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: next}}]}]
";

fn chosen(variable: &str, usual: u64) -> u64 {
    let chosen = std::env::var(variable).ok();
    chosen.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn away() -> Duration {
    Duration::from_secs(chosen("MESH_CHAOS_SECONDS", 15))
}

/// A mesh in which a caller gets answers so many times a second.
fn under_load(name: &str, install: &[&str], rate: u64) -> Result<Cluster> {
    let cluster = Cluster::start(name)?;
    cluster.meshctl(&[&["install"], install].concat())?;
    let image = cluster.image()?;
    let objects = &cluster.objects;
    objects.apply(&manifests::namespace("chaos", true))?;
    for (name, version, replicas) in [("web", "v1", 2), ("next", "v2", 1)] {
        let server = App::server(name).version(version).replicas(replicas);
        objects.apply(&manifests::service("chaos", name, name, "http"))?;
        objects.apply(&server.deployment("chaos", &image))?;
    }
    for deployment in ["web", "next"] {
        objects.rolled_out("chaos", deployment)?;
    }
    let service = objects
        .get(("v1", "Service"), "chaos", "web")?
        .context("no service")?;
    let address = service["spec"]["clusterIP"].as_str().context("no address")?;
    // By the service's address: names are another server's business.
    let caller = App::client("caller", &format!("http://{address}/"), u32::try_from(rate)?);
    objects.apply(&caller.deployment("chaos", &image))?;
    objects.rolled_out("chaos", "caller")?;
    eventually(LIMIT, || {
        let all = objects.counted_all("chaos", "caller")?;
        ensure!(all.status("200") > rate, "no load yet: {all:?}");
        Ok(())
    })?;
    Ok(cluster)
}

/// Every request since the beginning was answered, and there were so many at least.
fn nothing_was_lost(cluster: &Cluster, at_least: u64) -> Result<()> {
    // The API server may still be catching its breath.
    let all = eventually(LIMIT, || cluster.objects.counted_all("chaos", "caller"))?;
    ensure!(
        all.status("200") == all.requests && all.requests >= at_least,
        "of {at_least} requests or more: {all:?}"
    );
    Ok(())
}

/// Without anybody to ask: it goes on from what the one before it was told.
fn a_sidecar_starts_again(cluster: &Cluster) -> Result<()> {
    let pod = || {
        let pods = cluster.objects.pods("chaos", "app=next")?;
        pods.into_iter().next().context("no pod")
    };
    let starts = |pod: &Value| -> Option<(u64, bool)> {
        let all = pod["status"]["initContainerStatuses"].as_array()?;
        let sidecar = all.iter().find(|c| c["name"] == "mesh-proxy")?;
        Some((sidecar["restartCount"].as_u64()?, sidecar["ready"] == true))
    };
    let before = pod()?;
    let (count, _) = starts(&before).with_context(|| format!("no sidecar: {}", before["status"]))?;
    let name = before["metadata"]["name"]
        .as_str()
        .context("a pod without a name")?;
    cluster.objects.restart_sidecar("chaos", name)?;
    eventually(LIMIT, || {
        let now = pod()?;
        ensure!(
            starts(&now) == Some((count + 1, true)),
            "the sidecar is not back: {}",
            now["status"]["initContainerStatuses"]
        );
        Ok(())
    })
}

#[test]
fn services_go_on_without_a_control_plane() -> Result<()> {
    let rate = chosen("MESH_CHAOS_RATE", 500);
    let cluster = under_load("chaos", &[], rate)?;
    let objects = &cluster.objects;
    eprintln!("under load");
    let before = objects.counted_all("chaos", "caller")?.requests;

    // The controller dies without a farewell, and stays away.
    objects.merge(
        DEPLOYMENT,
        "mesh-system",
        "mesh-controller",
        &json!({"spec": {"replicas": 0}}),
    )?;
    for pod in objects.pods("mesh-system", "app.kubernetes.io/name=mesh-controller")? {
        let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
        // It may have ended by itself by now.
        let _ = objects.kill_pod("mesh-system", name);
    }
    eventually(LIMIT, || {
        let left = objects.pods("mesh-system", "app.kubernetes.io/name=mesh-controller")?;
        ensure!(left.is_empty(), "{} controllers are left", left.len());
        Ok(())
    })?;
    eprintln!("without a controller");
    a_sidecar_starts_again(&cluster)?;
    sleep(away());
    nothing_was_lost(&cluster, before + away().as_secs() * rate / 4)?;
    objects.merge(
        DEPLOYMENT,
        "mesh-system",
        "mesh-controller",
        &json!({"spec": {"replicas": 1}}),
    )?;
    objects.rolled_out("mesh-system", "mesh-controller")?;

    // The API server does not answer.
    eprintln!("without an API server");
    if cluster.freeze(true)? {
        sleep(away());
        cluster.freeze(false)?;
    }
    nothing_was_lost(&cluster, before)?;
    eprintln!("with both again");

    // And what is declared afterwards arrives.
    objects.apply(MOVED)?;
    eventually(LIMIT, || {
        let last = objects.counted("chaos", "caller", rate)?;
        ensure!(last.only("v2"), "the change has not come: {last:?}");
        Ok(())
    })?;
    nothing_was_lost(&cluster, before)
}

#[test]
fn certificates_of_a_minute_are_renewed_under_load() -> Result<()> {
    let cluster = under_load("minute", &["--set", "certificateLifetime=1m"], 200)?;
    let expiries = || -> Result<Vec<i64>> {
        let list = cluster.meshctl(&["proxy", "status", "-n", "chaos", "-o", "json"])?;
        let list: Value = serde_json::from_str(&list)?;
        let items = list.as_array().or_else(|| list["items"].as_array());
        let ends = items.context("no list of proxies")?.iter();
        let ends: Vec<i64> = ends
            .filter_map(|p| p["certificateNotAfter"].as_i64().filter(|end| *end > 0))
            .collect();
        ensure!(ends.len() == 4, "of four proxies only {} say", ends.len());
        Ok(ends)
    };
    let first = eventually(LIMIT, expiries)?;
    let newest = first.iter().max().copied().unwrap_or_default();
    eventually(LIMIT, || {
        let now = expiries()?;
        // Beyond the life of every certificate that there was in the beginning.
        ensure!(
            now.iter().all(|end| *end > newest + 30),
            "{now:?} after {first:?}"
        );
        Ok(())
    })?;
    nothing_was_lost(&cluster, 200 * 10)
}
