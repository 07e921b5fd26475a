//! What was done in each recorded scenario.

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};

use super::{NAMESPACE, Replay};

const IMAGE: &str = "docker.io/local/busybox:1";
const SERVE: &str = "mkdir -p /tmp/w; echo hi > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w";

/// Texts that were recorded, and what stands for them here: of programs that this machine has in another make.
pub fn texts() -> Result<Vec<(String, String)>> {
    Ok(vec![
        (SERVE.into(), serve()?),
        ("can't open '/tmp/ok'".into(), "/tmp/ok".into()),
    ])
}

/// A server that does not end when it is asked to.
fn serve() -> Result<String> {
    Ok(format!(
        "{} serve 8080 hi & wait",
        std::env::current_exe()?.display()
    ))
}

/// Whether pods end in a scenario itself, not only when it is over.
pub fn ends_pods(scenario: &str) -> bool {
    matches!(scenario, "delete with grace" | "scale to zero")
}

/// What was there before the first scenario.
pub fn prepare(replay: &Replay) -> Result<()> {
    let namespace = json!({"metadata": {"name": NAMESPACE}});
    replay.ask(Method::POST, "/api/v1/namespaces", &namespace)?;
    for (name, more) in [
        ("ds", json!({"clusterIP": "10.96.231.227"})),
        (
            "ext",
            json!({"type": "ExternalName", "externalName": "example.com", "ports": null, "selector": null}),
        ),
        ("headless", json!({"clusterIP": "None"})),
        ("np", json!({"clusterIP": "10.96.166.43", "type": "NodePort"})),
        ("web", json!({"clusterIP": "10.96.111.31"})),
    ] {
        let mut service = json!({
            "metadata": {"name": name},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
        });
        merge(&mut service["spec"], more);
        if name == "np" {
            service["spec"]["ports"][0]["nodePort"] = 30891.into();
        }
        make(replay, "/api/v1", "services", &service)?;
    }
    Ok(())
}

fn make(replay: &Replay, api: &str, plural: &str, object: &Value) -> Result<()> {
    let path = format!("{api}/namespaces/{NAMESPACE}/{plural}");
    replay.ask(Method::POST, &path, object)
}

fn patch(replay: &Replay, patch: &Value) -> Result<()> {
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/web");
    replay.ask(Method::PATCH, &path, patch)
}

fn delete(replay: &Replay, path: &str) -> Result<()> {
    replay.ask(Method::DELETE, path, &Value::Null)
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

fn shell(name: &str, script: &str, more: Value) -> Value {
    let mut container = json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", script],
    });
    merge(&mut container, more);
    container
}

fn pod(replay: &Replay, name: &str, spec: Value) -> Result<()> {
    let mut pod = json!({"metadata": {"name": name, "labels": {"s": name}}, "spec": {"terminationGracePeriodSeconds": 1}});
    merge(&mut pod["spec"], spec);
    make(replay, "/api/v1", "pods", &pod)
}

/// Does what was done, and before it what was done when the scenario before was over.
pub fn play(replay: &Replay, scenario: &str) -> Result<()> {
    const PODS: &str = "/api/v1/namespaces/rec/pods";
    match scenario {
        "simple pod" => pod(
            replay,
            "simple",
            json!({
                "terminationGracePeriodSeconds": 3,
                "containers": [shell("c", "sleep 1000", json!({}))],
            }),
        ),
        "delete with grace" => delete(replay, &format!("{PODS}/simple")),
        "native sidecar: order, then the app ends and the sidecar is stopped" => sidecar(replay),
        "crash loop" => pod(
            replay,
            "crash",
            json!({"containers": [shell("c", "echo boom; sleep 0.2; exit 3", json!({}))]}),
        ),
        "image that cannot be had" => {
            delete(replay, &format!("{PODS}/crash"))?;
            let image = "docker.io/local/none:1";
            pod(
                replay,
                "noimg",
                json!({"containers": [{"name": "c", "image": image, "imagePullPolicy": "Never"}]}),
            )
        }
        "failing init container" => {
            delete(replay, &format!("{PODS}/noimg"))?;
            pod(
                replay,
                "badinit",
                json!({
                    "restartPolicy": "Never",
                    "initContainers": [shell("i", "sleep 0.2; exit 1", json!({}))],
                    "containers": [shell("c", "true", json!({}))],
                }),
            )
        }
        "readiness comes and goes" => {
            let probe = json!({"readinessProbe": {
                "exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 2,
            }});
            let script = "sleep 1; touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000";
            pod(
                replay,
                "ready",
                json!({"containers": [shell("c", script, probe)]}),
            )
        }
        "liveness restarts" => {
            // The image had no `false`: what cannot be asked counts neither way.
            let probe = json!({"livenessProbe": {"exec": {"command": ["no-false"]}, "periodSeconds": 1}});
            pod(
                replay,
                "live",
                json!({"containers": [shell("c", "sleep 1000", probe)]}),
            )
        }
        "deployment and service" => {
            delete(replay, &format!("{PODS}/live"))?;
            delete(replay, &format!("{PODS}/ready"))?;
            deployment(replay)
        }
        "rolling update" => {
            let template = json!({"metadata": {"annotations": {"v": "2"}}});
            patch(replay, &json!({"spec": {"template": template}}))
        }
        "rollout that cannot progress" => {
            let container =
                json!({"name": "c", "image": "docker.io/local/none:1", "imagePullPolicy": "Never"});
            let template = json!({"spec": {"containers": [container]}});
            patch(
                replay,
                &json!({"spec": {"template": template, "progressDeadlineSeconds": 4}}),
            )
        }
        "scale to zero" => patch(replay, &json!({"spec": {"replicas": 0}})),
        "job with a native sidecar completes" => job(replay),
        "stateful set with headless service" => stateful_set(replay),
        "environment, downward API, projected token" => {
            delete(replay, "/apis/apps/v1/namespaces/rec/statefulsets/db")?;
            environment(replay)
        }
        other => anyhow::bail!("nobody knows what was done in {other:?}"),
    }
}

fn sidecar(replay: &Replay) -> Result<()> {
    let side = json!({
        "restartPolicy": "Always",
        "startupProbe": {"exec": {"command": ["/bin/true"]}, "periodSeconds": 1},
    });
    let until_told = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    pod(
        replay,
        "job1",
        json!({
            "restartPolicy": "Never",
            "initContainers": [
                shell("first", "sleep 0.3", json!({})),
                shell("side", until_told, side),
                shell("second", "sleep 0.3", json!({})),
            ],
            "containers": [shell("app", "sleep 1", json!({}))],
        }),
    )
}

fn deployment(replay: &Replay) -> Result<()> {
    let container = shell(
        "c",
        &serve()?,
        json!({
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "V", "value": "1"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        }),
    );
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"s": "web"}},
            "template": {
                "metadata": {"labels": {"s": "web"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    });
    make(replay, "/apis/apps/v1", "deployments", &deployment)?;
    let service = json!({
        "metadata": {"name": "websvc"},
        "spec": {
            "clusterIP": "10.96.167.63",
            "selector": {"s": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    });
    make(replay, "/api/v1", "services", &service)
}

fn job(replay: &Replay) -> Result<()> {
    let always = json!({"restartPolicy": "Always"});
    let side = shell(
        "side",
        "trap \"exit 0\" TERM; while true; do sleep 0.2; done",
        always,
    );
    let template = json!({
        "metadata": {"labels": {"s": "once"}},
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [side],
            "containers": [shell("c", "echo done", json!({}))],
        },
    });
    let job = json!({"metadata": {"name": "once"}, "spec": {"backoffLimit": 1, "template": template}});
    make(replay, "/apis/batch/v1", "jobs", &job)
}

fn stateful_set(replay: &Replay) -> Result<()> {
    let service = json!({
        "metadata": {"name": "db"},
        "spec": {"clusterIP": "None", "selector": {"s": "db"}, "ports": [{"port": 5432}]},
    });
    make(replay, "/api/v1", "services", &service)?;
    let set = json!({
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 2,
            "serviceName": "db",
            "selector": {"matchLabels": {"s": "db"}},
            "template": {
                "metadata": {"labels": {"s": "db"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [shell("c", "sleep 1000", json!({}))]},
            },
        },
    });
    make(replay, "/apis/apps/v1", "statefulsets", &set)
}

fn environment(replay: &Replay) -> Result<()> {
    let map = json!({"metadata": {"name": "cm"}, "data": {"k": "v1"}});
    make(replay, "/api/v1", "configmaps", &map)?;
    let script = "ls -lan /cm /etc/i /var/run/secrets/tokens; cat /etc/i/labels /cm/k; id; hostname; cat /etc/hosts \
                  /etc/resolv.conf; env | sort";
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let container = shell(
        "c",
        script,
        json!({
            "env": [
                field("POD_IP", "status.podIP"),
                field("NODE", "spec.nodeName"),
                {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
                {"name": "EXP", "value": "a-$(POD_IP)-$(NOPE)"},
            ],
            "resources": {"limits": {"memory": "64Mi"}},
            "volumeMounts": [
                {"name": "i", "mountPath": "/etc/i"},
                {"name": "t", "mountPath": "/var/run/secrets/tokens"},
                {"name": "cm", "mountPath": "/cm"},
            ],
        }),
    );
    let labels = json!([{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]);
    let sources = json!([
        {"serviceAccountToken": {"audience": "mesh", "expirationSeconds": 3600, "path": "mesh-token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]);
    pod(
        replay,
        "vols",
        json!({
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 1234, "runAsGroup": 99},
            "volumes": [
                {"name": "i", "downwardAPI": {"items": labels}},
                {"name": "t", "projected": {"sources": sources}},
                {"name": "cm", "configMap": {"name": "cm"}},
            ],
            "containers": [container],
        }),
    )
}
