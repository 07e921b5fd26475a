//! What users do besides applying and looking: talk to a shell, leave things behind, wait for the time to come.

use std::{
    fs::File,
    io::{Read, Write},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, ensure};
use mesh_sandbox::lifecycle;
use nix::pty::{OpenptyResult, Winsize, openpty};

use super::{WEB, fed, field, says};
use crate::cluster::{Cluster, eventually};

/// `exec -it`: a shell that has a terminal, of the size of ours, whose keys reach it.
pub fn talks(cluster: &Cluster) -> Result<()> {
    let size = Winsize {
        ws_row: 33,
        ws_col: 99,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } = openpty(Some(&size), None)?;
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait", "kubectl", "exec", "-it", "p", "--", "/bin/sh"])
        .env("KUBECONFIG", lifecycle::kubeconfig_path(&cluster.name))
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(slave)
        .spawn()
        .context("setsid cannot be run")?;
    let mut keys = File::from(master);
    let mut screen = keys.try_clone()?;
    let said = Arc::new(Mutex::new(String::new()));
    let hearing = {
        let said = said.clone();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            // Until the other end has gone.
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                said.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
            }
        })
    };
    let until = |text: &str| {
        eventually(|| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(said.contains(text), "no {text:?} in {said:?}");
            Ok(())
        })
    };
    let talked = (|| -> Result<()> {
        keys.write_all(b"until [ \"$(stty size)\" = '33 99' ]; do sleep 0.1; done; echo si''zed\n")?;
        until("sized")?;
        keys.write_all(b"echo begi''ns; sleep 1000\n")?;
        until("begins")?;
        keys.write_all(b"\x03")?;
        keys.write_all(b"echo interr''upted; exit 3\n")?;
        until("interrupted")
    })();
    if talked.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let _ = hearing.join();
    talked?;
    ensure!(status.code() == Some(3), "{status}");
    Ok(())
}

/// What is left behind by a deletion is taken in by whoever comes after.
pub fn adopts() -> Result<()> {
    let cluster = Cluster::start("adopts")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    let status = &["rollout", "status", "deploy/web", "--timeout=30s"];
    says(&cluster, status, "successfully rolled out")?;
    let names = || cluster.kubectl(&["get", "rs,pods", "-l", "app=web", "-o", "name"]);
    let before = names()?;
    says(
        &cluster,
        &["delete", "deploy", "web", "--cascade=orphan"],
        "deleted",
    )?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    says(&cluster, status, "successfully rolled out")?;
    ensure!(names()? == before, "{} after {before}", names()?);
    let owner = ".items[0].metadata.ownerReferences[0].name";
    let path = format!("jsonpath={{{owner}}}");
    let found = cluster.kubectl(&["get", "rs", "-l", "app=web", "-o", &path])?;
    ensure!(found == "web", "{found:?}");
    // A pod taken aside is replaced, and one too many when it comes back.
    let pod = before.lines().find(|l| l.starts_with("pod/")).context("no pod")?;
    says(&cluster, &["label", pod, "app-"], "unlabeled")?;
    says(&cluster, status, "successfully rolled out")?;
    let other = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "name"])?;
    ensure!(!other.contains(pod), "{other}");
    says(&cluster, &["label", pod, "app=web"], "labeled")?;
    eventually(|| {
        let left = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "name"])?;
        ensure!(left.lines().count() == 1, "{left}");
        Ok(())
    })
}

/// Jobs come when it is time, and what cannot be had is said.
pub fn waits() -> Result<()> {
    let cluster = Cluster::start("waits")?;
    let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick}\nspec:\n  schedule: '* * * * *'\n  \
                jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          \
                containers:\n          - {name: c, image: busybox, command: [/bin/echo, tock]}\n";
    fed(&cluster, &["apply", "-f", "-"], cron)?;
    says(
        &cluster,
        &["create", "job", "now", "--from=cronjob/tick"],
        "job.batch/now created",
    )?;
    let claim = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: db\n  selector: \
                 {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    spec:\n      containers:\n      \
                 - {name: c, image: busybox, command: [/bin/sleep, '1000'], volumeMounts: [{name: data, mountPath: \
                 /data}]}\n  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], \
                 resources: {requests: {storage: 1Gi}}}\n";
    fed(&cluster, &["apply", "-f", "-"], claim)?;
    eventually(|| {
        says(
            &cluster,
            &["describe", "pod", "db-0"],
            "the sandbox has no persistent volumes",
        )
        .map(drop)
    })?;
    ensure!(field(&cluster, "pod/db-0", ".status.phase")? == "Pending");
    says(
        &cluster,
        &["wait", "job/now", "--for=condition=complete", "--timeout=30s"],
        "condition met",
    )?;
    // Up to a minute, and the job itself.
    says(
        &cluster,
        &[
            "wait",
            "cronjob/tick",
            "--for=jsonpath={.status.lastScheduleTime}",
            "--timeout=90s",
        ],
        "condition met",
    )?;
    says(&cluster, &["get", "events"], "SawCompletedJob")?;
    says(&cluster, &["delete", "cronjob", "tick"], "deleted")?;
    eventually(|| {
        let left = cluster.kubectl(&["get", "jobs", "-o", "name"])?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
}
