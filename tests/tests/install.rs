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
