//! Creating, changing and applying.

use super::*;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/t/deployments";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "web",
                    "image": "web:1",
                    "env": [{"name": "A", "value": "1"}],
                    "ports": [{"containerPort": 8080}],
                }]},
            },
        },
    })
}

#[tokio::test]
async fn objects_get_their_metadata_and_defaults() {
    let cluster = Cluster::start().await;
    let object = cluster.ok(Method::POST, DEPLOYMENTS, deployment("web")).await;
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(object["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!(
        object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        30
    );
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    let (code, status) = cluster
        .send(Method::POST, DEPLOYMENTS, JSON, deployment("web"))
        .await;
    assert_eq!(
        (code, &status["reason"]),
        (StatusCode::CONFLICT, &json!("AlreadyExists"))
    );
    assert_eq!(status["message"], "deployments.apps \"web\" already exists");
}

#[tokio::test]
async fn stale_writes_conflict_and_equal_writes_change_nothing() {
    let cluster = Cluster::start().await;
    let first = cluster
        .ok(Method::POST, MAPS, config_map("a", json!({"k": "1"})))
        .await;
    let path = format!("{MAPS}/a");
    let mut changed = first.clone();
    changed["data"]["k"] = "2".into();
    let second = cluster.ok(Method::PUT, &path, changed).await;
    let (code, status) = cluster.send(Method::PUT, &path, JSON, first).await;
    assert_eq!(
        (code, &status["reason"]),
        (StatusCode::CONFLICT, &json!("Conflict"))
    );
    let third = cluster.ok(Method::PUT, &path, second.clone()).await;
    assert_eq!(
        third["metadata"]["resourceVersion"],
        second["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn the_status_subresource_writes_status_only() {
    let cluster = Cluster::start().await;
    cluster.ok(Method::POST, DEPLOYMENTS, deployment("web")).await;
    let path = format!("{DEPLOYMENTS}/web");
    let both = json!({"spec": {"replicas": 5}, "status": {"observedGeneration": 1}});
    let (code, object) = cluster
        .patch(&format!("{path}/status"), MERGE, both.clone())
        .await;
    assert_eq!(code, StatusCode::OK, "{object}");
    assert_eq!(object["spec"]["replicas"], 0);
    assert_eq!(object["status"]["observedGeneration"], 1);
    assert_eq!(object["metadata"]["generation"], 1);
    let other = json!({"spec": {"replicas": 5}, "status": {"observedGeneration": 9}});
    let (_, object) = cluster.patch(&path, MERGE, other).await;
    assert_eq!(object["spec"]["replicas"], 5);
    assert_eq!(object["status"]["observedGeneration"], 1);
    assert_eq!(object["metadata"]["generation"], 2);
    let (_, scale) = cluster
        .patch(&format!("{path}/scale"), MERGE, json!({"spec": {"replicas": 2}}))
        .await;
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"]),
        (&json!("Scale"), &json!(2))
    );
    assert_eq!(scale["status"]["selector"], "app=web");
}

#[tokio::test]
async fn strategic_patches_merge_lists_by_key() {
    let cluster = Cluster::start().await;
    cluster.ok(Method::POST, DEPLOYMENTS, deployment("web")).await;
    let path = format!("{DEPLOYMENTS}/web");
    let containers = |list: Value| json!({"spec": {"template": {"spec": {"containers": list}}}});
    let added = containers(
        json!([{"name": "web", "env": [{"name": "B", "value": "2"}]}, {"name": "side", "image": "x"}]),
    );
    let (code, object) = cluster.patch(&path, STRATEGIC, added).await;
    assert_eq!(code, StatusCode::OK, "{object}");
    let list = &object["spec"]["template"]["spec"]["containers"];
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["image"], "web:1");
    assert_eq!(list[0]["env"].as_array().unwrap().len(), 2);
    let gone = containers(json!([{"name": "side", "$patch": "delete"}]));
    let (_, object) = cluster.patch(&path, STRATEGIC, gone).await;
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let strategy = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    let (_, object) = cluster.patch(&path, STRATEGIC, strategy).await;
    assert_eq!(object["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[tokio::test]
async fn json_patches_fail_as_a_whole() {
    let cluster = Cluster::start().await;
    cluster
        .ok(Method::POST, MAPS, config_map("a", json!({"k": "1"})))
        .await;
    let path = format!("{MAPS}/a");
    let media = "application/json-patch+json";
    let wrong = json!([
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "test", "path": "/data/k", "value": "3"},
    ]);
    assert_eq!(
        cluster.patch(&path, media, wrong).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(cluster.get(&path).await.1["data"]["k"], "1");
    let right = json!([{"op": "add", "path": "/data/l", "value": "2"}]);
    assert_eq!(cluster.patch(&path, media, right).await.1["data"]["l"], "2");
    assert_eq!(
        cluster.patch(&path, JSON, json!({})).await.0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
}

#[tokio::test]
async fn apply_tracks_owners_conflicts_and_removals() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}/ssa");
    let apply = async |manager: &str, data: Value| {
        let mut config = config_map("ssa", data);
        if config["data"].is_null() {
            config.as_object_mut().unwrap().remove("data");
        }
        cluster.patch(&format!("{path}?{manager}"), APPLY, config).await
    };
    let one = "fieldManager=one";
    let (code, first) = apply(one, json!({"a": "1", "b": "1"})).await;
    assert_eq!(code, StatusCode::CREATED, "{first}");
    assert_eq!(
        first["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:data": {"f:a": {}, "f:b": {}}})
    );
    let (code, again) = apply(one, json!({"a": "1", "b": "1"})).await;
    assert_eq!((code, &again), (StatusCode::OK, &first));
    let (code, status) = apply("fieldManager=two", json!({"a": "2"})).await;
    assert_eq!(code, StatusCode::CONFLICT);
    assert_eq!(
        status["message"],
        "Apply failed with 1 conflict: conflict with \"one\": .data.a"
    );
    let (code, _) = apply("fieldManager=two&force=true", json!({"a": "2"})).await;
    assert_eq!(code, StatusCode::OK);
    let (_, object) = apply(one, Value::Null).await;
    assert_eq!(object["data"], json!({"a": "2"}), "b was one's alone, a is two's");
    let (code, _) = apply("force=true", json!({})).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
}

/// As `kubectl apply --server-side` does with what was applied from the client before.
#[tokio::test]
async fn owners_can_be_rewritten_and_forgotten() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}/handed");
    let client = format!("{MAPS}?fieldManager=kubectl-client-side-apply");
    let made = cluster
        .ok(
            Method::POST,
            &client,
            config_map("handed", json!({"a": "1", "b": "1"})),
        )
        .await;
    let mut owners = made["metadata"]["managedFields"].clone();
    (owners[0]["manager"], owners[0]["operation"]) = ("kubectl".into(), "Apply".into());
    let patch = json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": owners},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]},
    ]);
    let (code, handed) = cluster
        .patch(&path, "application/json-patch+json", patch.clone())
        .await;
    assert_eq!(code, StatusCode::OK, "{handed}");
    assert_eq!(handed["metadata"]["managedFields"], owners);
    let (code, stale) = cluster.patch(&path, "application/json-patch+json", patch).await;
    assert_eq!(code, StatusCode::CONFLICT, "{stale}");
    let less = config_map("handed", json!({"a": "1"}));
    let (_, applied) = cluster
        .patch(&format!("{path}?fieldManager=kubectl"), APPLY, less)
        .await;
    assert_eq!(applied["data"], json!({"a": "1"}), "what is applied no more goes");
    // What makes no sense is not taken for a wish.
    for odd in [
        json!([]),
        json!([{"manager": "x", "operation": "Steal"}]),
        Value::Null,
    ] {
        let (code, kept) = cluster
            .patch(&path, MERGE, json!({"metadata": {"managedFields": odd}}))
            .await;
        let owners = &applied["metadata"]["managedFields"];
        assert_eq!(
            (code, &kept["metadata"]["managedFields"]),
            (StatusCode::OK, owners),
            "{odd}"
        );
    }
    let (code, free) = cluster
        .patch(&path, MERGE, json!({"metadata": {"managedFields": [{}]}}))
        .await;
    assert_eq!(
        (code, free["metadata"].get("managedFields")),
        (StatusCode::OK, None)
    );
}

#[tokio::test]
async fn apply_merges_keyed_lists_of_several_managers() {
    let cluster = Cluster::start().await;
    let path = format!("{DEPLOYMENTS}/d");
    let one = deployment("d");
    let (code, object) = cluster
        .patch(&format!("{path}?fieldManager=one"), APPLY, one.clone())
        .await;
    assert_eq!(code, StatusCode::CREATED, "{object}");
    let mut two = deployment("d");
    two["spec"]["template"]["spec"]["containers"] = json!([{"name": "extra", "image": "x"}]);
    let (code, object) = cluster
        .patch(&format!("{path}?fieldManager=two"), APPLY, two.clone())
        .await;
    assert_eq!(code, StatusCode::OK, "{object}");
    let count = |o: &Value| {
        o["spec"]["template"]["spec"]["containers"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(&object), 2);
    let (_, object) = cluster
        .patch(&format!("{path}?fieldManager=one"), APPLY, one)
        .await;
    assert_eq!(count(&object), 2, "one does not own what two added");
    two["spec"]["template"]["spec"]
        .as_object_mut()
        .unwrap()
        .remove("containers");
    let (code, object) = cluster
        .patch(&format!("{path}?fieldManager=two"), APPLY, two)
        .await;
    assert_eq!((code, count(&object)), (StatusCode::OK, 1), "{object}");
}

#[tokio::test]
async fn unknown_fields_are_refused_when_asked_for() {
    let cluster = Cluster::start().await;
    let odd = json!({"metadata": {"name": "odd"}, "dat": {}});
    let (code, status) = cluster
        .send(
            Method::POST,
            &format!("{MAPS}?fieldValidation=Strict"),
            JSON,
            odd.clone(),
        )
        .await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert_eq!(
        status["message"],
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dat\""
    );
    let object = cluster.ok(Method::POST, MAPS, odd).await;
    assert!(object.get("dat").is_none());
}

#[tokio::test]
async fn dry_runs_leave_nothing() {
    let cluster = Cluster::start().await;
    cluster
        .ok(
            Method::POST,
            &format!("{MAPS}?dryRun=All"),
            config_map("dry", json!({})),
        )
        .await;
    assert_eq!(cluster.get(&format!("{MAPS}/dry")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn services_get_addresses_of_their_own() {
    let cluster = Cluster::start().await;
    let services = "/api/v1/namespaces/t/services";
    let service = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let ports = json!([{"port": 80}]);
    let a = cluster
        .ok(Method::POST, services, service("a", json!({"ports": ports})))
        .await;
    let address = a["spec"]["clusterIP"].as_str().unwrap();
    assert!(address.starts_with("10.96."), "{address}");
    assert_eq!(a["spec"]["ports"][0]["targetPort"], 80);
    let same = service("b", json!({"ports": ports, "clusterIP": address}));
    let (code, status) = cluster.send(Method::POST, services, JSON, same).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("provided IP is already allocated"),
        "{status}"
    );
    let moved = json!({"spec": {"clusterIP": "10.96.77.77"}});
    let (code, _) = cluster.patch(&format!("{services}/a"), MERGE, moved).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, kubernetes) = cluster
        .get("/api/v1/namespaces/default/services/kubernetes")
        .await;
    assert_eq!(kubernetes["spec"]["clusterIP"], "10.96.0.1");
}

#[tokio::test]
async fn pods_get_a_service_account_and_its_token() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/t/pods";
    let pod = |account: &str| {
        json!({
            "metadata": {"generateName": "p-"},
            "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "x"}]},
        })
    };
    let object = cluster.ok(Method::POST, pods, pod("")).await;
    assert_eq!(object["spec"]["serviceAccountName"], "default");
    assert_eq!(
        object["status"],
        json!({"phase": "Pending", "qosClass": "BestEffort"})
    );
    let mount = &object["spec"]["containers"][0]["volumeMounts"][0];
    assert_eq!(
        mount["mountPath"],
        "/var/run/secrets/kubernetes.io/serviceaccount"
    );
    assert_eq!(mount["name"], object["spec"]["volumes"][0]["name"]);
    let (code, status) = cluster.send(Method::POST, pods, JSON, pod("nobody")).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("serviceaccount \"nobody\" not found")
    );
}
