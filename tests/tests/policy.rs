//! Policies as users write them: the three pieces of Istio YAML that every tutorial has, mutual TLS made strict, and
//! probes of kubelet under it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

/// A service in two versions, which serves from a port that kubelet probes; two callers with identities, and one
/// without a sidecar.
fn workloads(image: &str) -> String {
    let server = |name: &str, version: &str, probes: Value| {
        let server = App::server(name).label("app", "service-b").version(version);
        server.probes(probes).deployment("policy", image)
    };
    let caller = |name: &str, account: &str, inject: bool| {
        let client = App::client(name, "http://my-service.policy/", 100);
        client.account(account).inject(inject).deployment("policy", image)
    };
    let by_name = json!({"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1});
    let by_port = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    [
        manifests::account("policy", "service-a"),
        manifests::account("policy", "other"),
        manifests::service("policy", "my-service", "service-b", "http"),
        server(
            "service-b-v1",
            "v1",
            json!({"readinessProbe": by_name, "livenessProbe": by_port}),
        ),
        server("service-b-v2", "v2", json!({"readinessProbe": by_name})),
        caller("a", "service-a", true),
        caller("other", "other", true),
        caller("plain", "other", false),
    ]
    .concat()
}

const SPLIT: &str = r"
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: my-service
  namespace: policy
spec:
  hosts:
  - my-service
  http:
  - route:
    - destination:
        host: my-service
        subset: v1
      weight: 90
    - destination:
        host: my-service
        subset: v2
      weight: 10
";

const DELAY: &str = r"
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: my-service
  namespace: policy
spec:
  hosts:
  - my-service
  http:
  - fault:
      delay:
        fixedDelay: 2s
        percentage:
          value: 50
    route:
    - destination:
        host: my-service
        subset: v2
";

const ONLY_A: &str = r#"
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: only-a
  namespace: policy
spec:
  selector:
    matchLabels:
      app: service-b
  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/policy/sa/service-a"]
"#;

const STRICT: &str = r"
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: policy}
spec: {mtls: {mode: STRICT}}
";

/// What came back to a caller in its latest second.
fn latest(cluster: &Cluster, caller: &str) -> Result<Value> {
    let log = cluster.kubectl(&["-n", "policy", "logs", caller, "-c", "app", "--tail=1"])?;
    serde_json::from_str(log.trim()).with_context(|| format!("{caller} says {log:?}"))
}

/// The share of the requests of a second that ended so.
fn share(second: &Value, list: &str, name: &str) -> f64 {
    let of = |value: &Value| value.as_f64().unwrap_or(0.0);
    of(&second[list][name]) / of(&second["requests"]).max(1.0)
}

fn apply(cluster: &Cluster, yaml: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), yaml)?;
    cluster.kubectl(&["apply", "-f", &file.path().to_string_lossy()])?;
    Ok(())
}

#[test]
fn the_yaml_of_the_tutorials_is_obeyed_and_probes_survive_it() -> Result<()> {
    let cluster = Cluster::start("policy")?;
    cluster.meshctl(&["install"])?;
    // What is made so is taken away again.
    cluster.objects.apply(&manifests::namespace("policy", true))?;
    apply(&cluster, &workloads(&cluster.image()?))?;
    for name in ["service-b-v1", "service-b-v2", "a", "other", "plain"] {
        let deployment = format!("deploy/{name}");
        cluster.kubectl(&["-n", "policy", "rollout", "status", &deployment, "--timeout=90s"])?;
    }
    eventually(LIMIT, || {
        let second = latest(&cluster, "deploy/plain")?;
        ensure!(
            share(&second, "statuses", "200") > 0.9,
            "a caller without a sidecar is let in: {second}"
        );
        Ok(())
    })?;

    apply(&cluster, SPLIT)?;
    eventually(LIMIT, || {
        let second = latest(&cluster, "deploy/a")?;
        let v2 = share(&second, "versions", "v2");
        ensure!((0.05..0.15).contains(&v2), "90/10: {second}");
        Ok(())
    })?;
    let accepted = r#"jsonpath={.status.conditions[?(@.type=="meshctl.io/Accepted")].status}"#;
    eventually(LIMIT, || {
        let status = cluster.kubectl(&[
            "-n",
            "policy",
            "get",
            "virtualservice",
            "my-service",
            "-o",
            accepted,
        ])?;
        ensure!(status == "True", "the object says what became of it: {status:?}");
        Ok(())
    })?;

    apply(&cluster, DELAY)?;
    eventually(LIMIT, || {
        let second = latest(&cluster, "deploy/a")?;
        let slowest = second["slowest"].as_f64().unwrap_or(0.0);
        ensure!(
            (2_000.0..3_000.0).contains(&slowest),
            "some wait for two seconds: {second}"
        );
        ensure!(share(&second, "versions", "v1") == 0.0, "all go to v2: {second}");
        Ok(())
    })?;
    cluster.kubectl(&["-n", "policy", "delete", "virtualservice", "my-service"])?;

    apply(&cluster, ONLY_A)?;
    eventually(LIMIT, || {
        let (a, other) = (latest(&cluster, "deploy/a")?, latest(&cluster, "deploy/other")?);
        ensure!(share(&other, "statuses", "403") > 0.99, "nobody else: {other}");
        ensure!(share(&a, "statuses", "200") > 0.99, "service-a: {a}");
        Ok(())
    })?;
    cluster.kubectl(&["-n", "policy", "delete", "authorizationpolicy", "only-a"])?;

    apply(&cluster, STRICT)?;
    // Connections that it has already are not what this is about.
    cluster.kubectl(&["-n", "policy", "rollout", "restart", "deploy/plain"])?;
    eventually(LIMIT, || {
        let (other, plain) = (
            latest(&cluster, "deploy/other")?,
            latest(&cluster, "deploy/plain")?,
        );
        ensure!(
            share(&plain, "statuses", "200") == 0.0,
            "plaintext is refused: {plain}"
        );
        ensure!(
            share(&other, "statuses", "200") > 0.99,
            "the mesh goes on: {other}"
        );
        Ok(())
    })?;
    // Kubelet has no identity, and its probes go on all the same: a pod made now becomes ready.
    cluster.kubectl(&["-n", "policy", "rollout", "restart", "deploy/service-b-v1"])?;
    cluster.kubectl(&[
        "-n",
        "policy",
        "rollout",
        "status",
        "deploy/service-b-v1",
        "--timeout=90s",
    ])?;
    Ok(())
}
