//! Golden signals against a count that a client keeps for itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{Cluster, eventually};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(1);

/// One answer in twenty fails, one in thirty takes much longer: every figure has something to say.
const WORKLOADS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: golden, labels: {meshctl.io/inject: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: golden}
spec:
  selector: {app: server}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: golden}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      containers:
      - name: app
        image: IMAGE
        args: [app, server, --port, "8080", --name, server, --delay, 150ms, --fail-percent, "5"]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
"#;

const CALLER: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: golden}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {app: NAME}}
    spec:
      restartPolicy: Never
      containers:
      - name: app
        image: IMAGE
        args: [app, client, --url, "http://server.golden/", --rate, "40", --count, "1000", -o, json]
"#;

#[test]
fn figures_agree_with_what_a_client_counts() -> Result<()> {
    let cluster = Cluster::start("golden")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    cluster.objects.apply(&WORKLOADS.replace("IMAGE", &image))?;
    cluster.objects.rolled_out("golden", "server")?;
    let fault = [
        "fault",
        "inject",
        "svc/server",
        "-n",
        "golden",
        "--delay",
        "300ms",
        "--percent",
        "4",
        "--duration",
        "10m",
    ];
    cluster.meshctl(&fault)?;

    // What else the machine is busy with is not the mesh's to answer for: one good run is enough.
    let mut last = String::new();
    for run in ["one", "two", "three"] {
        cluster
            .objects
            .apply(&CALLER.replace("NAME", run).replace("IMAGE", &image))?;
        let (client, mesh) = counted(&cluster, run)?;
        exact(&client, &mesh)?;
        match percentiles(&client, &mesh) {
            Ok(()) => return Ok(()),
            Err(error) => last = format!("{error:#}"),
        }
    }
    anyhow::bail!("{last}")
}

/// What a client has counted, and what `meshctl stat` says of the same requests.
fn counted(cluster: &Cluster, run: &str) -> Result<(Value, Value)> {
    let client = eventually(LIMIT, || {
        let log = cluster.objects.log("golden", &format!("app={run}"), "app")?;
        let line = log
            .lines()
            .find(|l| l.starts_with('{'))
            .context("the client is not done yet")?;
        Ok(serde_json::from_str::<Value>(line)?)
    })?;
    let mesh = eventually(LIMIT, || {
        let from = format!("job/{run}");
        let words = [
            "stat",
            "svc/server",
            "-n",
            "golden",
            "--from",
            &from,
            "-t",
            "2m",
            "-o",
            "json",
        ];
        let rows: Value = serde_json::from_str(&cluster.meshctl(&words)?)?;
        let row = rows.get(0).context("no figures yet")?.clone();
        ensure!(
            row["requests"].as_u64() >= client["requests"].as_u64(),
            "not all is reported yet: {row}"
        );
        Ok(row)
    })?;
    Ok((client, mesh))
}

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name]
        .as_f64()
        .with_context(|| format!("no {name}: {value}"))
}

/// `slack`: by how much the client itself may be wrong.
fn near(what: &str, client: f64, mesh: f64, allowed: f64, slack: f64) -> Result<()> {
    let off = (mesh - client).abs();
    ensure!(
        off <= client * allowed + slack,
        "{what}: the client says {client}, the mesh {mesh}: {:.2} % off, and the client's own slack is {slack}",
        off / client * 100.0
    );
    Ok(())
}

/// Rate and success, within one in a hundred.
fn exact(client: &Value, mesh: &Value) -> Result<()> {
    let requests = number(client, "requests")?;
    near("requests", requests, number(mesh, "requests")?, 0.01, 0.0)?;
    let good = client["statuses"]["200"].as_f64().context("nothing succeeded")?;
    near("success", good / requests, number(mesh, "success")?, 0.01, 0.0)
}

/// Within three in a hundred, and the time that the client was kept from running: once for the request, once for the
/// answer.
fn percentiles(client: &Value, mesh: &Value) -> Result<()> {
    let slack = 2.0 * number(client, "lag")?;
    for name in ["p50", "p95", "p99"] {
        near(name, number(client, name)?, number(mesh, name)?, 0.03, slack)?;
    }
    Ok(())
}
