//! Who is who, and who may what.

use super::*;

async fn token(cluster: &Cluster, audiences: Value, bound: Value) -> (StatusCode, Value) {
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": audiences, "expirationSeconds": 600, "boundObjectRef": bound},
    });
    cluster
        .send(
            Method::POST,
            "/api/v1/namespaces/t/serviceaccounts/default/token",
            JSON,
            request,
        )
        .await
}

async fn review(cluster: &Cluster, token: &str, audiences: Value) -> Value {
    let review = json!({"spec": {"token": token, "audiences": audiences}});
    cluster
        .ok(
            Method::POST,
            "/apis/authentication.k8s.io/v1/tokenreviews",
            review,
        )
        .await["status"]
        .clone()
}

async fn as_token(cluster: &Cluster, method: Method, path: &str, token: &str) -> (StatusCode, Value) {
    finish(
        cluster
            .raw(method, path, JSON, JSON, body::empty(), None, Some(token))
            .await,
    )
    .await
}

#[tokio::test]
async fn tokens_are_for_their_audience_only() {
    let cluster = Cluster::start().await;
    let (code, request) = token(&cluster, json!(["mesh"]), Value::Null).await;
    assert_eq!(code, StatusCode::CREATED, "{request}");
    let mesh = request["status"]["token"].as_str().unwrap();
    let status = review(&cluster, mesh, json!(["mesh"])).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "system:serviceaccount:t:default");
    assert_eq!(
        status["user"]["groups"],
        json!([
            "system:serviceaccounts",
            "system:serviceaccounts:t",
            "system:authenticated"
        ])
    );
    let status = review(&cluster, mesh, json!(["other"])).await;
    assert_eq!(
        status["error"],
        "[invalid bearer token, token audiences [\"mesh\"] is invalid for the target audiences [\"other\"]]"
    );
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, mesh).await.0,
        StatusCode::UNAUTHORIZED
    );
    let forged = format!("{}x", &mesh[..mesh.len() - 1]);
    assert_eq!(
        review(&cluster, &forged, json!(["mesh"])).await["error"],
        "invalid bearer token"
    );
}

#[tokio::test]
async fn a_bound_token_dies_with_its_pod() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/t/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let pod = cluster.ok(Method::POST, pods, pod).await;
    let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]});
    let (_, request) = token(&cluster, json!(["mesh"]), bound).await;
    let token = request["status"]["token"].as_str().unwrap();
    let status = review(&cluster, token, json!(["mesh"])).await;
    assert_eq!(
        status["user"]["extra"]["authentication.kubernetes.io/pod-name"],
        json!(["p"])
    );
    cluster
        .ok(Method::DELETE, &format!("{pods}/p"), Value::Null)
        .await;
    let status = review(&cluster, token, json!(["mesh"])).await;
    assert!(status.get("authenticated").is_none(), "{status}");
}

#[tokio::test]
async fn strangers_are_refused() {
    let cluster = Cluster::start().await;
    let anonymous = cluster
        .raw(Method::GET, MAPS, JSON, JSON, body::empty(), None, None)
        .await;
    assert_eq!(finish(anonymous).await.0, StatusCode::FORBIDDEN);
    let health = cluster
        .raw(Method::GET, "/readyz", JSON, JSON, body::empty(), None, None)
        .await;
    assert_eq!(finish(health).await, (StatusCode::OK, json!("ok")));
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, "nonsense").await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn roles_grant_and_their_absence_denies() {
    let cluster = Cluster::start().await;
    let (_, request) = token(&cluster, json!([]), Value::Null).await;
    let token = request["status"]["token"].as_str().unwrap();
    let (code, status) = as_token(&cluster, Method::GET, MAPS, token).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert_eq!(
        status["message"],
        "configmaps is forbidden: User \"system:serviceaccount:t:default\" cannot list resource \"configmaps\" in API \
         group \"\" in the namespace \"t\""
    );
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/t";
    let role = json!({"metadata": {"name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["*"], "resourceNames": ["web"], "verbs": ["get"]},
    ]});
    cluster.ok(Method::POST, &format!("{rbac}/roles"), role).await;
    let binding = json!({
        "metadata": {"name": "r"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "t"}],
    });
    cluster
        .ok(Method::POST, &format!("{rbac}/rolebindings"), binding)
        .await;
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, token).await.0,
        StatusCode::OK
    );
    assert_eq!(
        as_token(&cluster, Method::DELETE, &format!("{MAPS}/x"), token)
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let elsewhere = "/api/v1/namespaces/default/configmaps";
    assert_eq!(
        as_token(&cluster, Method::GET, elsewhere, token).await.0,
        StatusCode::FORBIDDEN
    );
    let may = async |attributes: Value| {
        let review =
            json!({"spec": {"user": "system:serviceaccount:t:default", "resourceAttributes": attributes}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        cluster.ok(Method::POST, path, review).await["status"].clone()
    };
    let log = may(json!({"namespace": "t", "verb": "get", "resource": "pods", "subresource": "log"})).await;
    assert_eq!(
        log,
        json!({"allowed": true,
               "reason": "RBAC: allowed by RoleBinding \"r/t\" of Role \"r\" to ServiceAccount \"default/t\""})
    );
    let web =
        json!({"namespace": "t", "verb": "get", "group": "apps", "resource": "deployments", "name": "web"});
    assert_eq!(may(web).await["allowed"], true);
    let other =
        json!({"namespace": "t", "verb": "get", "group": "apps", "resource": "deployments", "name": "x"});
    assert_eq!(may(other).await["allowed"], false);
    let (_, status) = cluster
        .patch(
            &format!("{rbac}/rolebindings/r"),
            MERGE,
            json!({"roleRef": {"name": "z"}}),
        )
        .await;
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("cannot change roleRef"),
        "{status}"
    );
}

#[tokio::test]
async fn nobody_gives_away_rights_that_they_do_not_have() {
    let cluster = Cluster::start().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/t";
    let (_, request) = token(&cluster, json!([]), Value::Null).await;
    let token = request["status"]["token"].as_str().unwrap();
    let write = async |path: &str, body: Value| {
        let response = cluster
            .raw(
                Method::POST,
                path,
                JSON,
                JSON,
                body::full(body.to_string()),
                None,
                Some(token),
            )
            .await;
        finish(response).await
    };
    let grant = async |name: &str, rules: Value| {
        let role = json!({"metadata": {"name": name}, "rules": rules});
        cluster.ok(Method::POST, &format!("{rbac}/roles"), role).await;
        let binding = json!({
            "metadata": {"name": name},
            "roleRef": {"kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "t"}],
        });
        cluster
            .ok(Method::POST, &format!("{rbac}/rolebindings"), binding)
            .await;
    };
    grant(
        "writer",
        json!([
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"],
             "resourceNames": []},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        ]),
    )
    .await;
    // `*` holds escalate and bind as well, so a second writer without them.
    let role = json!({"rules": [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "update"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    ]});
    let (code, _) = cluster.patch(&format!("{rbac}/roles/writer"), MERGE, role).await;
    assert_eq!(code, StatusCode::OK);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let fine = json!({"metadata": {"name": "fine"}, "rules": rules});
    assert_eq!(write(&format!("{rbac}/roles"), fine).await.0, StatusCode::CREATED);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]}]);
    let greedy = json!({"metadata": {"name": "greedy"}, "rules": rules});
    let (code, status) = write(&format!("{rbac}/roles"), greedy.clone()).await;
    assert_eq!(
        (code, status["message"].as_str().unwrap()),
        (
            StatusCode::FORBIDDEN,
            "roles.rbac.authorization.k8s.io \"greedy\" is forbidden: user \"system:serviceaccount:t:default\" \
             (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:t\" \"system:authenticated\"]) is attempting \
             to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\" \
             \"delete\"]}"
        )
    );
    cluster
        .ok(Method::POST, &format!("{rbac}/roles"), greedy.clone())
        .await;
    let binding = json!({
        "metadata": {"name": "me"},
        "roleRef": {"kind": "Role", "name": "greedy"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "t"}],
    });
    let bindings = format!("{rbac}/rolebindings");
    assert_eq!(write(&bindings, binding.clone()).await.0, StatusCode::FORBIDDEN);
    let mut unknown = binding.clone();
    unknown["roleRef"]["name"] = "nope".into();
    assert_eq!(write(&bindings, unknown).await.0, StatusCode::NOT_FOUND);
    grant(
        "binder",
        json!([
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "resourceNames": ["greedy", "grand"],
             "verbs": ["bind", "escalate"]},
        ]),
    )
    .await;
    assert_eq!(write(&bindings, binding).await.0, StatusCode::CREATED);
    let mut grand = greedy;
    grand["metadata"]["name"] = "grand".into();
    assert_eq!(
        write(&format!("{rbac}/roles"), grand).await.0,
        StatusCode::CREATED
    );
}
