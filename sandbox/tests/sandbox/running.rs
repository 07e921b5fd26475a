//! What people do with running pods and nodes: run, attach, read logs, debug, drain, taint; and how containers are told
//! what they are told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{WEB, command, fed, feed, refused, says};
use crate::{
    Trial,
    cluster::{Cluster, eventually},
};

pub const TRIALS: &[Trial] = &[
    ("kubectl_runs_and_attaches", runs),
    ("kubectl_reads_logs_in_every_way", logs),
    ("kubectl_says_clearly_what_is_not_served", not_served),
    ("kubectl_keeps_pods_off_the_node", keeps_off),
    ("containers_are_told_what_their_pod_says", told),
    ("probes_ask_by_grpc_and_https", probes),
    ("pods_that_take_too_long_or_may_not_run_say_so", refused_to_run),
    ("kubectl_autoscales_pauses_and_deletes_in_each_way", deletes),
];

const CAT: &str = "run once -i --rm --restart=Never --image=busybox --quiet --command -- ";

fn runs() -> Result<()> {
    let cluster = Cluster::start("runs")?;
    // The account and its certificate must be there first.
    eventually(|| says(&cluster, &["get", "sa", "default"], "default").map(drop))?;
    let words: Vec<&str> = CAT.split_whitespace().chain(["cat"]).collect();
    let said = fed(&cluster, &words, "through the pod\n")?;
    ensure!(said.contains("through the pod\n"), "{said:?}");
    eventually(|| {
        ensure!(cluster.names()?.is_empty(), "the pod should be gone");
        Ok(())
    })?;
    // The exit code is the container's.
    let words: Vec<&str> = CAT
        .split_whitespace()
        .chain(["/bin/sh", "-c", "read x; exit 7"])
        .collect();
    let failed = feed(&cluster, &words, "on\n")?;
    ensure!(failed.status.code() == Some(7), "{failed:?}");

    let script = "while read line; do echo got $line; done; echo end; exec sleep 1000";
    cluster.create(&serde_json::json!({
        "metadata": {"name": "reader"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "c", "image": "x", "stdin": true, "command": ["/bin/sh", "-c", script]},
        ]},
    }))?;
    cluster.wait_ready("reader")?;
    // One after the other; the input does not end with the first.
    for word in ["one", "two"] {
        let mut child = command(&cluster, &["attach", "-i", "reader", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().context("an input")?;
        writeln!(input, "{word}")?;
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().context("an output")?);
        let read = output.read_line(&mut line);
        let _ = child.kill();
        let _ = child.wait();
        read?;
        ensure!(line == format!("got {word}\n"), "{line:?}");
    }
    let log = cluster.log("reader", "c")?;
    ensure!(log == "got one\ngot two\n", "{log:?}");
    Ok(())
}

fn logs() -> Result<()> {
    let cluster = Cluster::start("logs")?;
    // What ends without a line feed is not there before it ends.
    let script = "[ -e /v/again ] || { touch /v/again; printf first; exit 1; }; for i in 1 2 3; do echo $i; sleep 1; done; \
                  printf 'no line feed'; exec sleep 1000";
    cluster.create(&serde_json::json!({
        "metadata": {"name": "p", "labels": {"app": "p"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [
                {"name": "c", "image": "x", "command": ["/bin/sh", "-c", script],
                 "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                {"name": "other", "image": "x", "command": ["/bin/sh", "-c", "echo beside; exec sleep 1000"]},
            ],
        },
    }))?;
    let read = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        cluster.kubectl(&words)
    };
    eventually(|| {
        let said = read("logs p -c c")?;
        ensure!(said == "1\n2\n3\n", "{said:?}");
        Ok(())
    })?;
    for (words, wanted) in [
        ("logs p -c c --previous", "first"),
        ("logs p -c c --tail=2", "2\n3\n"),
        ("logs p -c c --limit-bytes=3", "1\n2"),
        ("logs p other --since=1h", "beside\n"),
        ("logs p other --since-time=2100-01-01T00:00:00Z", ""),
    ] {
        let said = read(words)?;
        ensure!(said == wanted, "{words}: {said:?}");
    }
    let all = read("logs -l app=p --all-containers --prefix")?;
    ensure!(all.contains("[pod/p/other] beside"), "{all}");
    let timed = read("logs p -c other --timestamps")?;
    let time = timed.split(' ').next().unwrap_or_default();
    ensure!(time.parse::<k8s_openapi::jiff::Timestamp>().is_ok(), "{timed}");
    let said = refused(&cluster, &["logs", "p", "-c", "none"], "")?;
    ensure!(said.contains("container none is not valid for pod p"), "{said}");
    let said = refused(&cluster, &["logs", "p", "-c", "other", "--previous"], "")?;
    ensure!(
        said.contains("previous terminated container \"other\" in pod \"p\" not found"),
        "{said}"
    );
    // A follower gets what comes, and ends with the container.
    let mut child = command(&cluster, &["logs", "-f", "p", "-c", "other"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut all = String::new();
    cluster.kubectl(&["delete", "pod", "p", "--wait=false"])?;
    child
        .stdout
        .take()
        .context("an output")?
        .read_to_string(&mut all)?;
    child.wait()?;
    ensure!(all == "beside\n", "{all:?}");
    Ok(())
}

fn not_served() -> Result<()> {
    let cluster = Cluster::start("notserved")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    let wait = ["wait", "deploy/web", "--for=condition=Available", "--timeout=30s"];
    says(&cluster, &wait, "condition met")?;
    let pod = cluster.names()?.remove(0);
    for (words, wanted) in [
        ("top pods", "Metrics API not available"),
        ("top nodes", "Metrics API not available"),
        (
            "get componentstatuses",
            "the server doesn't have a resource type \"componentstatuses\"",
        ),
        ("exec POD -c none -- true", "container none is not valid for pod"),
        ("port-forward pod/none 1", "pods \"none\" not found"),
    ] {
        let words: Vec<String> = words.split(' ').map(|w| w.replace("POD", &pod)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = refused(&cluster, &words, "")?;
        ensure!(said.contains(wanted), "{words:?}: no {wanted:?} in {said}");
    }
    let missing = feed(&cluster, &["exec", &pod, "--", "no-such-program"], "")?;
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    ensure!(
        missing.status.code() == Some(1) && said.contains("executable file not found in $PATH"),
        "{missing:?}"
    );
    for words in [
        "auth can-i --list",
        "api-resources",
        "get nodes -o yaml",
        "describe node",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        cluster.kubectl(&words)?;
    }
    Ok(())
}

fn keeps_off() -> Result<()> {
    let cluster = Cluster::start("keeps")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    let wait = ["wait", "deploy/web", "--for=condition=Available", "--timeout=30s"];
    says(&cluster, &wait, "condition met")?;
    let node = cluster.name.clone();
    let drained = cluster.kubectl(&["drain", &node, "--ignore-daemonsets", "--force", "--timeout=30s"])?;
    ensure!(drained.contains("drained"), "{drained}");
    let waits = |why: &str| {
        eventually(|| {
            let said = cluster.kubectl(&[
                "get",
                "pods",
                "-o",
                "jsonpath={.items[*].status.conditions[*].message}",
            ])?;
            ensure!(said.contains(why), "{said}");
            Ok(())
        })
    };
    waits("0/1 nodes are available: 1 node(s) were unschedulable.")?;
    cluster.kubectl(&["taint", "nodes", &node, "only=others:NoSchedule"])?;
    cluster.kubectl(&["uncordon", &node])?;
    waits("0/1 nodes are available: 1 node(s) had untolerated taint(s).")?;
    cluster.kubectl(&["taint", "nodes", &node, "only-"])?;
    says(&cluster, &wait, "condition met")?;
    Ok(())
}

/// What a pod's fields mean for the processes in it.
fn told() -> Result<()> {
    let cluster = Cluster::start("told")?;
    let script =
        "echo $0 $*; pwd; cat /etc/hosts | tail -2; cat /etc/resolv.conf; id -G; echo why > /tmp/why; exit 3";
    cluster.create(&serde_json::json!({
        "metadata": {"name": "p"},
        "spec": {
            "restartPolicy": "Never",
            "hostname": "named", "subdomain": "below",
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["one.test", "two.test"]}],
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["192.0.2.53"], "searches": ["test"], "options": [{"name": "ndots", "value": "2"}]},
            "securityContext": {"fsGroup": 2000, "supplementalGroups": [3000]},
            "hostIPC": true,
            "containers": [{
                "name": "c", "image": "x", "workingDir": "/usr",
                "env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)$(A) $$(A) $(NONE)"}],
                "command": ["/bin/sh", "-c", script], "args": ["zero", "$(B)"],
                "terminationMessagePath": "/tmp/why",
            }],
        },
    }))?;
    let status = cluster.wait_phase("p", "Failed")?;
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    ensure!(
        ended["message"] == "why\n" && ended["exitCode"] == 3,
        "{status:#}"
    );
    let log = cluster.log("p", "c")?;
    let wanted = "zero xx $(A) $(NONE)\n/usr\n# Entries added by HostAliases.\n192.0.2.1\tone.test\ttwo.test\nsearch test\n\
                  nameserver 192.0.2.53\noptions ndots:2\n0 2000 3000\n";
    let sorted = log.replace("0 3000 2000\n", "0 2000 3000\n");
    ensure!(sorted == wanted, "{log}");
    let events = cluster.events("p")?;
    let unsupported = "Unsupported: the sandbox does not honour hostIPC";
    ensure!(events.iter().any(|e| e.starts_with(unsupported)), "{events:#?}");

    // Containers that share their processes see and can end each other's.
    let ends = "until kill $(pidof -s sleep) 2>/dev/null; do sleep 0.2; done; echo ended it; exec sleep 1000";
    cluster.create(&serde_json::json!({
        "metadata": {"name": "shares"},
        "spec": {
            "terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "shareProcessNamespace": true,
            "containers": [
                {"name": "ended", "image": "x", "command": ["/bin/sleep", "1000"]},
                {"name": "other", "image": "x", "command": ["/bin/sh", "-c", ends]},
            ],
        },
    }))?;
    eventually(|| {
        let status = cluster.status("shares")?;
        let all = status["containerStatuses"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ended = all.iter().find(|c| c["name"] == "ended");
        let code = ended.map(|c| c["state"]["terminated"]["exitCode"].clone());
        ensure!(code == Some(143.into()), "{status:#}");
        Ok(())
    })?;
    cluster.kubectl(&["delete", "pod", "shares", "--timeout=30s"])?;
    Ok(())
}

fn probes() -> Result<()> {
    let cluster = Cluster::start("probes")?;
    let this = std::env::current_exe()?;
    let container = |name: &str, words: &[&str], probe: Value| {
        let command: Vec<String> = std::iter::once(this.display().to_string())
            .chain(words.iter().map(ToString::to_string))
            .collect();
        serde_json::json!({"name": name, "image": "x", "command": command, "readinessProbe": probe})
    };
    cluster.create(&serde_json::json!({
        "metadata": {"name": "p"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            container("health", &["health", "9000"], serde_json::json!({"grpc": {"port": 9000}, "periodSeconds": 1})),
            container("secure", &["secure", "9443"], serde_json::json!({
                "httpGet": {"port": 9443, "scheme": "HTTPS", "path": "/moved"}, "periodSeconds": 1,
            })),
        ]},
    }))?;
    cluster.wait_ready("p")?;
    cluster.create(&serde_json::json!({
        "metadata": {"name": "ill"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            container("c", &["health", "9000"], serde_json::json!({
                "grpc": {"port": 9000, "service": "ill"}, "periodSeconds": 1,
            })),
        ]},
    }))?;
    let wanted = "Unhealthy: Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")";
    eventually(|| {
        let events = cluster.events("ill")?;
        ensure!(events.iter().any(|e| e == wanted), "{events:#?}");
        Ok(())
    })
}

fn refused_to_run() -> Result<()> {
    let cluster = Cluster::start("refusedtorun")?;
    let pod = |name: &str, more: Value| -> Result<()> {
        let mut spec = serde_json::json!({
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "x", "command": ["/bin/sleep", "1000"]}],
        });
        if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
            spec.extend(more);
        }
        cluster.create(&serde_json::json!({"metadata": {"name": name}, "spec": spec}))?;
        Ok(())
    };
    let waiting = |name: &str, list: &str, reason: &str| {
        eventually(|| {
            let status = cluster.status(name)?;
            let waiting = &status[list][0]["state"]["waiting"];
            ensure!(waiting["reason"] == reason, "{status:#}");
            Ok(waiting["message"].as_str().unwrap_or_default().to_owned())
        })
    };
    pod("late", serde_json::json!({"activeDeadlineSeconds": 1}))?;
    pod(
        "root",
        serde_json::json!({"securityContext": {"runAsNonRoot": true}}),
    )?;
    let init = serde_json::json!([{"name": "i", "image": "x", "command": ["/bin/false"]}]);
    pod("init", serde_json::json!({"initContainers": init}))?;
    let nothing = serde_json::json!([{"name": "c", "image": "x", "command": ["/no/such/program"]}]);
    pod(
        "nothing",
        serde_json::json!({"containers": nothing, "restartPolicy": "Never"}),
    )?;

    let late = cluster.wait_phase("late", "Failed")?;
    ensure!(late["reason"] == "DeadlineExceeded", "{late:#}");
    let why = waiting("root", "containerStatuses", "CreateContainerConfigError")?;
    let wanted = "container has runAsNonRoot and image will run as root (pod: \"root_default(";
    ensure!(why.starts_with(wanted), "{why}");
    let why = waiting("init", "initContainerStatuses", "CrashLoopBackOff")?;
    ensure!(
        why.starts_with("back-off 10s restarting failed container=i pod=init_default("),
        "{why}"
    );
    let ended = cluster.wait_phase("nothing", "Failed")?;
    let ended = &ended["containerStatuses"][0]["state"]["terminated"];
    ensure!(
        ended["reason"] == "StartError" && ended["exitCode"] == 128,
        "{ended:#}"
    );
    for name in ["late", "root", "init", "nothing"] {
        cluster.kubectl(&["delete", "pod", name, "--grace-period=0", "--force"])?;
    }
    eventually(|| {
        ensure!(cluster.names()?.is_empty(), "{:?}", cluster.names()?);
        Ok(())
    })
}

fn deletes() -> Result<()> {
    let cluster = Cluster::start("deletes")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    says(
        &cluster,
        &[
            "autoscale",
            "deploy",
            "web",
            "--min=1",
            "--max=3",
            "--cpu-percent=50",
        ],
        "autoscaled",
    )?;
    let shown = cluster.kubectl(&["get", "hpa"])?;
    ensure!(
        shown.contains("Deployment/web") && shown.contains("cpu: <unknown>/50%"),
        "{shown}"
    );
    let status = ["rollout", "status", "deploy/web", "--timeout=30s"];
    says(&cluster, &status, "successfully rolled out")?;
    says(&cluster, &["rollout", "pause", "deploy/web"], "paused")?;
    says(&cluster, &["set", "env", "deploy/web", "NEW=1"], "env updated")?;
    // Nothing may come of it while it is paused.
    std::thread::sleep(Duration::from_millis(500));
    let sets = cluster.kubectl(&["get", "rs", "-o", "name"])?;
    ensure!(sets.lines().count() == 1, "{sets}");
    says(&cluster, &["rollout", "resume", "deploy/web"], "resumed")?;
    says(&cluster, &status, "successfully rolled out")?;
    let sets = cluster.kubectl(&["get", "rs", "-o", "name"])?;
    ensure!(sets.lines().count() == 2, "{sets}");

    says(
        &cluster,
        &["delete", "deploy", "web", "--cascade=orphan"],
        "deleted",
    )?;
    let owners = cluster.kubectl(&["get", "rs", "-o", "jsonpath={.items[*].metadata.ownerReferences}"])?;
    ensure!(owners.is_empty(), "{owners}");
    ensure!(!cluster.names()?.is_empty(), "its pod stays");
    says(&cluster, &["delete", "rs", "--all", "--timeout=30s"], "deleted")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    says(&cluster, &status, "successfully rolled out")?;
    says(
        &cluster,
        &["delete", "deploy", "web", "--cascade=foreground"],
        "deleted",
    )?;
    eventually(|| {
        let left = cluster.kubectl(&["get", "rs,pods", "-o", "name"])?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })?;

    // A namespace takes what is in it along.
    cluster.kubectl(&["create", "namespace", "brief"])?;
    fed(&cluster, &["apply", "-n", "brief", "-f", "-"], WEB)?;
    let ready = [
        "wait",
        "-n",
        "brief",
        "deploy/web",
        "--for=jsonpath={.status.readyReplicas}=1",
        "--timeout=30s",
    ];
    says(&cluster, &ready, "condition met")?;
    says(
        &cluster,
        &["delete", "namespace", "brief", "--timeout=30s"],
        "deleted",
    )?;
    let left = cluster.kubectl(&["get", "all,cm,sa,endpointslices", "-n", "brief", "-o", "name"])?;
    ensure!(left.is_empty(), "{left}");
    let said = refused(&cluster, &["create", "cm", "late", "-n", "brief"], "")?;
    ensure!(said.contains("namespaces \"brief\" not found"), "{said}");
    Ok(())
}
