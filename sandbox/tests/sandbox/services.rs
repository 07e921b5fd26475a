//! Workloads and services: names, addresses, readiness.

use anyhow::{Result, ensure};

use crate::{
    Trial,
    cluster::{Cluster, eventually, image},
};

pub const TRIALS: &[Trial] = &[
    ("pods_call_each_other_by_service_name_and_updates_roll", by_name),
    ("a_service_without_ready_endpoints_refuses_at_once", refuses),
    ("a_job_with_a_native_sidecar_completes", job),
];

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: c
        image: IMAGE
        args: [serve, "80", "v1"]
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        securityContext: {runAsUser: 1000}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8080, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: web-direct}
spec:
  clusterIP: None
  selector: {app: web}
  ports: [{name: http, port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: x, command: [/bin/sleep, "1000"]}, {name: self, image: IMAGE, args: [serve, "81", self]}]
"#;

fn ask(cluster: &Cluster, host: &str, port: &str) -> Result<String> {
    let answer = cluster.kubectl(&[
        "exec", "client", "-c", "self", "--", "/meshctl", "ask", host, port,
    ])?;
    Ok(answer.trim().to_owned())
}

fn by_name() -> Result<()> {
    let cluster = Cluster::start("name")?;
    let manifest = WEB.replace("IMAGE", &image());
    cluster.apply(&manifest)?;
    cluster.kubectl(&["rollout", "status", "deploy/web", "--timeout=20s"])?;
    cluster.wait_ready("client")?;
    for (host, port) in [
        ("web", "8080"),
        ("web.default", "8080"),
        ("web.default.svc.cluster.local", "8080"),
        ("web-direct", "80"),
    ] {
        eventually(|| {
            let answer = ask(&cluster, host, port)?;
            ensure!(answer == "v1", "{host} says {answer:?}");
            Ok(())
        })?;
    }
    ensure!(
        ask(&cluster, "nosuch", "80").is_err(),
        "a name that does not exist must not resolve"
    );
    cluster.apply(&manifest.replace("\"v1\"", "\"v2\""))?;
    cluster.kubectl(&["rollout", "status", "deploy/web", "--timeout=20s"])?;
    eventually(|| {
        let answer = ask(&cluster, "web", "8080")?;
        ensure!(answer == "v2", "still {answer:?}");
        Ok(())
    })
}

fn refuses() -> Result<()> {
    let cluster = Cluster::start("refuse")?;
    cluster.apply(
        &WEB.replace("IMAGE", &image())
            .replace("replicas: 2", "replicas: 0"),
    )?;
    cluster.wait_ready("client")?;
    let began = std::time::Instant::now();
    let error = ask(&cluster, "web", "8080")
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    ensure!(error.contains("refused"), "{error:?}");
    ensure!(began.elapsed().as_secs() < 3, "it took {:?}", began.elapsed());
    cluster.kubectl(&["scale", "deploy/web", "--replicas=1"])?;
    eventually(|| {
        let answer = ask(&cluster, "web", "8080")?;
        ensure!(answer == "v1", "{answer:?}");
        Ok(())
    })
}

fn job() -> Result<()> {
    let cluster = Cluster::start("job")?;
    cluster.apply(&format!(
        r#"
apiVersion: batch/v1
kind: Job
metadata: {{name: once}}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 2
      initContainers: [{{name: side, image: {image}, args: [serve, "8081", side], restartPolicy: Always}}]
      containers: [{{name: c, image: x, command: [/bin/sh, -c, "echo done"]}}]
"#,
        image = image()
    ))?;
    cluster.kubectl(&["wait", "--for=condition=complete", "job/once", "--timeout=20s"])?;
    Ok(())
}
