//! Deletion, ownership, namespaces and custom kinds.

use super::*;

#[tokio::test]
async fn finalizers_hold_objects() {
    let cluster = Cluster::start().await;
    let mut map = config_map("fin", json!({}));
    map["metadata"]["finalizers"] = json!(["ex.io/hold"]);
    cluster.ok(Method::POST, MAPS, map).await;
    let path = format!("{MAPS}/fin");
    let marked = cluster.ok(Method::DELETE, &path, Value::Null).await;
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    let more = json!({"metadata": {"finalizers": ["ex.io/hold", "ex.io/two"]}});
    assert_eq!(
        cluster.patch(&path, MERGE, more).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let (code, _) = cluster
        .patch(&path, MERGE, json!({"metadata": {"finalizers": null}}))
        .await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(cluster.get(&path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn dependents_go_with_their_last_owner() {
    let cluster = Cluster::start().await;
    let mut owners = Vec::new();
    for name in ["one", "two"] {
        let owner = cluster.ok(Method::POST, MAPS, config_map(name, json!({}))).await;
        owners.push(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}),
        );
    }
    let mut owned = config_map("owned", json!({}));
    owned["metadata"]["ownerReferences"] = json!(owners);
    cluster.ok(Method::POST, MAPS, owned).await;
    cluster
        .ok(Method::DELETE, &format!("{MAPS}/one"), Value::Null)
        .await;
    let path = format!("{MAPS}/owned");
    let mut left = 2;
    for _ in 0..200 {
        let (code, object) = cluster.get(&path).await;
        assert_eq!(code, StatusCode::OK, "it still has an owner");
        left = object["metadata"]["ownerReferences"]
            .as_array()
            .map_or(0, Vec::len);
        if left == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(left, 1);
    cluster
        .ok(Method::DELETE, &format!("{MAPS}/two"), Value::Null)
        .await;
    cluster.until(&path, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn orphans_outlive_their_owner() {
    let cluster = Cluster::start().await;
    let owner = cluster.ok(Method::POST, MAPS, config_map("one", json!({}))).await;
    let mut owned = config_map("owned", json!({}));
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "one", "uid": owner["metadata"]["uid"]}]);
    cluster.ok(Method::POST, MAPS, owned).await;
    cluster
        .ok(
            Method::DELETE,
            &format!("{MAPS}/one?propagationPolicy=Orphan"),
            Value::Null,
        )
        .await;
    let (_, object) = cluster.get(&format!("{MAPS}/owned")).await;
    assert!(object["metadata"].get("ownerReferences").is_none(), "{object}");
}

#[tokio::test]
async fn namespaces_end_with_their_content() {
    let cluster = Cluster::start().await;
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["ex.io/hold"]);
    cluster.ok(Method::POST, MAPS, held).await;
    cluster
        .ok(Method::POST, MAPS, config_map("plain", json!({})))
        .await;
    let marked = cluster
        .ok(Method::DELETE, "/api/v1/namespaces/t", Value::Null)
        .await;
    assert_eq!(marked["status"]["phase"], "Terminating");
    let (code, status) = cluster
        .send(Method::POST, MAPS, JSON, config_map("late", json!({})))
        .await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert_eq!(status["details"]["causes"][0]["reason"], "NamespaceTerminating");
    cluster
        .until(&format!("{MAPS}/plain"), StatusCode::NOT_FOUND)
        .await;
    assert_eq!(
        cluster.get("/api/v1/namespaces/t").await.0,
        StatusCode::OK,
        "held content holds it"
    );
    cluster
        .patch(
            &format!("{MAPS}/held"),
            MERGE,
            json!({"metadata": {"finalizers": null}}),
        )
        .await;
    cluster.until("/api/v1/namespaces/t", StatusCode::NOT_FOUND).await;
    let (code, _) = cluster
        .send(Method::DELETE, "/api/v1/namespaces/default", JSON, Value::Null)
        .await;
    assert_eq!(code, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn bound_pods_are_given_time_to_end() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/t/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    cluster.ok(Method::POST, pods, pod.clone()).await;
    let binding = json!({"target": {"kind": "Node", "name": "n"}});
    cluster
        .ok(Method::POST, &format!("{pods}/p/binding"), binding)
        .await;
    let marked = cluster
        .ok(Method::DELETE, &format!("{pods}/p"), Value::Null)
        .await;
    assert_eq!(marked["spec"]["nodeName"], "n");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(cluster.get(&format!("{pods}/p")).await.0, StatusCode::OK);
    cluster
        .ok(
            Method::DELETE,
            &format!("{pods}/p?gracePeriodSeconds=0"),
            Value::Null,
        )
        .await;
    assert_eq!(cluster.get(&format!("{pods}/p")).await.0, StatusCode::NOT_FOUND);
    // Nobody runs an unbound pod, so nobody needs time.
    cluster.ok(Method::POST, pods, pod).await;
    cluster
        .ok(Method::DELETE, &format!("{pods}/p"), Value::Null)
        .await;
    assert_eq!(cluster.get(&format!("{pods}/p")).await.0, StatusCode::NOT_FOUND);
}

fn gadgets() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "mode": {"type": "string", "default": "a", "enum": ["a", "b"]},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "tags": {"type": "array", "maxItems": 1, "items": {"type": "string", "pattern": "^[a-z]+$"}},
        },
    });
    let status = json!({"type": "object", "properties": {"phase": {"type": "string"}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.ex.io"},
        "spec": {
            "group": "ex.io",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": true,
                    "storage": true,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": spec, "status": status},
                    }},
                },
                {
                    "name": "v1beta1",
                    "served": true,
                    "storage": false,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                },
            ],
        },
    })
}

#[tokio::test]
async fn definitions_make_kinds() {
    let cluster = Cluster::start().await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let kind = "/apis/ex.io/v1/namespaces/t/gadgets";
    assert_eq!(cluster.get(kind).await.0, StatusCode::NOT_FOUND);
    cluster.ok(Method::POST, definitions, gadgets()).await;
    let (_, defined) = cluster.get(&format!("{definitions}/gadgets.ex.io")).await;
    assert_eq!(defined["status"]["conditions"][1]["type"], "Established");
    assert_eq!(defined["spec"]["names"]["listKind"], "GadgetList");
    let gadget = |name: &str, spec: Value| {
        json!({"apiVersion": "ex.io/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec,
               "status": {"phase": "ignored"}})
    };
    let a = cluster
        .ok(
            Method::POST,
            kind,
            gadget("a", json!({"size": 3, "unknown": 1, "free": {"x": 1}})),
        )
        .await;
    assert_eq!(a["spec"], json!({"size": 3, "mode": "a", "free": {"x": 1}}));
    assert!(a.get("status").is_none());
    let bad = json!({"size": 99, "mode": "z", "tags": ["A", "b"]});
    let (code, status) = cluster.send(Method::POST, kind, JSON, gadget("b", bad)).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        status["message"],
        "Gadget.ex.io \"b\" is invalid: [spec.mode: Unsupported value: \"z\": supported values: \"a\", \"b\", \
         spec.size: Invalid value: 99: spec.size in body should be less than or equal to 9, spec.tags[0]: Invalid \
         value: \"A\": spec.tags[0] in body should match '^[a-z]+$', spec.tags: Too many: 2: must have at most 1 items]"
    );
    let (_, up) = cluster
        .patch(
            &format!("{kind}/a/status"),
            MERGE,
            json!({"status": {"phase": "Up"}}),
        )
        .await;
    assert_eq!(
        (&up["status"]["phase"], &up["metadata"]["generation"]),
        (&json!("Up"), &json!(1))
    );
    let (_, other) = cluster.get("/apis/ex.io/v1beta1/namespaces/t/gadgets/a").await;
    assert_eq!(other["apiVersion"], "ex.io/v1beta1");
    let mut watch = cluster.watch(&format!("{kind}?watch=1")).await;
    assert_eq!(watch.next().await.0, "ADDED");
    cluster
        .ok(
            Method::DELETE,
            &format!("{definitions}/gadgets.ex.io"),
            Value::Null,
        )
        .await;
    assert_eq!(watch.next().await.0, "DELETED");
    cluster
        .until(&format!("{definitions}/gadgets.ex.io"), StatusCode::NOT_FOUND)
        .await;
    assert_eq!(cluster.get(kind).await.0, StatusCode::NOT_FOUND);
    assert!(watch.0.frame().await.is_none(), "the watch ends with the kind");
}

#[tokio::test]
async fn both_groups_of_events_are_one() {
    let cluster = Cluster::start().await;
    let event = json!({
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "t"},
        "note": "hello",
        "reason": "Greeted",
        "type": "Normal",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "i",
        "action": "Greet",
    });
    cluster
        .ok(Method::POST, "/apis/events.k8s.io/v1/namespaces/t/events", event)
        .await;
    let path = "/api/v1/namespaces/t/events?fieldSelector=involvedObject.name%3Dp";
    let (_, list) = cluster.get(path).await;
    assert_eq!(list["items"][0]["message"], "hello");
    let (_, list) = cluster.get("/apis/events.k8s.io/v1/namespaces/t/events").await;
    assert_eq!(list["items"][0]["note"], "hello");
}
