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
    ("services_of_every_shape_lead_where_they_say", shapes),
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

const SHAPES: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: IMAGE
        args: [serve, "80", "$(NAME)"]
        env: [{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: any}
spec: {selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec:
  selector: {app: db}
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}
  internalTrafficPolicy: Local
  ports: [{port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: NodePort, externalTrafficPolicy: Local, selector: {app: db}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: any.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: manual}
spec: {ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: unready, labels: {app: unready}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: IMAGE, args: [serve, "80", unready], readinessProbe: {exec: {command: [/bin/false]}}}
---
apiVersion: v1
kind: Service
metadata: {name: hidden}
spec: {clusterIP: None, selector: {app: unready}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shown}
spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app: unready}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: self, image: IMAGE, args: [serve, "81", self]}]
"#;

fn shapes() -> Result<()> {
    let cluster = Cluster::start("shapes")?;
    cluster.apply(&SHAPES.replace("IMAGE", &image()))?;
    cluster.kubectl(&["rollout", "status", "sts/db", "--timeout=30s"])?;
    cluster.wait_ready("client")?;
    let answers = |host: &str, port: &str, wanted: &str| {
        eventually(|| {
            let answer = ask(&cluster, host, port)?;
            ensure!(answer.starts_with(wanted), "{host} says {answer:?}");
            Ok(answer)
        })
    };
    answers("db-0.db", "80", "db-0")?;
    answers("db-2.db.default.svc.cluster.local", "80", "db-2")?;
    answers("10.244.0.1", "30080", "db-")?;
    answers("alias", "80", "db-")?;
    answers("shown", "80", "unready")?;
    ensure!(ask(&cluster, "hidden", "80").is_err(), "nobody there is ready");
    ensure!(ask(&cluster, "db-3.db", "80").is_err(), "there is no such pod");
    let first = answers("sticky", "80", "db-")?;
    let mut others = std::collections::BTreeSet::new();
    for _ in 0..12 {
        ensure!(ask(&cluster, "sticky", "80")? == first, "not always {first}");
        others.insert(ask(&cluster, "any", "80")?);
    }
    // All the same happens twice in a million runs.
    ensure!(others.len() > 1, "always {others:?}");

    let ip = cluster.kubectl(&["get", "pod", "db-1", "-o", "jsonpath={.status.podIP}"])?;
    cluster.apply(&format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: manual-1, labels: \
         {{kubernetes.io/service-name: manual}}}}\naddressType: IPv4\nports: [{{name: http, port: 80}}]\nendpoints: \
         [{{addresses: [{ip}]}}]\n"
    ))?;
    answers("manual", "8080", "db-1")?;

    // The API server's own service is always there.
    let address = ["get", "svc", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"];
    let before = cluster.kubectl(&address)?;
    cluster.kubectl(&["delete", "svc", "kubernetes", "--wait=false"])?;
    eventually(|| {
        let after = cluster.kubectl(&address)?;
        ensure!(after == before, "{after}");
        Ok(())
    })?;

    let taken = "apiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec: {type: NodePort, ports: [{port: 80, \
                 nodePort: 30080}]}\n";
    for (manifest, wanted) in [
        (
            taken.to_owned(),
            "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
        ),
        (
            taken.replace("30080", "80"),
            "provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
    ] {
        let said = cluster.apply(&manifest).err().map(|e| e.to_string());
        let said = said.unwrap_or_default();
        ensure!(said.contains(wanted), "{said}");
    }
    Ok(())
}
