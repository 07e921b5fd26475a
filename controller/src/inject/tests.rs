//! What injection adds, whom it leaves alone, and that it can be undone.

use std::collections::BTreeMap;

use mesh_api::names;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Outcome, Place, Reason, Settings, Workload, inject_pod, uninject, uninject_workload, webhook,
    workload_template,
};

fn settings() -> Settings {
    Settings {
        image: "meshctl/meshctl:test".into(),
        ..Settings::new("mesh-system", "cluster.local")
    }
}

fn place(namespace: &str, label: Option<&str>) -> Place {
    let labels = label.map(|value| (names::INJECT.to_owned(), value.to_owned()));
    Place {
        namespace: namespace.into(),
        labels: BTreeMap::from_iter(labels),
    }
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

const POD: &str = "
metadata: {name: web, labels: {app: web}, annotations: {example.com/kept: 'yes'}}
spec:
  futureField: {of: a newer Kubernetes}
  initContainers: [{name: migrate, image: m}]
  containers: [{name: app, image: a}]
  volumes: [{name: data, emptyDir: {}}]
";

fn injected(pod: &Value) -> (Value, Vec<String>) {
    match inject_pod(pod, &place("shop", Some("enabled")), &settings()) {
        Outcome::Injected { pod, warnings } => (pod, warnings),
        skipped @ Outcome::Skipped(_) => panic!("{skipped:?}"),
    }
}

#[test]
fn redirects_first_then_the_proxy_then_everybody_else() {
    let (pod, warnings) = injected(&yaml(POD));
    assert!(warnings.is_empty());
    let init = pod["spec"]["initContainers"].as_array().unwrap();
    let order: Vec<&str> = init.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["mesh-redirect", "mesh-proxy", "migrate"]);
    let (redirect, proxy) = (&init[0], &init[1]);

    assert_eq!(
        (&redirect["args"], &redirect["image"]),
        (&json!(["redirect"]), &json!("meshctl/meshctl:test"))
    );
    assert_eq!(
        redirect["securityContext"]["capabilities"],
        json!({ "drop": ["ALL"], "add": ["NET_ADMIN"] })
    );
    assert_eq!(redirect["securityContext"]["runAsUser"], 0);

    assert_eq!(
        (&proxy["args"], &proxy["restartPolicy"]),
        (&json!(["proxy"]), &json!("Always"))
    );
    assert_eq!(
        proxy["securityContext"],
        json!({
            "runAsUser": names::PROXY_UID, "runAsGroup": names::PROXY_UID, "runAsNonRoot": true,
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" },
        })
    );
    for probe in ["startupProbe", "readinessProbe"] {
        assert_eq!(proxy[probe]["httpGet"]["path"], "/ready", "{probe}");
        assert_eq!(proxy[probe]["httpGet"]["port"], names::ADMIN_PORT, "{probe}");
    }
    let env = |name: &str| {
        proxy["env"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        env("MESH_CONTROLLER")["value"],
        "mesh-controller.mesh-system.svc:8443"
    );
    for (name, path) in [
        ("MESH_POD_IP", "status.podIP"),
        ("MESH_POD_NAME", "metadata.name"),
        ("MESH_POD_NAMESPACE", "metadata.namespace"),
        ("MESH_SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ] {
        assert_eq!(env(name)["valueFrom"]["fieldRef"]["fieldPath"], path);
    }
    let mounts: Vec<&str> = proxy["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(mounts, [names::TOKEN_DIR, names::TRUST_DIR, names::IDENTITY_DIR]);

    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    assert_eq!(volumes.len(), 4);
    let token = &volumes[1]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(
        (&token["audience"], &token["expirationSeconds"]),
        (&json!("meshctl.io"), &json!(3600))
    );
    assert_eq!(volumes[2]["configMap"]["name"], "mesh-trust-bundle");
    assert_eq!(volumes[3]["emptyDir"]["medium"], "Memory");
    assert_eq!(pod["metadata"]["annotations"][names::INJECTED], names::VERSION);
    assert_eq!(pod["spec"]["futureField"]["of"], "a newer Kubernetes");
    // And Kubernetes' own types can read it.
    let _: k8s_openapi::api::core::v1::Pod = serde_json::from_value(pod).unwrap();
}

#[test]
fn annotations_reach_the_containers() {
    let mut pod = yaml(POD);
    let annotations = json!({
        names::SKIP_INBOUND_PORTS: "22,9000-9010", names::SKIP_OUTBOUND_PORTS: "25",
        names::SKIP_OUTBOUND_CIDRS: "10.0.0.0/8", names::PROXY_LOG_LEVEL: "debug",
        names::PROXY_CPU_REQUEST: "50m", names::PROXY_CPU_LIMIT: "1", names::PROXY_MEMORY_LIMIT: "64Mi",
    });
    pod["metadata"]["annotations"] = annotations;
    let (pod, warnings) = injected(&pod);
    assert!(warnings.is_empty(), "{warnings:?}");
    let init = &pod["spec"]["initContainers"];
    assert_eq!(
        init[0]["env"],
        json!([
            { "name": "MESH_SKIP_INBOUND_PORTS", "value": "22,9000-9010" },
            { "name": "MESH_SKIP_OUTBOUND_PORTS", "value": "25" },
            { "name": "MESH_SKIP_OUTBOUND_CIDRS", "value": "10.0.0.0/8" },
        ])
    );
    assert!(
        init[1]["env"]
            .as_array()
            .unwrap()
            .contains(&json!({ "name": "MESH_LOG", "value": "debug" }))
    );
    assert_eq!(
        init[1]["resources"],
        json!({ "requests": { "cpu": "50m", "memory": "20Mi" }, "limits": { "cpu": "1", "memory": "64Mi" } })
    );
}

#[test]
fn mistakes_in_annotations_are_warnings() {
    let mut pod = yaml(POD);
    pod["metadata"]["annotations"] = json!({
        names::PROXY_CPU_LIMIT: "a lot", names::PROXY_MEMORY_REQUEST: "12Qi", names::OPAQUE_PORTS: "3306,mysql",
    });
    let (pod, warnings) = injected(&pod);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().any(|w| w.contains("\"mysql\"")), "{warnings:?}");
    assert_eq!(
        pod["spec"]["initContainers"][1]["resources"],
        json!({ "requests": { "cpu": "10m", "memory": "20Mi" } })
    );
}

#[test]
fn leaves_alone_whom_it_must() {
    let ask = |change: fn(&mut Value), place: &Place| {
        let mut pod = yaml(POD);
        change(&mut pod);
        match inject_pod(&pod, place, &settings()) {
            Outcome::Injected { .. } => None,
            Outcome::Skipped(reason) => Some(reason),
        }
    };
    let same: fn(&mut Value) = |_| {};
    let annotate: fn(&mut Value) = |p| p["metadata"]["annotations"][names::INJECT] = "enabled".into();
    let refuse: fn(&mut Value) = |p| p["metadata"]["labels"][names::INJECT] = "disabled".into();
    let host: fn(&mut Value) = |p| p["spec"]["hostNetwork"] = true.into();
    let had: fn(&mut Value) = |p| p["spec"]["initContainers"][0]["name"] = "mesh-proxy".into();
    let empty: fn(&mut Value) = |p| p["spec"] = Value::Null;
    let (enabled, none) = (place("shop", Some("enabled")), place("shop", None));
    let cases = [
        ("namespace asks", same, &enabled, None),
        ("nobody asks", same, &none, Some(Reason::NotEnabled)),
        ("pod asks", annotate, &none, None),
        (
            "pod asks, namespace refuses",
            annotate,
            &place("shop", Some("disabled")),
            None,
        ),
        (
            "namespace refuses",
            same,
            &place("shop", Some("disabled")),
            Some(Reason::Disabled),
        ),
        ("pod refuses", refuse, &enabled, Some(Reason::Disabled)),
        ("host network", host, &enabled, Some(Reason::HostNetwork)),
        (
            "system",
            annotate,
            &place("kube-system", Some("enabled")),
            Some(Reason::SystemNamespace),
        ),
        (
            "public",
            annotate,
            &place("kube-public", None),
            Some(Reason::SystemNamespace),
        ),
        (
            "the mesh itself",
            annotate,
            &place("mesh-system", Some("enabled")),
            Some(Reason::MeshNamespace),
        ),
        ("injected already", had, &enabled, Some(Reason::AlreadyInjected)),
        ("not a pod", empty, &enabled, Some(Reason::NotAPod)),
    ];
    for (what, change, place, expected) in cases {
        assert_eq!(ask(change, place), expected, "{what}");
    }
    let (again, _) = injected(&yaml(POD));
    assert_eq!(
        inject_pod(&again, &enabled, &settings()),
        Outcome::Skipped(Reason::AlreadyInjected),
        "the webhook may be called twice"
    );
}

/// Pods of many shapes: every combination of having and not having what injection touches.
fn shapes() -> impl Iterator<Item = Value> {
    (0..32u32).map(|bits| {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let mut pod = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "name": "app" }] } });
        if has(0) {
            pod["metadata"]["annotations"] = json!({ "a": "b" });
        }
        if has(1) {
            pod["spec"]["initContainers"] = json!([{ "name": "one" }, { "name": "two", "restartPolicy": "Always" }]);
        }
        if has(2) {
            pod["spec"]["volumes"] = json!([{ "name": "v", "emptyDir": {} }]);
        }
        if has(3) {
            pod["spec"]["securityContext"] = json!({ "fsGroup": 5 });
        }
        if has(4) {
            pod["metadata"]["annotations"][names::SKIP_OUTBOUND_PORTS] = "25".into();
        }
        pod
    })
}

#[test]
fn uninject_is_the_exact_inverse() {
    for pod in shapes() {
        assert_eq!(uninject(&pod), None, "nothing to take out of {pod}");
        assert_eq!(uninject(&injected(&pod).0), Some(pod));
    }
    for (version, kind, path) in [
        ("apps/v1", "Deployment", "/spec/template"),
        ("apps/v1", "StatefulSet", "/spec/template"),
        ("apps/v1", "DaemonSet", "/spec/template"),
        ("batch/v1", "Job", "/spec/template"),
        ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
        ("v1", "Pod", ""),
    ] {
        for pod in shapes() {
            let mut object = json!({});
            for part in path
                .split('/')
                .rev()
                .filter(|p| !p.is_empty())
                .fold(vec![], |mut all, p| {
                    all.push(p);
                    all
                })
            {
                object = if object == json!({}) {
                    json!({ part: pod })
                } else {
                    json!({ part: object })
                };
            }
            if path.is_empty() {
                object = pod.clone();
            }
            object["apiVersion"] = version.into();
            object["kind"] = kind.into();
            let Workload::Changed { object: changed, .. } = workload_template(&object, "shop", &settings())
            else {
                panic!("{kind} is not injected: {object}");
            };
            let names = &changed.pointer(path).unwrap()["spec"]["initContainers"][0]["name"];
            assert_eq!(names, "mesh-redirect", "{kind}");
            assert_eq!(uninject_workload(&changed), Some(object), "{kind}");
        }
    }
    let other = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": {} });
    assert_eq!(workload_template(&other, "shop", &settings()), Workload::NoPods);
    assert_eq!(uninject_workload(&other), None);
}

#[test]
fn the_webhook_answers_a_patch_that_leads_to_the_injected_pod() {
    let pod = yaml(POD);
    let request = |operation: &str, pod: &Value| json!({ "request": { "uid": "u-1", "operation": operation, "kind": { "kind": "Pod" }, "object": pod } });
    let place = place("shop", Some("enabled"));
    let (answer, done) = webhook::review(&request("CREATE", &pod), &place, &settings());
    assert!(done && answer["response"]["allowed"] == true && answer["response"]["uid"] == "u-1");
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    let patch = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        answer["response"]["patch"].as_str().unwrap(),
    )
    .unwrap();
    let patch = json_patch::Patch::deserialize(&serde_json::from_slice::<Value>(&patch).unwrap()).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(patched, injected(&pod).0);

    for review in [
        request("UPDATE", &pod),
        request("CREATE", &json!(7)),
        json!({}),
        json!("nonsense"),
    ] {
        let (answer, done) = webhook::review(&review, &place, &settings());
        assert!(!done && answer["response"]["allowed"] == true, "{review}");
        assert!(answer["response"]["patch"].is_null());
    }
}

#[test]
fn what_users_of_other_meshes_write_is_understood() {
    let skipped = |pod: Value| match inject_pod(&pod, &place("shop", Some("enabled")), &settings()) {
        Outcome::Skipped(reason) => reason,
        injected @ Outcome::Injected { .. } => panic!("{injected:?}"),
    };
    for (part, name, no) in [
        ("labels", "sidecar.istio.io/inject", "false"),
        ("annotations", "sidecar.istio.io/inject", "false"),
        ("annotations", "linkerd.io/inject", "disabled"),
    ] {
        let mut pod = yaml(POD);
        pod["metadata"][part][name] = no.into();
        assert_eq!(skipped(pod.clone()), Reason::Disabled, "{part} {name}");
        pod["metadata"]["labels"][names::INJECT] = "enabled".into();
        let both = inject_pod(&pod, &place("shop", None), &settings());
        assert!(
            matches!(both, Outcome::Injected { .. }),
            "what is said to us goes first"
        );
        let mut pod = yaml(POD);
        pod["metadata"][part][name] = "true".into();
        assert_eq!(
            inject_pod(&pod, &place("shop", None), &settings()),
            Outcome::Skipped(Reason::NotEnabled),
            "another mesh's wish is not ours to fulfil"
        );
    }
    let mut other = yaml(POD);
    other["spec"]["initContainers"][0]["name"] = "istio-init".into();
    assert_eq!(skipped(other), Reason::OtherMesh);
    let mut gateway = yaml(POD);
    gateway["spec"]["containers"][0]["name"] = "istio-proxy".into();
    injected(&gateway);
    let mut sized = yaml(POD);
    sized["metadata"]["annotations"]["sidecar.istio.io/proxyCPU"] = "37m".into();
    sized["metadata"]["annotations"]["config.linkerd.io/proxy-memory-limit"] = "99Mi".into();
    let text = injected(&sized).0.to_string();
    assert!(
        text.contains("\"cpu\":\"37m\"") && text.contains("\"memory\":\"99Mi\""),
        "{text}"
    );
    let mut windows = yaml(POD);
    windows["spec"]["os"] = json!({ "name": "windows" });
    assert_eq!(skipped(windows), Reason::Windows);
    let mut windows = yaml(POD);
    windows["spec"]["nodeSelector"] = json!({ "kubernetes.io/os": "windows" });
    assert_eq!(skipped(windows), Reason::Windows);

    let mut pod = yaml(POD);
    pod["metadata"]["annotations"] = json!({
        "traffic.sidecar.istio.io/excludeOutboundPorts": "3306,9092",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "169.254.169.254/32",
        "config.linkerd.io/skip-inbound-ports": "4567,9000-9002",
        "config.linkerd.io/skip-outbound-ports": "1",
        names::SKIP_OUTBOUND_PORTS: "25",
    });
    let (pod, warnings) = injected(&pod);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        pod["spec"]["initContainers"][0]["env"],
        json!([
            { "name": "MESH_SKIP_INBOUND_PORTS", "value": "4567,9000-9002" },
            { "name": "MESH_SKIP_OUTBOUND_PORTS", "value": "25" },
            { "name": "MESH_SKIP_OUTBOUND_CIDRS", "value": "169.254.169.254/32" },
        ]),
        "ours goes first"
    );
}

#[test]
fn an_app_that_runs_as_the_proxy_is_warned_of() {
    let mut pod = yaml(POD);
    pod["spec"]["securityContext"] = json!({ "runAsUser": names::PROXY_UID });
    let (_, warnings) = injected(&pod);
    assert!(
        warnings[0].contains("container app runs as user 14000"),
        "{warnings:?}"
    );
    pod["spec"]["containers"][0]["securityContext"] = json!({ "runAsUser": 1000 });
    assert!(injected(&pod).1.is_empty(), "its own word goes first");
}

#[test]
fn what_was_chosen_for_all_sidecars_holds_unless_a_pod_says_otherwise() {
    let chosen = r#"{"requests": {"cpu": "20m"}, "limits": {"cpu": "1", "memory": "64Mi"}}"#;
    let settings = Settings {
        defaults: super::Defaults::read("mine, theirs", chosen),
        ..settings()
    };
    let inject = |pod: &Value| match inject_pod(pod, &place("shop", Some("enabled")), &settings) {
        Outcome::Injected { pod, .. } => pod,
        Outcome::Skipped(reason) => panic!("{reason}"),
    };
    let mut pod = yaml(POD);
    pod["spec"]["imagePullSecrets"] = json!([{"name": "theirs"}]);
    let injected = inject(&pod);
    assert_eq!(
        injected["spec"]["imagePullSecrets"],
        json!([{"name": "theirs"}, {"name": "mine"}])
    );
    // A quota of limits would refuse a pod with any container that has none.
    for container in [0, 1] {
        let resources = &injected["spec"]["initContainers"][container]["resources"];
        assert_eq!(
            *resources,
            json!({"requests": {"cpu": "20m"}, "limits": {"cpu": "1", "memory": "64Mi"}})
        );
    }
    pod["metadata"]["annotations"][names::PROXY_MEMORY_LIMIT] = "128Mi".into();
    assert_eq!(
        inject(&pod)["spec"]["initContainers"][0]["resources"]["limits"],
        json!({"cpu": "1", "memory": "128Mi"})
    );
    assert!(super::Defaults::read("", "{").resources.is_null());
}
