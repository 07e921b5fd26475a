//! Starting, stopping, and what is left afterwards.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Node, ServiceAccount};
use kube::Api;
use mesh_sandbox::lifecycle;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    Trial,
    cluster::{Cluster, eventually, image},
};

pub const TRIALS: &[Trial] = &[
    ("a_sandbox_is_up_quickly_and_furnished", up),
    ("stop_leaves_nothing", stop),
    ("kill_9_leaves_nothing_and_the_next_start_works", kill_9),
];

fn up() -> Result<()> {
    let began = Instant::now();
    let cluster = Cluster::start("up")?;
    let took = began.elapsed();
    ensure!(took < Duration::from_secs(3), "it took {took:?}");
    println!("  up in {took:?}");
    let nodes = Api::<Node>::all(cluster.client.clone());
    let node = cluster.runtime.block_on(nodes.get(&cluster.name))?;
    let conditions = node.status.and_then(|s| s.conditions).unwrap_or_default();
    ensure!(
        conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True"),
        "{conditions:?}"
    );
    let accounts = Api::<ServiceAccount>::namespaced(cluster.client.clone(), "default");
    cluster.runtime.block_on(accounts.get("default"))?;
    let maps = Api::<ConfigMap>::namespaced(cluster.client.clone(), "default");
    eventually(|| Ok(cluster.runtime.block_on(maps.get("kube-root-ca.crt"))?))?;
    let again = cluster.runtime.block_on(lifecycle::start(&lifecycle::Options {
        name: cluster.name.clone(),
        detach: false,
    }));
    let error = again.err().context("a second start must fail")?;
    ensure!(error.to_string().contains("already running"), "{error}");
    ensure!(
        error.hint().is_some_and(|h| h.contains("stop --name")),
        "{error:?}"
    );
    Ok(())
}

/// Processes and links of this machine, for comparison.
fn inventory() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let me = std::env::current_exe()?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == me) {
            all.insert(format!("process {pid}"));
        }
    }
    for entry in fs::read_dir("/sys/class/net")?.flatten() {
        all.insert(format!("link {}", entry.file_name().to_string_lossy()));
    }
    for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
        let point = line.split(' ').nth(4).unwrap_or_default();
        all.insert(format!("mount {point}"));
    }
    Ok(all)
}

fn with_a_pod(name: &str) -> Result<Cluster> {
    let cluster = Cluster::start(name)?;
    cluster.create(&json!({
        "metadata": {"name": "p"},
        "spec": {
            "volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}],
            "containers": [{
                "name": "c",
                "image": image(),
                "args": ["serve", "8080", "p"],
                "volumeMounts": [{"name": "m", "mountPath": "/data"}],
            }],
        },
    }))?;
    cluster.wait_ready("p")?;
    Ok(cluster)
}

fn nothing_is_left(before: &BTreeSet<String>) -> Result<()> {
    eventually(|| {
        let after = inventory()?;
        let more: Vec<_> = after.difference(before).collect();
        ensure!(more.is_empty(), "left over: {more:?}");
        Ok(())
    })
}

fn stop() -> Result<()> {
    let before = inventory()?;
    let mut cluster = with_a_pod("stop")?;
    ensure!(inventory()? != before, "the inventory must see a sandbox");
    let mut running = cluster.running.take().context("it runs")?;
    let began = Instant::now();
    cluster.runtime.block_on(lifecycle::stop(&cluster.name))?;
    cluster.runtime.block_on(running.wait());
    ensure!(
        began.elapsed() < Duration::from_secs(4),
        "it took {:?}",
        began.elapsed()
    );
    nothing_is_left(&before)?;
    ensure!(
        !lifecycle::kubeconfig_path(&cluster.name).exists(),
        "a dead kubeconfig"
    );
    ensure!(lifecycle::status(&cluster.name)?.pid.is_none());
    let error = cluster
        .runtime
        .block_on(lifecycle::stop(&cluster.name))
        .err()
        .context("nothing to stop")?;
    ensure!(error.to_string().contains("no sandbox named"), "{error}");
    Ok(())
}

fn kill_9() -> Result<()> {
    let before = inventory()?;
    let mut cluster = with_a_pod("kill")?;
    let running = cluster.running.take().context("it runs")?;
    let pid = running.status.pid.context("it has a process")?;
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL)?;
    nothing_is_left(&before)?;
    drop(running);

    let mut cluster = with_a_pod("kill")?;
    let running = cluster.running.take().context("it runs")?;
    // This time the first stage: the node's parent.
    let pid = running.status.pid.context("it has a process")?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let parent = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(1))
        .context("a parent")?;
    kill(Pid::from_raw(parent.parse()?), Signal::SIGKILL)?;
    nothing_is_left(&before)?;
    drop(running);

    // Last the caller's side: closing it ends a sandbox that is not detached.
    let mut cluster = with_a_pod("kill")?;
    drop(cluster.running.take());
    nothing_is_left(&before)
}
