//! Injection undone, over the shapes that real workloads have.

use mesh_api::names::{self, env};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Value, json};

use super::{Outcome, Settings, Workload, inject_always, uninject, uninject_workload, workload_template};

fn settings() -> Settings {
    Settings::new("mesh-system", "cluster.local")
}

fn inject(pod: &Value) -> (Value, Vec<String>) {
    match inject_always(pod, "shop", &settings()) {
        Outcome::Injected { pod, warnings } => (pod, warnings),
        Outcome::Skipped(reason) => panic!("{reason}"),
    }
}

fn originals(pod: &Value) -> Value {
    let proxy = &pod["spec"]["initContainers"][1];
    let variables = proxy["env"].as_array().unwrap();
    let found = variables.iter().find(|v| v["name"] == env::PROBES);
    found.map_or(Value::Null, |v| {
        serde_json::from_str(v["value"].as_str().unwrap()).unwrap()
    })
}

#[test]
fn probes_go_through_the_admin_port_and_keep_their_timings() {
    let pod = json!({ "metadata": {}, "spec": {
        "initContainers": [
            { "name": "side", "restartPolicy": "Always", "startupProbe": { "grpc": { "port": 5000, "service": "s" } } },
            { "name": "once", "readinessProbe": { "httpGet": { "port": 1 } } },
        ],
        "containers": [{
            "name": "app",
            "ports": [{ "name": "web", "containerPort": 8080 }],
            "livenessProbe": { "httpGet": { "path": "/live", "port": "web", "scheme": "HTTPS" }, "periodSeconds": 7, "failureThreshold": 2 },
            "readinessProbe": { "tcpSocket": { "port": 8080 } },
            "startupProbe": { "exec": { "command": ["true"] } },
        }],
    }});
    let (injected, warnings) = inject(&pod);
    assert!(warnings.is_empty());
    let app = &injected["spec"]["containers"][0];
    assert_eq!(
        app["livenessProbe"],
        json!({ "httpGet": { "path": "/probe/app/liveness", "port": names::ADMIN_PORT }, "periodSeconds": 7, "failureThreshold": 2 })
    );
    assert_eq!(app["readinessProbe"]["httpGet"]["path"], "/probe/app/readiness");
    assert!(app["readinessProbe"]["tcpSocket"].is_null());
    assert_eq!(
        app["startupProbe"], pod["spec"]["containers"][0]["startupProbe"],
        "nobody calls the app"
    );
    let side = &injected["spec"]["initContainers"][2];
    assert_eq!(side["startupProbe"]["httpGet"]["path"], "/probe/side/startup");
    let originals = originals(&injected);
    assert_eq!(
        originals["app/liveness"]["httpGet"]["port"], 8080,
        "named ports are numbers here"
    );
    assert_eq!(originals["app/liveness"]["httpGet"]["scheme"], "HTTPS");
    assert_eq!(
        originals["side/startup"]["grpc"],
        json!({ "port": 5000, "service": "s" })
    );
    assert_eq!(originals.as_object().unwrap().len(), 3);
    assert_eq!(uninject(&injected), Some(pod));
}

#[test]
fn calls_at_start_and_end_go_the_same_way() {
    let pod = json!({ "metadata": {}, "spec": { "containers": [{
        "name": "app",
        "ports": [{ "name": "web", "containerPort": 8080 }],
        "lifecycle": {
            "postStart": { "exec": { "command": ["true"] } },
            "preStop": { "httpGet": { "path": "/leave", "port": "web" } },
        },
    }]}});
    let (injected, warnings) = inject(&pod);
    assert!(warnings.is_empty());
    let lifecycle = &injected["spec"]["containers"][0]["lifecycle"];
    assert_eq!(
        lifecycle["preStop"],
        json!({ "httpGet": { "path": "/probe/app/preStop", "port": names::ADMIN_PORT } })
    );
    assert_eq!(lifecycle["postStart"], json!({ "exec": { "command": ["true"] } }));
    assert_eq!(originals(&injected)["app/preStop"]["httpGet"]["port"], 8080);
    assert_eq!(uninject(&injected), Some(pod));
}

#[test]
fn probes_that_the_proxy_is_not_in_the_way_of_stay() {
    let probe = |action: Value| {
        json!({ "metadata": { "annotations": { names::SKIP_INBOUND_PORTS: "9000-9010" } },
            "spec": { "containers": [{ "name": "app", "livenessProbe": action }] } })
    };
    for action in [
        json!({ "httpGet": { "port": 9001 } }),
        json!({ "httpGet": { "port": 80, "host": "10.0.0.1" } }),
        json!({ "tcpSocket": { "port": 80, "host": "db" } }),
        json!({ "exec": { "command": ["x"] } }),
    ] {
        let (injected, _) = inject(&probe(action.clone()));
        assert_eq!(injected["spec"]["containers"][0]["livenessProbe"], action);
        assert_eq!(originals(&injected), Value::Null);
    }
    let (injected, warnings) = inject(&probe(json!({ "httpGet": { "port": "nothing" } })));
    assert_eq!(
        injected["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"],
        "nothing"
    );
    assert!(warnings[0].contains("no port named \"nothing\""), "{warnings:?}");
}

fn probe() -> impl Strategy<Value = Value> {
    let port = || {
        prop_oneof![
            (1u32..65536).prop_map(|n| json!(n)),
            select(vec![json!("web"), json!("8080"), json!("none")])
        ]
    };
    let action = prop_oneof![
        (port(), option::of("/[a-z]{0,5}"), option::of(select(vec!["HTTP", "HTTPS"])), option::of(select(vec!["", "other"])))
            .prop_map(|(port, path, scheme, host)| json!({ "httpGet": some([("port", Some(port)), ("path", path.map(Value::from)),
                ("scheme", scheme.map(Value::from)), ("host", host.map(Value::from))]) })),
        port().prop_map(|port| json!({ "tcpSocket": { "port": port } })),
        (1u32..65536).prop_map(|port| json!({ "grpc": { "port": port } })),
        Just(json!({ "exec": { "command": ["true"] } })),
    ];
    (action, option::of(1u32..100)).prop_map(|(mut probe, period)| {
        if let Some(period) = period {
            probe["periodSeconds"] = period.into();
        }
        probe
    })
}

/// An object with the fields that are there.
fn some<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter();
    let there = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

fn container(prefix: &'static str) -> impl Strategy<Value = Value> {
    let ports = option::of(Just(json!([{ "name": "web", "containerPort": 8080 }])));
    (
        0u32..1000,
        ports,
        option::of(probe()),
        option::of(probe()),
        option::of(probe()),
        option::of(
            (option::of(probe()), option::of(probe()))
                .prop_map(|(start, stop)| some([("postStart", start), ("preStop", stop)])),
        ),
        option::of(Just(json!("Always"))),
    )
        .prop_map(move |(n, ports, live, ready, startup, lifecycle, restart)| {
            some([
                ("name", Some(format!("{prefix}{n}").into())),
                ("ports", ports),
                ("livenessProbe", live),
                ("readinessProbe", ready),
                ("startupProbe", startup),
                ("lifecycle", lifecycle),
                ("restartPolicy", restart.filter(|_| prefix == "init")),
            ])
        })
}

/// Containers of a pod have different names.
fn named(mut list: Vec<Value>) -> Value {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|c| seen.insert(c["name"].to_string()));
    list.into()
}

fn pod() -> impl Strategy<Value = Value> {
    let annotations = option::of(btree_map("[a-z]{1,3}", "[a-z]{0,3}", 1..3).prop_map(|m| json!(m)));
    let skipped = option::of(select(vec!["80", "1-40000", "nonsense"]));
    let volumes = option::of(Just(json!([{ "name": "data", "emptyDir": {} }])));
    (annotations, skipped, vec(container("app"), 1..4), vec(container("init"), 0..3), volumes, option::of(Just(json!({ "app": "x" })))).prop_map(
        |(mut annotations, skipped, containers, inits, volumes, labels)| {
            if let Some(skipped) = skipped {
                annotations.get_or_insert(json!({}))[names::SKIP_INBOUND_PORTS] = skipped.into();
            }
            let inits = (!inits.is_empty()).then(|| named(inits));
            json!({
                "metadata": some([("annotations", annotations), ("labels", labels)]),
                "spec": some([("containers", Some(named(containers))), ("initContainers", inits), ("volumes", volumes)]),
            })
        },
    )
}

/// Every kind that has pods, around one.
fn workloads(pod: &Value) -> Vec<Value> {
    let object = |version: &str, kind: &str, spec: Value| json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "w" }, "spec": spec });
    let mut all: Vec<Value> = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
        .into_iter()
        .map(|kind| object("apps/v1", kind, json!({ "replicas": 1, "template": pod })))
        .collect();
    all.push(object("batch/v1", "Job", json!({ "template": pod })));
    all.push(object(
        "batch/v1",
        "CronJob",
        json!({ "jobTemplate": { "spec": { "template": pod } } }),
    ));
    all.push(object("v1", "ReplicationController", json!({ "template": pod })));
    let mut bare = pod.clone();
    bare["apiVersion"] = "v1".into();
    bare["kind"] = "Pod".into();
    all.push(bare);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn undoing_gives_back_what_there_was(pod in pod()) {
        let (injected, _) = inject(&pod);
        prop_assert_eq!(uninject(&injected), Some(pod.clone()));
        for object in workloads(&pod) {
            let Workload::Changed { object: changed, .. } = workload_template(&object, "shop", &settings()) else {
                panic!("{object}");
            };
            prop_assert_eq!(uninject_workload(&changed), Some(object));
        }
    }
}
