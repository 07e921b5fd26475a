//! The command line from the first install to the last uninstall, on one cluster.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn from_install_to_uninstall() -> Result<()> {
    let cluster = Cluster::start("life")?;
    let json = |args: &[&str]| -> Result<Value> {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        serde_json::from_str(&cluster.meshctl(&all)?).with_context(|| format!("{args:?} prints no JSON"))
    };
    cluster.meshctl(&["check", "--pre"])?;
    cluster.meshctl(&["install", "--set", "controller.logLevel=debug"])?;
    let again = cluster.output(&["install"])?;
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(
        again.status.success() && said.contains("nothing had to be changed"),
        "the second install: {said}"
    );
    let level = cluster.kubectl(&[
        "-n",
        "mesh-system",
        "get",
        "deploy/mesh-controller",
        "-o",
        r#"jsonpath={.spec.template.spec.containers[0].env[?(@.name=="MESH_LOG")].value}"#,
    ])?;
    ensure!(level == "debug", "what was chosen is forgotten: {level}");

    let image = json(&["version"])?;
    let file = tempfile::NamedTempFile::new()?;
    let image = image["image"].as_str().context("no image")?;
    cluster.objects.apply(&manifests::namespace("life", false))?;
    let workloads = [
        manifests::account("life", "server"),
        manifests::service("life", "server", "server", "http"),
        App::server("server").account("server").deployment("life", image),
        App::client("caller", "http://server.life/", 20).deployment("life", image),
    ];
    std::fs::write(file.path(), workloads.concat())?;
    cluster.kubectl(&["apply", "-f", &file.path().to_string_lossy()])?;
    let injected = cluster.meshctl(&["inject", "ns/life"])?;
    ensure!(injected.contains("√ deploy/server injected"), "{injected}");

    identity(&cluster)?;
    modes(&cluster)?;
    let seen = eventually(LIMIT, || {
        let rows = json(&["stat", "svc/server", "-n", "life"])?;
        let row = rows.get(0).context("no figures yet")?.clone();
        ensure!(row["p99"].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
        Ok(row)
    })?;
    ensure!(seen["name"] == "server" && seen["success"] == 1.0, "{seen}");
    let described = cluster.meshctl(&["describe", "svc/server", "-n", "life"])?;
    ensure!(
        described.contains("STRICT for its namespace") && described.contains("peerauthentication/default"),
        "{described}"
    );
    let proxies = json(&["proxy", "status", "-n", "life"])?;
    ensure!(proxies.as_array().is_some_and(|p| p.len() == 2), "{proxies}");
    let config = json(&["proxy", "config", "deploy/caller", "-n", "life"])?;
    ensure!(config["connected"] == true, "{config}");
    cluster.meshctl(&["proxy", "log-level", "deploy/caller", "debug", "-n", "life"])?;
    eventually(LIMIT, || {
        let log = cluster.meshctl(&["proxy", "logs", "deploy/caller", "-n", "life", "--tail", "200"])?;
        ensure!(log.contains("DEBUG"), "the sidecar does not log more: {log}");
        Ok(())
    })?;
    cluster.meshctl(&["check", "--proxy", "--wait", "20s"])?;

    upgrade(&cluster)?;
    end(&cluster)
}

fn identity(cluster: &Cluster) -> Result<()> {
    let shown = cluster.meshctl(&["identity", "deploy/server", "-n", "life"])?;
    ensure!(
        shown.contains("spiffe://cluster.local/ns/life/sa/server")
            && shown.contains("√ by the mesh's anchors"),
        "{shown}"
    );
    Ok(())
}

/// What is declared is what good and bad connections meet, before and after plaintext is refused.
fn modes(cluster: &Cluster) -> Result<()> {
    let probe = |mode: &str| {
        eventually(LIMIT, || {
            // Probes are no calls: that plaintext was taken as declared is no reason to answer no.
            let text = cluster.meshctl(&["mtls", "verify", "--probe", "-n", "life"])?;
            let want = format!("deploy/server port 8080 ({mode})");
            ensure!(
                text.contains(&want) && text.contains("ended as declared"),
                "not {mode} yet:\n{text}"
            );
            Ok(text)
        })
    };
    let before = probe("PERMISSIVE")?;
    ensure!(before.contains("√ plaintext: accepted as declared"), "{before}");
    cluster.meshctl(&["mtls", "strict", "ns/life", "--yes"])?;
    let after = probe("STRICT")?;
    for way in ["plaintext", "no client certificate", "foreign CA"] {
        ensure!(
            after.contains(&format!("√ {way}: refused as declared")),
            "{after}"
        );
    }
    ensure!(
        after.contains("√ valid certificate: accepted as declared"),
        "{after}"
    );
    Ok(())
}

/// With a sidecar that pretends to be old: it is found and restarted, and the mesh keeps its identity.
fn upgrade(cluster: &Cluster) -> Result<()> {
    let pod = cluster.kubectl(&[
        "-n",
        "life",
        "get",
        "pods",
        "-l",
        "app=server",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ])?;
    cluster.kubectl(&[
        "-n",
        "life",
        "annotate",
        "--overwrite",
        "pod",
        &pod,
        "meshctl.io/proxy-version=0.0.1",
    ])?;
    let issuer = issuer(cluster)?;
    let done = cluster.meshctl(&["upgrade", "--restart-workloads"])?;
    ensure!(
        done.contains("deploy/server")
            && done.contains("0.0.1")
            && done.contains("√ deploy/server in life restarted"),
        "{done}"
    );
    ensure!(
        issuer == self::issuer(cluster)?,
        "the upgrade has changed the mesh's identity"
    );
    Ok(())
}

fn issuer(cluster: &Cluster) -> Result<String> {
    cluster.kubectl(&[
        "-n",
        "mesh-system",
        "get",
        "secret/mesh-identity-issuer",
        "-o",
        r"jsonpath={.data.tls\.crt}",
    ])
}

/// Nothing of the mesh is left, and everything else is.
fn end(cluster: &Cluster) -> Result<()> {
    let refused = cluster.output(&["uninstall", "--yes"])?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(1) && why.contains("life/server-"),
        "{why}"
    );
    cluster.meshctl(&["uninject", "ns/life"])?;
    cluster.meshctl(&["uninstall", "--yes"])?;
    let label = "app.kubernetes.io/managed-by=meshctl";
    for kind in [
        "crd",
        "clusterrole",
        "clusterrolebinding",
        "mutatingwebhookconfiguration",
        "apiservice",
        "namespace",
    ] {
        let left = cluster.kubectl(&["get", kind, "-l", label, "-o", "name"])?;
        // Of Istio's PeerAuthentication there is an object that we did not make for ourselves.
        let left: Vec<&str> = left
            .lines()
            .filter(|l| !l.contains("peerauthentications"))
            .collect();
        ensure!(left.is_empty(), "left over: {left:?}");
    }
    let there = cluster.kubectl(&["-n", "life", "get", "deploy,svc", "-o", "name"])?;
    ensure!(there.lines().count() == 3, "{there}");
    Ok(())
}
