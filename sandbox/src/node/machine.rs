//! The Node object: that this node exists, what it has, and that it is ready.

use std::{fs, time::Duration};

use anyhow::Context;
use k8s_openapi::{api::core::v1::Node, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::address;

/// How many pods may run here: a bound to runaway controllers rather than to the machine.
const PODS: u32 = 250;
const HEARTBEAT: Duration = Duration::from_mins(1);

/// Registers the node, and keeps saying that it is ready, for ever.
pub(super) async fn keep(client: Client, name: &str) -> anyhow::Result<()> {
    let api = Api::<Node>::all(client);
    let node: Node = serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": architecture(),
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "spec": {"podCIDR": format!("{}/{}", address::PODS.0, address::PODS.1)},
    }))?;
    api.create(&PostParams::default(), &node)
        .await
        .context("cannot register the node")?;
    let since = Timestamp::now();
    loop {
        let status = json!({"status": status(name, since)});
        if let Err(error) = api
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await
        {
            tracing::warn!(%error, "the node's status could not be written");
        }
        tokio::time::sleep(HEARTBEAT).await;
    }
}

fn status(name: &str, since: Timestamp) -> Value {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let resources = json!({
        "cpu": cpus.to_string(),
        "memory": format!("{}Ki", memory_kib()),
        "pods": PODS.to_string(),
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
            "lastHeartbeatTime": Timestamp::now(),
        })
    };
    json!({
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": address::NODE},
            {"type": "Hostname", "address": name},
        ],
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "architecture": architecture(),
            "bootID": read("/proc/sys/kernel/random/boot_id"),
            "containerRuntimeVersion": format!("meshctl://{}", mesh_api::names::VERSION),
            "kernelVersion": read("/proc/sys/kernel/osrelease"),
            "kubeProxyVersion": "",
            "kubeletVersion": crate::apiserver::git_version(),
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": os_name(),
            "systemUUID": "",
        },
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    })
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn memory_kib() -> u64 {
    let text = read("/proc/meminfo");
    let total = text
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:"))
        .unwrap_or_default();
    total
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap_or_default()
}

/// Resources of this machine, for the downward API's defaults: CPUs and bytes of memory.
pub(super) fn capacity() -> (u64, u64) {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cpus as u64, memory_kib() * 1024)
}

fn os_name() -> String {
    let text = read("/etc/os-release");
    let name = text
        .lines()
        .find_map(|l| l.strip_prefix("PRETTY_NAME="))
        .unwrap_or("Linux");
    name.trim_matches('"').to_owned()
}
