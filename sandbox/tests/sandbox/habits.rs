//! What users do besides applying and looking: talk to a shell, leave things behind, wait for the time to come.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, ensure};
use mesh_sandbox::lifecycle;
use nix::pty::{OpenptyResult, Winsize, openpty};

use super::{WEB, fed, feed, field, refused, says};
use crate::cluster::{Cluster, eventually};

/// A user at a terminal of 99 by 33, in which `kubectl` runs.
struct Seat {
    keys: File,
    said: Arc<Mutex<String>>,
}

impl Seat {
    fn types(&mut self, keys: &str) -> Result<()> {
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    fn until(&self, text: &str) -> Result<()> {
        eventually(|| {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(said.contains(text), "no {text:?} in {said:?}");
            Ok(())
        })
    }
}

/// Runs `kubectl` in a terminal; says how it ended.
fn sits(cluster: &Cluster, words: &[&str], talk: impl FnOnce(&mut Seat) -> Result<()>) -> Result<ExitStatus> {
    let size = Winsize {
        ws_row: 33,
        ws_col: 99,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } = openpty(Some(&size), None)?;
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait", "kubectl"])
        .args(words)
        .env("KUBECONFIG", lifecycle::kubeconfig_path(&cluster.name))
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(slave)
        .spawn()
        .context("setsid cannot be run")?;
    let keys = File::from(master);
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
    let talked = talk(&mut Seat { keys, said });
    if talked.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let _ = hearing.join();
    talked?;
    Ok(status)
}

/// Waits, in a shell, until its terminal is as large as ours.
const SIZED: &str = "until [ \"$(stty size)\" = '33 99' ]; do sleep 0.1; done; echo si''zed\n";

/// `exec -it`: a shell that has a terminal, of the size of ours, whose keys reach it.
pub fn talks(cluster: &Cluster) -> Result<()> {
    let status = sits(cluster, &["exec", "-it", "p", "--", "/bin/sh"], |seat| {
        seat.types(SIZED)?;
        seat.until("sized")?;
        seat.types("echo begi''ns; sleep 1000\n")?;
        seat.until("begins")?;
        seat.types("\x03")?;
        seat.types("echo interr''upted; exit 3\n")?;
        seat.until("interrupted")
    })?;
    ensure!(status.code() == Some(3), "{status}");
    Ok(())
}

/// `run -it --rm` and `attach -it`: containers that have a terminal from the beginning.
pub fn sits_down() -> Result<()> {
    let cluster = Cluster::start("sits")?;
    eventually(|| says(&cluster, &["get", "sa", "default"], "default").map(drop))?;
    let words = "run once -it --rm --restart=Never --image=busybox --command -- /bin/sh";
    let words: Vec<&str> = words.split(' ').collect();
    let status = sits(&cluster, &words, |seat| {
        seat.types(SIZED)?;
        seat.until("sized")?;
        seat.types("test -t 0 && test -t 1 && test -t 2 && echo term''inal $TERM; exit 4\n")?;
        seat.until("terminal xterm")
    })?;
    ensure!(status.code() == Some(4), "{status}");
    eventually(|| {
        ensure!(cluster.names()?.is_empty(), "the pod should be gone");
        Ok(())
    })?;
    cluster.create(&serde_json::json!({
        "metadata": {"name": "shell"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "c", "image": "x", "stdin": true, "tty": true, "command": ["/bin/sh"]},
        ]},
    }))?;
    cluster.wait_ready("shell")?;
    // Whoever leaves finds the shell as it was.
    for (typed, told) in [
        ("x=kept; echo fir''st\n", "first"),
        ("echo $x a''gain\n", "kept again"),
    ] {
        let left = sits(&cluster, &["attach", "-it", "shell"], |seat| {
            seat.types(typed)?;
            seat.until(told)?;
            Err(anyhow::anyhow!("left"))
        });
        let why = left.err().context("nobody ended it")?;
        ensure!(why.to_string() == "left", "{why:?}");
    }
    let log = cluster.log("shell", "c")?;
    ensure!(log.contains("kept again"), "{log:?}");
    ensure!(field(&cluster, "pod/shell", ".status.containerStatuses[0].restartCount")? == "0");
    Ok(())
}

/// `debug`: a container that is added to a running pod, and sees the processes of another.
pub fn debugs() -> Result<()> {
    let cluster = Cluster::start("debugs")?;
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
               containers:\n  - {name: main, image: busybox, command: [/bin/sleep, '12345']}\n";
    fed(&cluster, &["apply", "-f", "-"], pod)?;
    cluster.wait_ready("p")?;
    let words = [
        "debug",
        "p",
        "--image=busybox",
        "-c",
        "look",
        "--target=main",
        "--",
    ];
    let script = "cat /proc/1/cmdline | tr '\\0' ' '; echo; exec sleep 1000";
    cluster.kubectl(&[&words[..], &["/bin/sh", "-c", script]].concat())?;
    eventually(|| says(&cluster, &["logs", "p", "-c", "look"], "/bin/sleep 12345").map(drop))?;
    let path = ".status.ephemeralContainerStatuses[0].state.running.startedAt";
    eventually(|| {
        ensure!(!field(&cluster, "pod/p", path)?.is_empty(), "it does not run");
        Ok(())
    })?;
    says(
        &cluster,
        &["exec", "p", "-c", "look", "--", "echo", "inside"],
        "inside",
    )?;
    says(&cluster, &["describe", "pod", "p"], "Ephemeral Containers:")?;
    // The pod is what it was to everybody else.
    says(&cluster, &["get", "pod", "p"], "1/1")?;
    let status = sits(
        &cluster,
        &["debug", "-it", "p", "--image=busybox", "--", "/bin/sh"],
        |seat| {
            seat.types("echo he''re; exit\n")?;
            seat.until("here")
        },
    )?;
    ensure!(status.success(), "{status}");
    let whole = cluster.kubectl(&["get", "pod", "p", "-o", "json"])?;
    let other = whole.replace("\"image\": \"busybox\"", "\"image\": \"other\"");
    let path = "/api/v1/namespaces/default/pods/p/ephemeralcontainers";
    let said = refused(&cluster, &["replace", "--raw", path, "-f", "-"], &other)?;
    ensure!(
        said.contains("existing ephemeral containers \"look\" may not be changed"),
        "{said}"
    );
    let born = pod.replace(
        "containers:",
        "ephemeralContainers: [{name: x, image: x}]\n  containers:",
    );
    let said = refused(
        &cluster,
        &["create", "-f", "-"],
        &born.replace("name: p", "name: born"),
    )?;
    ensure!(said.contains("cannot be set on create"), "{said}");
    says(&cluster, &["delete", "pod", "p", "--timeout=30s"], "deleted")?;
    Ok(())
}

/// Budgets hold evictions up, and taints drive pods off.
pub fn evicts() -> Result<()> {
    let cluster = Cluster::start("evicts")?;
    fed(
        &cluster,
        &["apply", "-f", "-"],
        &WEB.replace("replicas: 1", "replicas: 2"),
    )?;
    says(
        &cluster,
        &["create", "pdb", "web", "--selector=app=web", "--min-available=2"],
        "created",
    )?;
    let status = ["rollout", "status", "deploy/web", "--timeout=30s"];
    says(&cluster, &status, "successfully rolled out")?;
    let budget = |healthy: &str, allowed: &str| {
        eventually(|| {
            let fields = "{.status.currentHealthy} {.status.desiredHealthy} {.status.disruptionsAllowed}";
            let found = cluster.kubectl(&["get", "pdb", "web", "-o", &format!("jsonpath={fields}")])?;
            ensure!(found == format!("{healthy} 2 {allowed}"), "{found}");
            Ok(())
        })
    };
    budget("2", "0")?;
    let node = cluster.name.clone();
    let drain = ["drain", &node, "--ignore-daemonsets", "--force", "--timeout=3s"];
    let said = refused(&cluster, &drain, "")?;
    ensure!(
        said.contains("Cannot evict pod as it would violate the pod's disruption budget."),
        "{said}"
    );
    ensure!(cluster.names()?.len() == 2, "nothing was evicted");
    cluster.kubectl(&["uncordon", &node])?;
    says(&cluster, &["scale", "deploy/web", "--replicas=3"], "scaled")?;
    budget("3", "1")?;
    says(&cluster, &["get", "pdb"], "ALLOWED DISRUPTIONS")?;
    // One may go, and another only when a new one is ready.
    cluster.kubectl(&["cordon", &node])?;
    let pods = cluster.names()?;
    let evict = |pod: &str| {
        let eviction = serde_json::json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod},
        });
        let path = format!("/api/v1/namespaces/default/pods/{pod}/eviction");
        feed(
            &cluster,
            &["create", "--raw", &path, "-f", "-"],
            &eviction.to_string(),
        )
    };
    let first = evict(&pods[0])?;
    ensure!(first.status.success(), "{first:?}");
    let second = evict(&pods[1])?;
    ensure!(
        String::from_utf8_lossy(&second.stderr).contains("disruption budget"),
        "{second:?}"
    );
    cluster.kubectl(&["uncordon", &node])?;
    budget("3", "1")?;

    let tolerant = "apiVersion: v1\nkind: Pod\nmetadata: {name: stays}\nspec:\n  tolerations: [{key: down, operator: \
                    Exists, effect: NoExecute}]\n  containers: [{name: c, image: x, command: [/bin/sleep, '1000']}]\n";
    fed(&cluster, &["apply", "-f", "-"], tolerant)?;
    cluster.wait_ready("stays")?;
    cluster.kubectl(&["taint", "nodes", &node, "down=yes:NoExecute"])?;
    eventually(|| {
        let waits = "jsonpath={.items[?(@.status.phase!='Running')].metadata.name}";
        let waiting = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", waits])?;
        ensure!(waiting.split(' ').count() == 3, "{waiting}");
        Ok(())
    })?;
    ensure!(field(&cluster, "pod/stays", ".status.phase")? == "Running");
    says(&cluster, &["get", "events"], "TaintManagerEviction")?;
    cluster.kubectl(&["taint", "nodes", &node, "down-"])?;
    budget("3", "1")
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
    says(&cluster, &["get", "pvc", "data-db-0"], "Pending")?;
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
