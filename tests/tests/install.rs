//! Installations that do not go as planned: broken off, or begun twice at once. Nothing is lost, and the next run ends it.

use std::{
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use mesh_tests::{Cluster, eventually, success};

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn an_installation_broken_off_anywhere_is_finished_by_the_next() -> Result<()> {
    let cluster = Cluster::start("broken-off")?;
    let mut first = None;
    for after in [50, 300, 800, 1500, 3000] {
        let mut install = begin(&cluster)?;
        thread::sleep(Duration::from_millis(after));
        install.kill()?;
        install.wait()?;
        // The identity is made once, however often an installation is begun.
        let now = issuer(&cluster)?;
        ensure!(
            first.is_none() || now == first,
            "the mesh's identity has changed after {after} ms"
        );
        first = now;
    }
    cluster.meshctl(&["install"])?;
    let issuer = issuer(&cluster)?;
    ensure!(
        issuer.is_some() && (first.is_none() || issuer == first),
        "the mesh's identity has changed"
    );
    eventually(LIMIT, || cluster.meshctl(&["check"]))?;

    // What is broken off in the middle of a removal is finished likewise.
    let mut remove = cluster
        .command(&["uninstall", "--yes"])?
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    thread::sleep(Duration::from_millis(200));
    remove.kill()?;
    remove.wait()?;
    cluster.meshctl(&["uninstall", "--yes"])?;
    two_at_once(&cluster)
}

fn two_at_once(cluster: &Cluster) -> Result<()> {
    let (one, two) = (begin(cluster)?, begin(cluster)?);
    for (name, install) in [("one", one), ("the other", two)] {
        success(
            &format!("{name} of two installations"),
            &install.wait_with_output()?,
        )?;
    }
    ensure!(issuer(cluster)?.is_some(), "there is no identity");
    eventually(LIMIT, || cluster.meshctl(&["check"]))?;
    one_and_no_other(cluster)?;
    what_is_there_stays(cluster)?;
    choices_leave_nothing_behind(cluster)
}

/// Whoever means another namespace than the mesh's is told so, and breaks nothing.
fn one_and_no_other(cluster: &Cluster) -> Result<()> {
    for words in [
        &["install", "--mesh-namespace", "elsewhere"][..],
        &["uninstall", "--yes", "--mesh-namespace", "elsewhere"],
        &["upgrade", "--mesh-namespace", "elsewhere"],
    ] {
        let output = cluster.output(words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(1)
                && said.contains("the mesh of this cluster is in namespace mesh-system")
                && said.contains("--mesh-namespace mesh-system"),
            "{words:?}: {said}"
        );
    }
    cluster.meshctl(&["check"])?;
    Ok(())
}

/// What is printed for others to apply keeps the identity of the mesh that is there.
fn what_is_there_stays(cluster: &Cluster) -> Result<()> {
    let before = issuer(cluster)?;
    let printed = cluster.meshctl(&["install", "-o", "yaml"])?;
    ensure!(
        !printed.contains("kind: Secret") && printed.contains("kind: Deployment"),
        "{printed}"
    );
    cluster.objects.apply(&printed)?;
    ensure!(issuer(cluster)? == before, "the mesh's identity has changed");
    cluster.objects.rolled_out("mesh-system", "mesh-controller")?;
    eventually(LIMIT, || cluster.meshctl(&["check"]))?;
    Ok(())
}

/// What one choice has made goes with the next.
fn choices_leave_nothing_behind(cluster: &Cluster) -> Result<()> {
    let budget = || {
        cluster.objects.get(
            ("policy/v1", "PodDisruptionBudget"),
            "mesh-system",
            "mesh-controller",
        )
    };
    cluster.meshctl(&["install", "--set", "controller.spread=true"])?;
    let there = budget()?.context("there is no budget")?;
    // A single replica must not keep its node from being drained.
    ensure!(there["spec"]["maxUnavailable"] == 1, "{there:#}");
    cluster.meshctl(&["install", "--profile", "default"])?;
    ensure!(budget()?.is_none(), "the budget is still there");
    Ok(())
}

fn begin(cluster: &Cluster) -> Result<Child> {
    let mut command = cluster.command(&["install"])?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().context("meshctl cannot be run")
}

/// The certificate that signs the mesh's workloads, if there is one yet.
fn issuer(cluster: &Cluster) -> Result<Option<Vec<u8>>> {
    let secrets = Api::<Secret>::namespaced(cluster.objects.client.clone(), "mesh-system");
    let found = cluster
        .objects
        .runtime
        .block_on(secrets.get_opt("mesh-identity-issuer"))?;
    Ok(found.and_then(|s| s.data?.remove("tls.crt")).map(|bytes| bytes.0))
}
