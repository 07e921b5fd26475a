//! Pods as a kubelet would run them.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, ResourceExt,
    api::{AttachParams, DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::{
    Trial,
    cluster::{Cluster, eventually, image},
};

pub const TRIALS: &[Trial] = &[
    ("init_containers_and_native_sidecars_run_in_order", order),
    ("containers_see_what_their_pod_describes", sees),
    ("crash_loops_back_off_and_logs_survive", crash_loop),
    ("what_cannot_run_says_why", cannot_run),
    ("probes_and_hooks_and_exec_and_port_forward", probes),
];

fn sh(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "busybox", "command": ["/bin/sh", "-c", script]})
}

fn order() -> Result<()> {
    let cluster = Cluster::start("order")?;
    let volume = json!([{"name": "v", "mountPath": "/v"}]);
    let with = |mut container: Value, more: Value| {
        container["volumeMounts"] = volume.clone();
        for (key, value) in more.as_object().into_iter().flatten() {
            container[key] = value.clone();
        }
        container
    };
    cluster.create(&json!({
        "metadata": {"name": "job1"},
        "spec": {
            "restartPolicy": "Never",
            "volumes": [{"name": "v", "emptyDir": {}}],
            "initContainers": [
                with(sh("first", "echo first >> /v/order"), json!({})),
                with(
                    sh("side", "trap 'echo side-ended >> /v/order; exit 0' TERM; sleep 0.4; echo side-up >> /v/order; while :; do sleep 0.1; done"),
                    json!({"restartPolicy": "Always", "startupProbe": {
                        "exec": {"command": ["/bin/grep", "-q", "side-up", "/v/order"]},
                        "periodSeconds": 1, "failureThreshold": 30,
                    }}),
                ),
                with(sh("second", "echo second >> /v/order"), json!({})),
            ],
            "containers": [with(sh("app", "echo app >> /v/order; cat /v/order; echo bye > /dev/termination-log"), json!({}))],
        },
    }))?;
    let status = cluster.wait_phase("job1", "Succeeded")?;
    let log = cluster.log("job1", "app")?;
    ensure!(log == "first\nside-up\nsecond\napp\n", "{log}");
    let app = &status["containerStatuses"][0];
    ensure!(app["state"]["terminated"]["exitCode"] == 0, "{app}");
    ensure!(app["state"]["terminated"]["message"] == "bye\n", "{app}");
    let side = &status["initContainerStatuses"][1];
    ensure!(
        side["state"]["terminated"]["exitCode"] == 0 && side["restartCount"] == 0,
        "{side}"
    );
    let done: Vec<_> = status["initContainerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| &c["ready"])
        .collect();
    ensure!(done == [&json!(true), &json!(false), &json!(true)], "{done:?}");
    eventually(|| {
        let events = cluster.events("job1")?;
        for wanted in [
            "Scheduled: ",
            "Pulled: ",
            "Created: ",
            "Started: ",
            "Killing: Stopping container side",
        ] {
            ensure!(
                events.iter().any(|e| e.starts_with(wanted)),
                "no {wanted:?} in {events:#?}"
            );
        }
        Ok(())
    })?;
    cluster
        .runtime
        .block_on(cluster.pods().delete("job1", &DeleteParams::default()))?;
    eventually(|| {
        ensure!(cluster.names()?.is_empty(), "the pod is still there");
        Ok(())
    })
}

fn sees() -> Result<()> {
    let cluster = Cluster::start("sees")?;
    let maps = Api::<ConfigMap>::namespaced(cluster.client.clone(), "default");
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), "default");
    let map = |value: &str| json!({"metadata": {"name": "settings"}, "data": {"key": value}});
    let script = "id -u; id -g; hostname; echo $GREETING; echo $POD_IP; cat /s/word; cat /c/key; echo; \
                  grep -c nameserver /etc/resolv.conf; wc -c < /var/run/secrets/t/token | awk '{print ($1 > 100)}'; \
                  touch /denied 2>/dev/null && echo wrote || echo read-only; echo x > /e/x && cat /e/x; pwd; \
                  grep CapEff /proc/self/status; echo $$$$; ls /proc | grep -c '^[0-9]'; \
                  while ! grep -q two /c/key; do sleep 0.1; done; echo updated; \
                  exec sleep 1000";
    cluster.create(&json!({
        "metadata": {"name": "seer", "labels": {"app": "seer"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsUser": 14000, "runAsGroup": 14001, "fsGroup": 2000},
            "volumes": [
                {"name": "s", "secret": {"secretName": "words"}},
                {"name": "c", "configMap": {"name": "settings"}},
                {"name": "e", "emptyDir": {"medium": "Memory"}},
                {"name": "t", "projected": {"sources": [
                    {"serviceAccountToken": {"audience": "meshctl.io", "expirationSeconds": 3600, "path": "token"}},
                ]}},
            ],
            "containers": [{
                "name": "c",
                "image": "x",
                "workingDir": "/e",
                "command": ["/bin/sh", "-c", script],
                "env": [
                    {"name": "WHO", "value": "world"},
                    {"name": "GREETING", "value": "hello $(WHO)"},
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                ],
                "securityContext": {"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false},
                "volumeMounts": [
                    {"name": "s", "mountPath": "/s"},
                    {"name": "c", "mountPath": "/c"},
                    {"name": "e", "mountPath": "/e"},
                    {"name": "t", "mountPath": "/var/run/secrets/t"},
                ],
            }],
        },
    }))?;
    // It waits for what it mounts, and says so.
    eventually(|| {
        let events = cluster.events("seer")?;
        ensure!(
            events
                .iter()
                .any(|e| e.contains("FailedMount") && e.contains("not found")),
            "{events:#?}"
        );
        Ok(())
    })?;
    let made: Secret =
        serde_json::from_value(json!({"metadata": {"name": "words"}, "stringData": {"word": "sesame\n"}}))?;
    cluster
        .runtime
        .block_on(secrets.create(&PostParams::default(), &made))?;
    cluster
        .runtime
        .block_on(maps.create(&PostParams::default(), &serde_json::from_value(map("one"))?))?;
    cluster.wait_ready("seer")?;
    let ip = cluster.status("seer")?["podIP"]
        .as_str()
        .context("an address")?
        .to_owned();
    let expected = format!(
        "14000\n14001\nseer\nhello world\n{ip}\nsesame\none\n1\n1\nread-only\nx\n/e\nCapEff:\t0000000000000000\n1\n"
    );
    let log = eventually(|| {
        let log = cluster.log("seer", "c")?;
        ensure!(log.lines().count() >= 15, "{log}");
        Ok(log)
    })?;
    ensure!(log.starts_with(&expected), "{log}\n--- is not ---\n{expected}");
    let processes: u32 = log.lines().nth(14).context("a count")?.parse()?;
    ensure!(processes < 6, "the container sees {processes} processes");

    cluster
        .runtime
        .block_on(maps.patch("settings", &PatchParams::default(), &Patch::Merge(map("two"))))?;
    eventually(|| {
        ensure!(
            cluster.log("seer", "c")?.contains("updated"),
            "the volume was not updated"
        );
        Ok(())
    })
}

fn crash_loop() -> Result<()> {
    let cluster = Cluster::start("crash")?;
    cluster.create(&json!({
        "metadata": {"name": "crash"},
        "spec": {"containers": [sh("c", "echo run; exit 3")]},
    }))?;
    let status = eventually(|| {
        let status = cluster.status("crash")?;
        let c = &status["containerStatuses"][0];
        ensure!(
            c["state"]["waiting"]["reason"] == "CrashLoopBackOff",
            "{status:#}"
        );
        Ok(status)
    })?;
    let c = &status["containerStatuses"][0];
    ensure!(
        c["restartCount"] == 1 && c["lastState"]["terminated"]["exitCode"] == 3,
        "{c:#}"
    );
    ensure!(
        c["lastState"]["terminated"]["reason"] == "Error" && status["phase"] == "Running",
        "{status:#}"
    );
    let message = c["state"]["waiting"]["message"].as_str().context("a message")?;
    ensure!(
        message.starts_with("back-off 10s restarting failed container=c pod=crash_default("),
        "{message}"
    );
    ensure!(cluster.log("crash", "c")? == "run\n");
    ensure!(cluster.previous_log("crash", "c")? == "run\n");
    eventually(|| {
        let events = cluster.events("crash")?;
        ensure!(
            events
                .iter()
                .any(|e| e.starts_with("BackOff: Back-off restarting failed container c")),
            "{events:#?}"
        );
        Ok(())
    })
}

fn cannot_run() -> Result<()> {
    let cluster = Cluster::start("cannot")?;
    cluster.create(
        &json!({"metadata": {"name": "noimg"}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}),
    )?;
    cluster.create(&json!({
        "metadata": {"name": "nocmd"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "command": ["/no/such"]}]},
    }))?;
    cluster.create(&json!({
        "metadata": {"name": "badinit"},
        "spec": {"restartPolicy": "Never", "initContainers": [sh("i", "exit 1")], "containers": [sh("c", "true")]},
    }))?;
    eventually(|| {
        let status = cluster.status("noimg")?;
        let waiting = &status["containerStatuses"][0]["state"]["waiting"];
        ensure!(waiting["reason"] == "ErrImagePull", "{status:#}");
        ensure!(
            waiting["message"]
                .as_str()
                .is_some_and(|m| m.contains("no command")),
            "{status:#}"
        );
        Ok(())
    })?;
    let status = cluster.wait_phase("nocmd", "Failed")?;
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    ensure!(
        ended["exitCode"] == 128 && ended["reason"] == "StartError",
        "{status:#}"
    );
    ensure!(
        ended["message"].as_str().is_some_and(|m| m.contains("/no/such")),
        "{status:#}"
    );
    let status = cluster.wait_phase("badinit", "Failed")?;
    ensure!(
        status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing",
        "{status:#}"
    );
    Ok(())
}

fn probes() -> Result<()> {
    let cluster = Cluster::start("probes")?;
    cluster.create(&json!({
        "metadata": {"name": "p"},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{
                "name": "c",
                "image": image(),
                "args": ["serve", "8080", "here"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "startupProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
                "livenessProbe": {"exec": {"command": ["/usr/bin/test", "!", "-e", "/tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 1},
                "lifecycle": {
                    "postStart": {"exec": {"command": ["/bin/sh", "-c", "echo begun > /tmp/hook"]}},
                    "preStop": {"exec": {"command": ["/bin/sh", "-c", "echo ending > /proc/1/fd/1"]}},
                },
            }],
        },
    }))?;
    cluster.wait_ready("p")?;
    let pods = cluster.pods();
    cluster.runtime.block_on(async {
        let parameters = AttachParams::default().stderr(false);
        let mut inside = pods.exec("p", ["/bin/cat", "/tmp/hook"], &parameters).await?;
        let mut out = String::new();
        inside
            .stdout()
            .context("an output")?
            .read_to_string(&mut out)
            .await?;
        ensure!(out == "begun\n", "{out:?}");

        let mut forward = pods.portforward("p", &[8080]).await?;
        let mut stream = forward.take_stream(8080).context("a stream")?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.ends_with("here"), "{answer:?}");

        // Now it falls ill, and is restarted.
        let mut touch = pods
            .exec("p", ["/usr/bin/touch", "/tmp/sick"], &AttachParams::default())
            .await?;
        touch.take_status().context("a status")?.await;
        Ok(())
    })?;
    eventually(|| {
        let status = cluster.status("p")?;
        ensure!(status["containerStatuses"][0]["restartCount"] == 1, "{status:#}");
        Ok(())
    })?;
    cluster.wait_ready("p")?;
    let events = cluster.events("p")?;
    ensure!(
        events
            .iter()
            .any(|e| e == "Killing: Container c failed liveness probe, will be restarted"),
        "{events:#?}"
    );
    let log = cluster.previous_log("p", "c")?;
    ensure!(log == "serving here\nending\nterminated\n", "{log:?}");
    let uid = cluster.pod("p")?.uid();
    cluster
        .runtime
        .block_on(pods.delete("p", &DeleteParams::default()))?;
    eventually(|| {
        let there = cluster.runtime.block_on(pods.get_opt("p"))?;
        ensure!(there.is_none_or(|p| p.uid() != uid), "still there");
        Ok(())
    })
}
