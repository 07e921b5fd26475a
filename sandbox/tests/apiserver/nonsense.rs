//! Whatever comes in, something sensible goes out: random paths, selectors, patches and bodies never panic, and never
//! make the server call itself broken.

use proptest::prelude::*;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster::{APPLY, Cluster, JSON, MAPS, MERGE, config_map, finish};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9 ./$~{}\\\\\"-]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "metadata",
            "name",
            "namespace",
            "labels",
            "annotations",
            "finalizers",
            "ownerReferences",
            "managedFields",
            "spec",
            "status",
            "data",
            "stringData",
            "containers",
            "template",
            "selector",
            "matchLabels",
            "ports",
            "port",
            "replicas",
            "rules",
            "webhooks",
            "clientConfig",
            "versions",
            "schema",
            "openAPIV3Schema",
            "properties",
            "type",
            "items",
            "names",
            "group",
            "kind",
            "apiVersion",
            "$patch",
            "$retainKeys",
            "resourceVersion",
            "uid",
            "deletionTimestamp",
            "generateName",
            "clusterIP",
            "initContainers",
            "env",
            "valueFrom",
            "volumes",
        ])
        .prop_map(String::from),
        "[a-z$./]{0,6}",
    ];
    leaf.prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn json_patch() -> impl Strategy<Value = Value> {
    let operation = (
        prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test", "frob"]),
        "(/(data|metadata|spec|a~1b|-|0|99|labels|name)){0,4}",
        json_value(),
    );
    prop::collection::vec(operation, 0..4).prop_map(|operations| {
        operations
            .into_iter()
            .map(|(op, path, value)| json!({"op": op, "path": path, "from": path, "value": value}))
            .collect()
    })
}

fn place() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "/api/v1/namespaces/t/configmaps",
        "/api/v1/namespaces/t/pods",
        "/api/v1/namespaces/t/services",
        "/api/v1/namespaces/t/secrets",
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/apis/apps/v1/namespaces/t/deployments",
        "/apis/apps/v1/namespaces/t/statefulsets",
        "/apis/batch/v1/namespaces/t/jobs",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/t/roles",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/t/rolebindings",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/events.k8s.io/v1/namespaces/t/events",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/apis/ex.io/v1/namespaces/t/things",
        "/apis",
        "/openapi/v3/api/v1",
    ]);
    let tail = prop_oneof![
        Just(String::new()),
        Just("/x".to_string()),
        "/x/(status|scale|token|binding|eviction|log|exec|finalize|proxy/y)",
        "(/[a-z%.]{0,5}){0,6}",
    ];
    (known, tail).prop_map(|(known, tail)| format!("{known}{}", tail.replace('%', "%25")))
}

fn query() -> impl Strategy<Value = String> {
    let pair = (
        prop::sample::select(vec![
            "labelSelector",
            "fieldSelector",
            "limit",
            "continue",
            "resourceVersion",
            "resourceVersionMatch",
            "dryRun",
            "fieldManager",
            "force",
            "fieldValidation",
            "gracePeriodSeconds",
            "propagationPolicy",
            "timeoutSeconds",
            "sendInitialEvents",
        ]),
        "[a-z0-9=!,() ><.%-]{0,14}",
    );
    prop::collection::vec(pair, 0..3).prop_map(|pairs| {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(key, value)| {
                let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
                format!("{key}={value}")
            })
            .collect();
        pairs.join("&")
    })
}

fn body_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => json_value().prop_map(|v| v.to_string().into_bytes()),
        1 => json_patch().prop_map(|v| v.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|tail| [b"k8s\0".to_vec(), tail].concat()),
        // An object that is there, changed somewhere.
        3 => (json_value(), json_value()).prop_map(|(spec, data)| {
            json!({"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": spec, "data": data}).to_string().into_bytes()
        }),
    ]
}

#[test]
fn random_requests_are_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cluster = runtime.block_on(async {
        let cluster = Cluster::start().await;
        cluster
            .ok(Method::POST, MAPS, JSON, config_map("x", json!({"a": "1"})))
            .await;
        cluster
    });
    let media = prop::sample::select(vec![
        JSON,
        MERGE,
        APPLY,
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
    ]);
    let accept = prop::sample::select(vec![
        JSON,
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
        "*/*",
    ]);
    let method = prop::sample::select(vec![
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(
            &(method, place(), query(), media, accept, body_bytes()),
            |(method, place, query, media, accept, bytes)| {
                let path = format!("{place}?{query}");
                if path.parse::<http::Uri>().is_err() {
                    return Ok(());
                }
                runtime.block_on(async {
                    let shown = format!("{method} {path} {media} {:?}", String::from_utf8_lossy(&bytes));
                    let response = cluster.raw(method, &path, media, accept, bytes).await;
                    let code = response.status();
                    prop_assert!(code != StatusCode::INTERNAL_SERVER_ERROR, "{shown}");
                    if code.is_client_error() {
                        let (_, value) = finish(response).await;
                        let is_status = value["kind"] == "Status" && value["code"] == code.as_u16();
                        prop_assert!(is_status || value.is_string(), "{shown}: {value}");
                    }
                    Ok(())
                })
            },
        )
        .unwrap();
}
