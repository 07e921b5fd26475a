//! Golden signals against a count that a client keeps for itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn figures_agree_with_what_a_client_counts() -> Result<()> {
    let cluster = Cluster::start("golden")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    // One answer in twenty fails, one in thirty takes much longer: every figure has something to say.
    let server = App::server("server").with("--delay 150ms --fail-percent 5");
    let around = [
        manifests::namespace("golden", true),
        manifests::service("golden", "server", "server", "http"),
    ];
    cluster.objects.apply(&around.concat())?;
    cluster.objects.apply(&server.deployment("golden", &image))?;
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
        let caller = App::client(run, "http://server.golden/", 40).with("--count 1000");
        cluster.objects.apply(&caller.job("golden", &image))?;
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
